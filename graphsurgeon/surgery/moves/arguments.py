"""The forms in which people give arguments to operations, made the one that the operation works with.

One name or several, a node or a value in place of its name, pairs as a mapping or as texts `A=B`, a shape as people
write it. What cannot be meant is refused with the argument's name, before the operation looks at the model.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from graphsurgeon.errors import UsageError
from graphsurgeon.model.calls import require_arguments
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.model import require_read_model
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops.coerce import as_dtype
from graphsurgeon.surgery.moves.signatures.signature_keys import signature_key

Form = Callable[[str, Any], Any]
P = ParamSpec("P")
R = TypeVar("R")


def takes(**forms: Form) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let an operation be called with its arguments in any form; `forms` says what each one becomes."""

    def decorate(operation: Callable[P, R]) -> Callable[P, R]:
        positions = operation.__code__.co_varnames[: operation.__code__.co_argcount]

        @functools.wraps(operation)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            require_arguments(operation, args, kwargs)
            require_read_model(operation.__name__, args[0] if args else kwargs.get("model"))
            given = [forms[name](name, item) if name in forms else item for name, item in zip(positions, args)]  # noqa: B905  # fewer may be given
            given += args[len(given) :]
            named = {name: forms[name](name, item) if name in forms else item for name, item in kwargs.items()}
            return operation(*given, **named)  # type: ignore[arg-type]

        return call

    return decorate


def names(argument: str, given: Any) -> list[str] | None:
    """Return a list of names: of one name, node or value, or of several."""
    if given is None:
        return None
    return [_name(argument, item) for item in _several(argument, given)]


def several(argument: str, given: Any) -> list[Any]:
    """Return a list of what was given: of one thing, or of several."""
    if given is None:
        raise UsageError(f"{argument}: one or several are needed, not None")
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping) else [given]


def renamed(argument: str, given: Any) -> dict[str, str] | None:
    """Return tensor -> new name, empty for "its own": of a mapping, or of names, `A` or `A=B`."""
    return _pairs(argument, given, lambda tensor: (tensor, ""))


def called(argument: str, given: Any) -> dict[str, str] | None:
    """Return tensor -> name: of a mapping, or of names; a tensor alone is called by the last part of its name."""
    return _pairs(argument, given, lambda tensor: (tensor, signature_key(tensor.partition(":")[0])))


def keyed(argument: str, given: Any) -> dict[str, str] | None:
    """Return key -> tensor: of a mapping, or of names; a tensor alone has the last part of its name as its key."""
    return _pairs(argument, given, lambda tensor: (signature_key(tensor.partition(":")[0]), tensor))


def pairs(argument: str, given: Any) -> dict[str, str] | None:
    """Return old -> new: of a mapping, or of texts `A=B`."""

    def alone(text: str) -> tuple[str, str]:
        raise UsageError(f"{argument}: {text!r} has no new name", hint='give {"old": "new"}, or "old=new"')

    return _pairs(argument, given, alone)


def connections(argument: str, given: Any) -> list[tuple[str, str]]:
    """Return pairs: of a mapping from a name to one name or several, or of texts `A=B`."""
    if given is None:
        return []
    items: list[Any]
    if isinstance(given, Mapping):
        items = [(old, new) for old, several in given.items() for new in _several(argument, several)]
    else:
        items = list(_several(argument, given))
    found: list[tuple[str, str]] = []
    for item in items:
        if isinstance(item, tuple) and len(item) == 2:
            old, new = (_name(argument, part) for part in item)
        else:
            old, _, new = _name(argument, item).rpartition("=")
        if not old or not new:
            raise UsageError(f"{argument}: {item!r} is not of the form OUT=IN")
        found.append((old, new))
    return list(dict.fromkeys(found))


def by_name(argument: str, given: Any) -> dict[str, Any] | None:
    """Return name -> whatever was given, the names being texts."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise UsageError(f"{argument}: a mapping from names is needed, not {_kind(given)}")
    return {_name(argument, name): item for name, item in given.items()}


def shapes(argument: str, given: Any) -> dict[str, Shape] | None:
    """Return name -> shape: of texts, sequences and shapes."""
    found = by_name(argument, given)
    if found is None:
        return None
    try:
        return {name: Shape.of(shape) for name, shape in found.items()}
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{argument}: {error}", hint='write a shape as "1,224,224,3", or [None, 224, 224, 3]'
        ) from None


def dtypes(argument: str, given: Any) -> dict[str, Any] | None:
    """Return name -> element type, as a name or a DType: those of numpy and TensorFlow are named."""
    found = by_name(argument, given)
    return None if found is None else {name: _dtype(argument, item) for name, item in found.items()}


def _dtype(argument: str, item: Any) -> str | DType:
    if isinstance(item, str | DType):
        return item
    found = as_dtype(item)
    if found is None:
        raise UsageError(f"{argument}: an element type is needed, not {_kind(item)}", hint='such as "float32"')
    return found


def require_read(argument: str, given: Any, *kinds: type) -> None:
    """Refuse what is not one of some kinds of things that are read from files: a path, for example.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(given, kinds):
        hint = "graphsurgeon.read(path) gives it; graphsurgeon.edit takes paths"
        raise UsageError(f"{argument}: what was read is needed, not {_kind(given)}", hint=hint)


def _pairs(argument: str, given: Any, alone: Callable[[str], tuple[str, str]]) -> dict[str, str] | None:
    if given is None:
        return None
    if isinstance(given, Mapping):
        return {_name(argument, old): _name(argument, new) for old, new in given.items()}
    found: dict[str, str] = {}
    for item in _several(argument, given):
        if isinstance(item, tuple) and len(item) == 2:
            old, new = (_name(argument, part) for part in item)
        else:
            text = _name(argument, item)
            left, sign, right = text.rpartition("=")
            old, new = (left, right) if sign and left else alone(text)
        if found.setdefault(old, new) != new:
            raise UsageError(f"{argument}: {old!r} is given twice")
    return found


def _several(argument: str, given: Any) -> Iterable[Any]:
    if isinstance(given, str | bytes | Node | Value):
        return [given]
    if isinstance(given, Iterable) and not isinstance(given, Graph | Mapping):
        return given
    raise UsageError(f"{argument}: one name or several are needed, not {_kind(given)}")


def _name(argument: str, item: Any) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, Node | Value):
        return str(item)
    raise UsageError(f"{argument}: a name, node or value is needed, not {_kind(item)}")


def _kind(item: Any) -> str:
    text = repr(item)
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({type(item).__name__})"
