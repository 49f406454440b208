"""Names that people know from elsewhere, and what they are called here: of onnx-graphsurgeon, TensorFlow and ONNX."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from graphsurgeon.errors import UsageError

_ADD, _GONE = "graph.add_node(op, name, inputs)", "graph.remove_nodes(...)"
_WRITE, _COPY = "graphsurgeon.write(model, path)", "graphsurgeon.read(path) once more"
_NODE, _VALUE = "graph.node(name)", 'graph.value("node:0")'
_SHAPES = "graphsurgeon.infer_shapes(model), its .dtype(value) and .shape(value)"
_SIGNATURES = "model.metagraphs[0].signatures; of a bare graph graphsurgeon.summarize(model) tells the likely ones"
_CONSTANT = 'node.attrs["value"] of a Const, its .numpy()'

# Class -> name that is asked for -> what to write.
_SPELLINGS = {
    "Graph": {
        **dict.fromkeys(("layer", "add", "append", "insert", "make_node", "create_node", "create_op", "add_op"), _ADD),
        **dict.fromkeys(("remove", "remove_node", "delete", "delete_node", "del_node"), _GONE),
        **dict.fromkeys(("get_node", "find_node", "node_by_name", "get_operation_by_name", "get_node_by_name"), _NODE),
        **dict.fromkeys(("get_tensor_by_name", "get_tensor", "tensor", "get_value"), _VALUE),
        **dict.fromkeys(("get_operations", "node_list", "ops", "operations"), "graph.nodes"),
        **dict.fromkeys(("save", "write", "export", "SerializeToString"), _WRITE),
        **dict.fromkeys(("copy", "clone_graph"), _COPY),
        "tensors": "[value for node in graph for value in node.outputs]",
        "cleanup": "graphsurgeon.surgery.strip(model)",
        "toposort": "graphsurgeon.write, which needs no order",
        "fold_constants": "graphsurgeon.surgery.optimize(model)",
        "find": "graphsurgeon.find(model, name=..., op=..., shape=...)",
        "as_graph_def": _WRITE,
        "functions": "model.metagraphs[0].functions",
        "library": "model.metagraphs[0].functions",
        "signatures": _SIGNATURES,
        "variables": "model.checkpoint.variables",
    },
    "Model": {
        **dict.fromkeys(("inputs", "outputs", "signatures", "signature_def"), _SIGNATURES),
        **dict.fromkeys(("nodes", "node", "value", "values", "add_node", "remove_nodes"), "model.graph.NAME"),
        **dict.fromkeys(("save", "write", "export"), _WRITE),
        **dict.fromkeys(("copy", "clone"), _COPY),
        "functions": "model.metagraphs[0].functions",
        "tags": "model.metagraphs[0].tags",
        "variables": "model.checkpoint.variables",
        "weights": "model.checkpoint.variables",
        "summary": "graphsurgeon.summarize(model)",
        "graph_def": "model.graph",
        **{name: f"graphsurgeon.{name}(model)" for name in ("check", "find", "summarize", "infer_shapes")},
        "diff": "graphsurgeon.diff(model, other)",
        "scan": "graphsurgeon.scan(path)",
    },
    "Node": {
        "i": "node.inputs[0].producer",
        "o": "node.consumers[0]",
        **dict.fromkeys(("attr", "attributes", "get_attr", "attrib"), "node.attrs"),
        **dict.fromkeys(("delete", "remove"), "graph.remove_nodes(node)"),
        **dict.fromkeys(("dtype", "shape"), _SHAPES),
        **dict.fromkeys(("value", "values", "tensor", "numpy"), _CONSTANT),
        "input": "node.inputs",
        "type": "node.op",
        "control_inputs": "node.controls",
        "users": "node.consumers",
    },
    "Value": {
        "inputs": "value.producer",
        "outputs": "value.consumers",
        "op": "value.producer",
        "node": "value.producer",
        "users": "value.consumers",
        **dict.fromkeys(("values", "numpy", "value"), "value.tensor (TFLite), or " + _CONSTANT),
    },
    "graphsurgeon": {
        **dict.fromkeys(("load", "open", "import_graph", "import_onnx", "load_model"), "graphsurgeon.read"),
        **dict.fromkeys(("save", "export", "export_onnx", "dump", "save_model"), "graphsurgeon.write"),
        **dict.fromkeys(("Graph", "Model", "new_graph"), "graphsurgeon.new_model()"),
        "Node": "model.graph.add_node(op, name, inputs)",
        "Variable": "model.graph.add_node('Placeholder', name, attrs={'dtype': ..., 'shape': ...})",
        "Constant": "model.graph.add_node('Const', name, attrs={'value': array})",
        "render": "graphsurgeon.render.render, and a graph in a notebook",
        "run": "graphsurgeon.bridges.run.run",
        "verify": "graphsurgeon.bridges.verify.verify",
    },
    "graphsurgeon.surgery": {
        **dict.fromkeys(("remove_nodes", "remove_node", "delete", "remove"), "model.graph.remove_nodes(...)"),
        **dict.fromkeys(("add_node", "insert"), "model.graph." + _ADD.removeprefix("graph.")),
        "metadata": "graphsurgeon.surgery.set_metadata",
        "set_value": "graphsurgeon.surgery.set_weights",
        "check": "graphsurgeon.check",
        "find": "graphsurgeon.find",
        "diff": "graphsurgeon.diff",
    },
}


class UnknownNameError(UsageError, AttributeError):
    """An object has no attribute of a name; the message tells what it is called here."""

    def __init__(self, holder: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"{holder} has no attribute {name!r}")
        self._asked, self._holder, self._known = name, holder, known

    def __str__(self) -> str:
        """Look for what was meant only now: most such errors are questions of `hasattr`."""
        if self._holder.endswith("Attrs"):
            return f"{self.message}; attrs[{self._asked!r}] is how attributes of a node are read"
        told = _SPELLINGS.get(self._holder, {}).get(self._asked, "").replace("NAME", self._asked)
        return f"{self.message}; {told or _near(self._asked, self._known)}"


def _near(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    public = [each for each in known if not each.startswith("_")]
    near = get_close_matches(name, public, 3)
    return f"did you mean {' or '.join(near)}?" if near else f"there is {', '.join(public)}"


class Answering:
    """An object whose unknown attributes are answered with what is meant."""

    __slots__ = ()

    if not TYPE_CHECKING:  # for a type checker every attribute would be there

        def __getattr__(self, name: str) -> object:
            """Refuse: it is asked for nothing that there is."""
            raise UnknownNameError(type(self).__name__, name, dir(type(self)))
