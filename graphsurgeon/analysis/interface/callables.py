"""What `tf.saved_model.load` gives to be called: functions of the object graph, with their arguments.

`saved_model_cli show --all` lists the same under "Concrete Functions", "Callable with".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.objects import CompositeSpec, TensorSpec
from graphsurgeon.model.shape import Shape

_CALLED = ("function", "bare_concrete_function")
_PLAIN = (bool, int, float, str, DType, Shape, type(None))


class CallArgument(NamedTuple):
    """An argument, or one tensor of an argument that holds several.

    Attributes:
        name: as the function spells it, `#1` where nothing does; `#1['pair'][0]` inside another.
        dtype, shape: of a tensor; None for anything else.
        value: of what is no tensor, as text; empty for a tensor, `...` where it has no plain form.
    """

    name: str
    dtype: DType | None = None
    shape: Shape | None = None
    value: str = ""


class CallableForm(NamedTuple):
    """One way to call an attribute of the loaded object.

    Attributes:
        name: of the attribute.
        function: the concrete function behind it.
        arguments: positional ones, then keywords; None where the file does not tell them.
    """

    name: str
    function: str
    arguments: Sequence[CallArgument] | None


def callable_forms(metagraph: MetaGraph) -> list[CallableForm]:
    """Return every way to call the functions that the loaded object has, in file order; none without object graph."""
    objects = metagraph.objects
    if objects is None:
        return []
    known = {entry.function: entry for entry in objects.concrete_functions}
    return [
        CallableForm(
            name,
            function if isinstance(function, str) else function.name,
            _arguments(known[function].input_signature) if function in known else None,
        )
        for name, child in objects.root.children
        if child.kind in _CALLED
        for function in child.functions
    ]


def _arguments(structure: object) -> list[CallArgument] | None:
    if not isinstance(structure, tuple) or len(structure) != 2:
        return None
    positional, keywords = structure
    if not isinstance(positional, (tuple, list)) or not isinstance(keywords, Mapping):
        return None
    found = [one for number, item in enumerate(positional, 1) for one in _flat(f"#{number}", item)]
    return [*found, *(one for key, item in keywords.items() for one in _flat(str(key), item))]


def _flat(name: str, item: object, *, inner: bool = False) -> Iterator[CallArgument]:
    if isinstance(item, TensorSpec):
        yield CallArgument(name if inner else item.name or name, item.dtype, item.shape)
    elif isinstance(item, CompositeSpec):
        yield CallArgument(name, value=f"{item.kind} {item.dtype} {item.shape}")
    elif isinstance(item, (tuple, list)):
        for number, part in enumerate(item):
            yield from _flat(f"{name}[{number}]", part, inner=True)
    elif isinstance(item, Mapping):
        for key, part in item.items():
            yield from _flat(f"{name}[{key!r}]", part, inner=True)
    else:
        yield CallArgument(name, value=repr(item) if isinstance(item, _PLAIN) else "...")
