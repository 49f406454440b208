"""Put a plan into the graph: new nodes, the root's name and readers, control edges, and what then nobody needs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops.kinds import CONTROL_FLOW, SWITCHES
from graphsurgeon.surgery.moves.inlining.inline import alive_control
from graphsurgeon.surgery.replacing.draft import Draft, Made, Slot, Substitute
from graphsurgeon.surgery.replacing.ground import Ground, producers


@dataclass
class Exchange:
    """What one replacement did.

    Attributes:
        added: new nodes, and roots that became others.
        removed: names of the nodes that went.
        kept: inner nodes that stay, with what reads them.
    """

    added: list[Node] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)


def exchange(plan: Substitute, ground: Ground) -> Exchange:
    """Put what a plan says in the place of its match; return what was done."""
    return _Exchange(plan, ground).run()


class _Exchange:
    def __init__(self, plan: Substitute, ground: Ground) -> None:
        self.plan = plan
        self.match = plan.match
        self.ground = ground
        self.graph: Graph = plan.match.graph
        self.root: Node = plan.match.root
        self.made: dict[Draft, Node] = {}
        self.constants: dict[Draft, Value] = {}
        self.done = Exchange()

    def run(self) -> Exchange:
        inner = [node for node in (*self.match.nodes, *self.match.between) if node not in producers(self.match.roots)]
        before = [value for root in producers(self.match.roots) for value in root.inputs]
        takers = takers_of(self.plan, self.ground)
        for draft in self.plan.drafts:
            self._make(draft, takers.get(draft), before)
        for root, slot in zip(self.match.roots, self.plan.results, strict=True):
            if not (isinstance(slot, Made) and slot.draft in takers):
                self._hand_over(root, self._value(slot), before)
        self._inherit_controls(inner)
        gone = self._sweep([*inner, *producers(self.match.roots), *producers(before)])
        self._say_kept([node for node in inner if node not in gone])
        self._learn()
        return self.done

    # -- new nodes -------------------------------------------------------------------------------------

    def _make(self, draft: Draft, taker: Node | None, before: list[Value]) -> None:
        if draft.tensor is not None and self.graph.kind == "subgraph":
            tensor = draft.tensor
            name = self._stored_name("constant")
            self.constants[draft] = self.graph.add_value(name, tensor.dtype, tensor.shape, tensor)
            return
        inputs = [self._value(slot) for slot in draft.inputs]
        if taker is not None:
            taker.become(draft.op, inputs, draft.attrs)
            node = taker
        else:
            name = self._name(draft.op) if self.graph.kind != "subgraph" else ""
            node = self.graph.add_node(draft.op, name, inputs, draft.attrs, device=self.root.device, checked=False)
            self.ground.settle(node, self.root)
            if self.graph.kind == "subgraph":
                self._store_output(node, draft)
        self.made[draft] = node
        self.done.added.append(node)
        self._place(node, before)

    def _value(self, slot: Slot) -> Value:
        if isinstance(slot, Made):
            return self.constants[slot.draft] if slot.draft in self.constants else self._output(slot)
        return slot

    def _output(self, slot: Made) -> Value:
        node = self.made[slot.draft]
        return node.outputs[slot.port] if self.graph.kind == "subgraph" else node.output(slot.port)

    def _name(self, op: str) -> str:
        scope = self.root.name.rpartition("/")[0]
        return self.ground.new_name(self.graph, f"{scope}/{op}" if scope else op)

    def _stored_name(self, word: str) -> str:
        return f"{self.match.roots[0].name or 'tensor'};{word}"

    def _store_output(self, node: Node, draft: Draft) -> None:
        """Give a new operator of TFLite its output: of the dtype of the draft, and the shape of its first input."""
        dtype = draft.dtypes[0] if draft.dtypes else None
        shapes = [value.shape for value in node.inputs if value.shape is not None]
        value = self.graph.add_value(self._stored_name(draft.op), dtype or FLOAT32, _widest(shapes))
        node.set_outputs([value])

    # -- readers and mentions --------------------------------------------------------------------------

    def _hand_over(self, root: Value, value: Value, before: list[Value]) -> None:
        """Let a value take the place of a root; the root's node stays as an Identity where something knows its name."""
        node = root.producer
        assert node is not None
        is_new = value.producer in self.made.values()
        if self.graph.kind == "subgraph" or is_shared(self.plan, root, self.ground):
            root.replace_with(value)
            return
        port = self.ground.subject.port(root)
        is_known = node in self.ground.protected or bool(node.control_consumers) or node in self._ends()
        is_fetched = not root.consumers and self.graph.kind == "main" and not self._is_result(root)
        if not (is_known or is_fetched or is_new):
            root.replace_with(value)
            return
        dtype = self.ground.subject.dtype(value)
        node.become("Identity", [value], {"T": dtype.base if dtype is not None else None})
        if port != 0:
            node.move_outputs({port: 0})
        self.done.added.append(node)
        self._place(node, before)

    def _ends(self) -> list[Node]:
        return list(self.graph.control_outputs.values())

    def _is_result(self, value: Value) -> bool:
        return any(output.value is value for output in self.graph.outputs)

    # -- control edges ---------------------------------------------------------------------------------

    def _place(self, node: Node, before: Iterable[Value]) -> None:
        """Keep a node in the loop and branch of the root: by what it reads, else by control edges.

        Without them a Merge takes whatever is alive, a constant of the branch not taken included, and a loop refuses
        inputs from outside.
        """
        place = self.ground.place(self.root)
        if place == (None, False) or any(self.ground.place(one) == place for one in producers(node.inputs)):
            return
        held = [value for value in before if value.producer is not None and value.producer is not node]
        own = [value for value in held if self.ground.place(value.producer) == place] or held  # type: ignore[arg-type]
        own = [value for value in own if value.producer not in self.match.nodes] or own
        controls = [alive_control(value) for value in own]
        for control in controls:
            self.ground.settle(control, self.root)
        node.controls = list(dict.fromkeys([*node.controls, *controls]))

    def _inherit_controls(self, inner: Iterable[Node]) -> None:
        """Let the root wait for what inner nodes waited for."""
        if self.root not in self.graph:
            return
        waited = [control for node in inner for control in node.controls]
        controls = dict.fromkeys([*self.root.controls, *waited])
        controls.pop(self.root, None)
        if len(controls) > len(self.root.controls):
            self.root.controls = list(controls)
        gone = set(inner)
        if any(node in gone for node, _ in self.graph.argument_controls):
            self.graph.argument_controls += [
                (self.root, argument) for node, argument in self.graph.argument_controls if node in gone
            ]

    # -- what nobody needs -----------------------------------------------------------------------------

    def _sweep(self, nodes: Iterable[Node]) -> set[Node]:
        """Take out nodes, and what led to them, as far as nothing reads or names them; return them.

        Who waited for one of them waits for what it waited for, and for what it read: the order stays.
        """
        gone: set[Node] = set()
        ends = {*self._ends(), *producers(output.value for output in self.graph.outputs)}
        waiting = deque(dict.fromkeys(nodes))
        while waiting:
            node = waiting.popleft()
            if node not in self.graph or node in self.made.values() or node in ends or self._is_needed(node):
                continue
            waiting += dict.fromkeys(producers(node.inputs))
            lead_round(node)
            gone.add(node)
            self.done.removed.append(node.name)
            outputs = node.outputs if self.graph.kind == "subgraph" else ()
            constants = [value for value in node.inputs if value.producer is None and value.tensor is not None]
            self.graph.take_out([node])
            self._remove_values([*outputs, *constants])
        if gone:
            self.graph.argument_controls = [pair for pair in self.graph.argument_controls if pair[0] not in gone]
            self.graph.dangling_controls = [pair for pair in self.graph.dangling_controls if pair[0] not in gone]
        return gone

    def _is_needed(self, node: Node) -> bool:
        if node in self.done.added or node.consumers or self.ground.is_kept(node) or steers(node, self.ground):
            return True
        if self.graph.kind == "subgraph":
            values = {output.value for output in self.graph.outputs}
            return any(value in values or value in self.ground.named for value in node.outputs)
        return False

    def _remove_values(self, values: list[Value]) -> None:
        if self.graph.kind != "subgraph" or not values:
            return
        named = {*self.ground.named, *(output.value for output in self.graph.outputs), *self.graph.inputs}
        self.graph.remove_values([value for value in values if not value.consumers and value not in named])

    def _say_kept(self, nodes: Iterable[Node]) -> None:
        matched = set(self.match.nodes)
        for node in nodes:
            if node in matched and node.inputs and node not in self.made.values():
                reader = next((user.name for user in node.consumers), "")
                if reader or node in self.ground.protected:
                    self.done.kept.append((node.name, reader or "something that names it"))

    def _learn(self) -> None:
        """Infer the new nodes, and enter them where patterns look."""
        self.ground.subject.forget()
        self.ground.subject.add(self.done.added)
        if self.graph.kind != "subgraph":
            for node in self.done.added:
                self.ground.subject.shapes.learn(self.graph, node)


def steers(node: Node, ground: Ground) -> bool:
    """Say whether a node of a loop or branch of TensorFlow 1 decides where or whether others run."""
    if node.op in CONTROL_FLOW:
        return True
    is_inside = ground.place(node) != (None, False) or any(one.op in SWITCHES for one in producers(node.inputs))
    return is_inside and bool(node.control_consumers)


def lead_round(node: Node) -> None:
    """Let who waits for a node wait for what it waits for and reads."""
    if not node.control_consumers:
        return
    instead = dict.fromkeys([*node.controls, *(alive_control(v) for v in node.inputs if v.producer is not None)])
    for user in node.control_consumers:
        others = [one for control in user.controls for one in (instead if control is node else (control,))]
        user.controls = [one for one in dict.fromkeys(others) if one is not user]


def _widest(shapes: Iterable[Shape]) -> Shape:
    """Return the shape of highest rank: what an elementwise op of inputs that broadcast yields."""
    return max(shapes, key=lambda shape: (shape.rank or 0, shape.num_elements or 0), default=Shape(None))


def takers_of(plan: Substitute, ground: Ground) -> dict[Draft, Node]:
    """Return for drafts that take the place of a root's node which one: name, mentions and readers stay with it."""
    by_node: dict[Node, list[tuple[Value, Slot]]] = {}
    for root, slot in zip(plan.match.roots, plan.results, strict=True):
        if root.producer is not None:
            by_node.setdefault(root.producer, []).append((root, slot))
    takers: dict[Draft, Node] = {}
    for node, pairs in by_node.items():
        draft = _common_draft(pairs, ground)
        if draft is None or draft in takers or ground.other_outputs(node, [root for root, _ in pairs]):
            continue
        if draft.tensor is None or node.graph.kind != "subgraph":  # a constant of TFLite has no operator
            takers[draft] = node
    return takers


def is_shared(plan: Substitute, root: Value, ground: Ground) -> bool:
    """Say whether the node of a root stays for other outputs, or for another root."""
    node = root.producer
    others = [one for one in plan.match.roots if one is not root and one.producer is node]
    return bool(others) or node is None or bool(ground.other_outputs(node, [root]))


def _common_draft(pairs: list[tuple[Value, Slot]], ground: Ground) -> Draft | None:
    """Return the draft whose outputs are those of a node, each at its place."""
    drafts = {
        slot.draft if isinstance(slot, Made) and slot.port == ground.subject.port(root) else None
        for root, slot in pairs
    }
    return drafts.pop() if len(drafts) == 1 else None
