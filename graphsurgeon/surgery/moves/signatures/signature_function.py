"""Signatures as `tf.saved_model.load` sees them: a keyword-only wrapper function found through the object graph.

Facts (docs/formats.md): the root's child `signatures` is a `signature_map` whose children are bare concrete
functions. A wrapper's arguments are the user's inputs in the order of their sanitized keys, then captures;
its results are in the order of the raw keys. A key that changes its place must take argument, caller and
structured signature along, or values are exchanged silently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from graphsurgeon.analysis.flow.calls import called_function
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.objects import (
    ConcreteFunction,
    ObjectGraph,
    ObjectNode,
    TensorSpec,
    is_parameter,
    parameter_name,
)
from graphsurgeon.model.shape import Shape
from graphsurgeon.surgery.moves.functions.call_nodes import (
    insert_output,
    reorder_inputs,
    reorder_outputs,
    result_name,
    users_of,
)
from graphsurgeon.surgery.moves.functions.unused_functions import unused_functions

SIGNATURES = "signatures"
SIGNATURE_MAP = "signature_map"
BARE_FUNCTION = "bare_concrete_function"

LEGAL_INPUT = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass
class Wrapper:
    """What makes one signature in the object graph.

    Attributes:
        metagraph: where it belongs.
        key: the signature's key.
        bare: the object that the signature map holds.
        concrete: the function's entry in the object graph.
        function: the function.
        inputs: keys of the arguments that users give, in the order of the arguments.
        outputs: keys of the results, in the order of the results.
    """

    metagraph: MetaGraph
    key: str
    bare: ObjectNode
    concrete: ConcreteFunction
    function: Graph
    inputs: list[str]
    outputs: list[str]

    @property
    def calls(self) -> list[Node]:
        """Every node that calls the wrapper."""
        return [node for node in users_of(self.metagraph, self.function) if called_function(node) is self.function]

    def position_of(self, key: str) -> int:
        """Return the place that a new output key has among the results."""
        return sorted([*self.outputs, key]).index(key)

    def insert_output(self, position: int, key: str, value: Value, dtype: DType, shape: Shape) -> None:
        """Let the function and its callers yield one more of the function's values, at a position."""
        self.metagraph.resolve_mentions()
        calls = self.calls
        self.function.outputs.insert(position, Output(result_name(self.function, key), value, dtype))
        for call in calls:
            insert_output(call, position, dtype, shape)


def signature_map(objects: ObjectGraph | None) -> ObjectNode | None:
    """Return the object whose children are the signatures, None if there is none."""
    found = objects.root.child(SIGNATURES) if objects is not None and objects.nodes else None
    return found if found is not None and found.identifier == SIGNATURE_MAP else None


def find_wrapper(metagraph: MetaGraph, key: str) -> Wrapper | None:
    """Return what the object graph has for a signature, None if it has nothing.

    Raises:
        UnsupportedError: it is of a form that cannot be edited (composite inputs, a missing function).
    """
    objects = metagraph.objects
    signatures = signature_map(objects)
    bare = signatures.child(key) if signatures is not None else None
    if objects is None or bare is None:
        return None
    function = bare.functions[0] if bare.kind == BARE_FUNCTION and bare.functions else ""
    concrete = objects.concrete(function)
    if isinstance(function, str) or concrete is None:
        raise UnsupportedError(f"the object graph's signature {key!r} names no function of the library")
    return Wrapper(metagraph, key, bare, concrete, function, *_keys(key, concrete, function))


def own_wrapper(metagraph: MetaGraph, key: str) -> Wrapper | None:
    """Return a wrapper that no other signature or object shares, made by copying if need be."""
    wrapper = find_wrapper(metagraph, key)
    objects = metagraph.objects
    if wrapper is None or objects is None:
        return wrapper
    holders = sum(child is wrapper.bare for node in objects.nodes for _, child in node.children)
    namers = sum(wrapper.function in node.functions for node in objects.nodes)
    if holders == 1 and namers == 1:
        return wrapper
    function = wrapper.function.clone(metagraph.unique_function_name(f"{wrapper.function.name}_copy"))
    metagraph.add_function(function)
    concrete = ConcreteFunction(function, list(wrapper.concrete.bound_inputs), wrapper.concrete.raw)
    objects.concrete_functions.append(concrete)
    bare = ObjectNode(BARE_FUNCTION, wrapper.bare.raw)
    bare.functions = [function]
    bare.argument_keywords = list(wrapper.bare.argument_keywords)
    objects.nodes.append(bare)
    signatures = signature_map(objects)
    assert signatures is not None
    signatures.children = [(name, bare if name == key else child) for name, child in signatures.children]
    return Wrapper(metagraph, key, bare, concrete, function, wrapper.inputs, wrapper.outputs)


def remove_wrapper(metagraph: MetaGraph, key: str) -> None:
    """Take a signature out of the object graph, with the function behind it if nothing else leads there.

    A function that the main graph calls stays: sessions run it, and what calls it stays too.
    """
    objects = metagraph.objects
    signatures = signature_map(objects)
    bare = signatures.child(key) if signatures is not None else None
    if objects is None or signatures is None or bare is None:
        return
    signatures.children = [(name, child) for name, child in signatures.children if name != key]
    is_held = any(bare in (child for _, child in (*node.children, *node.dependencies)) for node in objects.nodes)
    if bare.kind != BARE_FUNCTION or is_held:
        return
    objects.nodes.remove(bare)
    named = {function for node in objects.nodes for function in node.functions}
    functions = [function for function in bare.functions if isinstance(function, Graph)]
    gone = [function for function in functions if function not in named and not users_of(metagraph, function)]
    objects.concrete_functions = [entry for entry in objects.concrete_functions if entry.function not in gone]
    for function in set(gone) & set(unused_functions(metagraph)):
        del metagraph.functions[function.name]


def check_input_keys(keys: list[str]) -> None:
    """Refuse input keys that the two loaders, or a model saved again, would bind differently.

    Raises:
        UsageError: with the key.
    """
    illegal = [key for key in keys if not LEGAL_INPUT.fullmatch(key)]
    if illegal:
        raise UsageError(
            f"{illegal[0]!r} is no safe input key of a TF2 signature: loaders sort such keys differently",
            hint="use a letter, then letters, digits and _",
        )
    reserved = [key for key in keys if not is_parameter(key)]
    if reserved:
        raise UsageError(
            f"{reserved[0]!r} is a word of Python's own: with such an input key loaders refuse the whole model",
            hint=f"name it {reserved[0]}_, or any other",
        )


def rename_inputs(wrapper: Wrapper, keys: Mapping[str, str]) -> None:
    """Rename input keys: arguments, callers, keywords and structured signature change together.

    A key that is no legal parameter (`a-in`) is one (`a_in`) in the structured signature, and itself elsewhere.
    """
    as_stored = {parameter_name(key): key for key in wrapper.bare.argument_keywords}
    keys = {**keys, **{parameter_name(old): new for old, new in keys.items() if old not in wrapper.inputs}}
    new = [keys.get(key, key) for key in wrapper.inputs]
    order = sorted(range(len(new)), key=lambda place: parameter_name(new[place]))
    captures = wrapper.function.inputs[len(new) :]
    calls = wrapper.calls
    wrapper.function.inputs = [wrapper.function.inputs[place] for place in order] + captures
    _reorder_input_shapes(wrapper.function, order)
    for call in calls:
        reorder_inputs(call, order)
    keywords = [keys.get(key, as_stored.get(parameter_name(key), key)) for key in wrapper.inputs]
    wrapper.inputs = [new[place] for place in order]
    wrapper.bare.argument_keywords = [keywords[place] for place in order]
    args, kwargs = _structure(wrapper.concrete)
    wrapper.concrete.input_signature = (args, {keys.get(key, key): _named(spec, keys) for key, spec in kwargs.items()})


def rename_outputs(wrapper: Wrapper, keys: Mapping[str, str]) -> None:
    """Rename output keys: results, callers and structured signature change together."""
    new = [keys.get(key, key) for key in wrapper.outputs]
    order = sorted(range(len(new)), key=lambda place: new[place])
    calls = wrapper.calls
    wrapper.metagraph.resolve_mentions()
    wrapper.function.outputs = [wrapper.function.outputs[place] for place in order]
    for call in calls:
        reorder_outputs(call, order)
    wrapper.outputs = [new[place] for place in order]
    results = wrapper.concrete.output_signature
    assert isinstance(results, dict)
    wrapper.concrete.output_signature = {keys.get(key, key): _named(spec, keys) for key, spec in results.items()}


def _keys(key: str, concrete: ConcreteFunction, function: Graph) -> tuple[list[str], list[str]]:
    _, kwargs = _structure(concrete)
    results = concrete.output_signature
    given = len(function.inputs) - len(concrete.bound_inputs)
    if len(kwargs) != given or not isinstance(results, dict) or len(results) != len(function.outputs):
        raise UnsupportedError(
            f"signature {key!r} has composite (ragged or sparse) inputs or outputs, or is no keyword-only function",
            hint="its keys and tensors cannot be edited",
        )
    return sorted(kwargs, key=parameter_name), sorted(results)


def _structure(concrete: ConcreteFunction) -> tuple[object, dict[str, object]]:
    structure = concrete.input_signature
    if isinstance(structure, tuple) and len(structure) == 2 and isinstance(structure[1], dict):
        return structure[0], structure[1]
    return (), {}


def _named(spec: object, keys: Mapping[str, str]) -> object:
    if isinstance(spec, TensorSpec) and spec.name in keys:
        return TensorSpec(keys[spec.name], spec.shape, spec.dtype, spec.raw)
    return spec


def _reorder_input_shapes(function: Graph, order: list[int]) -> None:
    shapes = function.attrs.get("_input_shapes")
    if isinstance(shapes, list) and len(shapes) == len(function.inputs):
        function.attrs["_input_shapes"] = [shapes[place] for place in order] + shapes[len(order) :]
