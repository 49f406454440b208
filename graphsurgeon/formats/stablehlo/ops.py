"""The ops of a StableHLO module with their operands, results, attributes and regions."""

from __future__ import annotations

from functools import cache
from typing import Any

from graphsurgeon.errors import FormatError
from graphsurgeon.formats import schema
from graphsurgeon.formats.stablehlo.attributes import Attributes, Named
from graphsurgeon.formats.stablehlo.bytecode import IR, Bytecode, Cursor, read_section

_DICTIONARY, _RESULTS, _OPERANDS, _SUCCESSORS, _REGIONS, _ORDERS, _PROPERTIES = (1 << bit for bit in range(7))
_WITH_LAZY_REGIONS, _WITH_BLOCK_ORDERS, _WITH_ABSENT_LOCATIONS = 2, 3, 4  # versions of the bytecode
# Layouts of ops outside VHLO, newest first: those of the ops' classes in C++, of which three are needed.
_PLAIN: dict[str, list[list[str]]] = {
    "func.func": [
        ["arg_attrs?", "function_type", "no_inline?", "res_attrs?", "sym_name", "sym_visibility?"],
        ["arg_attrs?", "function_type", "res_attrs?", "sym_name", "sym_visibility?"],
    ],
    "func.call": [["arg_attrs?", "callee", "no_inline?", "res_attrs?"], ["callee", "no_inline?"], ["callee"]],
    "stablehlo.constant": [["value"]],
}
_MOST_DEPTH = 100  # of regions in regions; legal artifacts in use have four


class ModuleValue:
    """A result of an op, or an argument of a block.

    Attributes:
        producer: the op; None for an argument.
        number: which result, or which argument.
        type: None until it is defined.
    """

    __slots__ = ("number", "producer", "type")

    def __init__(self) -> None:
        self.producer: ModuleOperation | None = None
        self.number = 0
        self.type: Any = None


class ModuleOperation:
    """One op.

    Attributes:
        name: as stored: `vhlo.add_v1`.
        label: what the program that was exported calls the place, such as the name of a layer; empty if unknown.
    """

    __slots__ = ("attributes", "label", "name", "operands", "regions", "results")

    def __init__(self, name: str) -> None:
        self.name = name
        self.label = ""
        self.attributes: dict[str, Any] = {}
        self.operands: list[ModuleValue] = []
        self.results: list[ModuleValue] = []
        self.regions: list[list[Block]] = []


class Block:
    """A list of ops, with arguments."""

    __slots__ = ("arguments", "operations")

    def __init__(self) -> None:
        self.arguments: list[ModuleValue] = []
        self.operations: list[ModuleOperation] = []


class Module:
    """What the bytes of a module hold.

    Attributes:
        bytecode: its container.
        attributes: decodes attributes and types.
        top: the ops at the top: one `builtin.module`.
    """

    def __init__(self, data: bytes) -> None:
        self.bytecode = Bytecode(data)
        self.attributes = Attributes(self.bytecode)
        self.top = _Reader(self.bytecode, self.attributes).read()

    @property
    def data(self) -> bytes:
        """The bytes, to which places of constants refer."""
        return self.bytecode.data


@cache
def _table() -> tuple[dict[str, list[str]], dict[str, tuple[int, ...]]]:
    properties: dict[str, list[str]] = {}
    first: dict[str, tuple[int, ...]] = {}
    for line in schema.vhlo_table().split("\n"):
        head, colon, tail = line.partition(": ")
        if colon and not line.startswith("#"):
            properties |= {name: tail.split() for name in head.split()}
        elif line[:1].isdigit():
            version, *names = line.split()
            first |= {name: tuple(map(int, version.split("."))) for name in names}
    return properties, first


def first_version(name: str) -> tuple[int, ...]:
    """Return the version of VHLO in which an op (`add_v1`) appeared."""
    return _table()[1].get(name, (0, 9, 0))


def layouts_of(name: str) -> dict[int, list[str]]:
    """Return the names of an op's own attributes (`custom_call`), in stored order, by how many they are.

    Each version of the op has more of them than the one before.
    """
    versions = (names for op, names in _table()[0].items() if op.startswith(f"{name}_v"))
    return {len(names): names for names in versions}


class _Reader:
    """Reads the section of ops."""

    def __init__(self, bytecode: Bytecode, attributes: Attributes) -> None:
        self.bytecode = bytecode
        self.attributes = attributes
        self.version = bytecode.version
        self.depth = 0

    def read(self) -> list[ModuleOperation]:
        cursor = self.bytecode.section(IR)
        return self._block(cursor, [[]], [0]).operations

    def _block(self, cursor: Cursor, scope: list[list[ModuleValue | None]], next_: list[int]) -> Block:
        header = cursor.varint()
        block = Block()
        if header & 1:
            self._arguments(cursor, block, scope[-1], next_)
        count = header >> 1
        if count > cursor.left:
            raise FormatError(f"{count} ops are announced at byte {cursor.offset}, where {cursor.left} bytes are left")
        for _ in range(count):
            block.operations.append(self._operation(cursor, scope, next_))
        return block

    def _arguments(self, cursor: Cursor, block: Block, values: list[ModuleValue | None], next_: list[int]) -> None:
        for number in range(cursor.count()):
            head = cursor.varint()
            is_marked = self.version >= _WITH_ABSENT_LOCATIONS
            if not is_marked or head & 1:
                cursor.varint()
            value = _define(values, next_)
            value.number, value.type = number, self.attributes.type(head >> 1 if is_marked else head)
            block.arguments.append(value)
        if self.version >= _WITH_BLOCK_ORDERS and cursor.byte():
            self._skip_orders(cursor, several=len(block.arguments) > 1)

    def _operation(self, cursor: Cursor, scope: list[list[ModuleValue | None]], next_: list[int]) -> ModuleOperation:
        number = cursor.varint()
        if number >= len(self.bytecode.ops):
            raise FormatError(f"op {number} of {len(self.bytecode.ops)}")
        name, is_known = self.bytecode.ops[number]
        operation = ModuleOperation(name)
        mask = cursor.byte()
        operation.label = self._label(cursor.varint())
        self._own(operation, cursor, mask, is_known=is_known)
        if mask & _RESULTS:
            for place in range(cursor.count()):
                value = _define(scope[-1], next_)
                value.producer, value.number = operation, place
                value.type = self.attributes.type(cursor.varint())
                operation.results.append(value)
        if mask & _OPERANDS:
            operation.operands = [_used(scope[-1], cursor.varint()) for _ in range(cursor.count())]
        if mask & _SUCCESSORS:
            for _ in range(cursor.count()):
                cursor.varint()
        if mask & _ORDERS:
            self._skip_orders(cursor, several=len(operation.results) > 1)
        if mask & _REGIONS:
            self._regions(operation, cursor, scope)
        return operation

    def _own(self, operation: ModuleOperation, cursor: Cursor, mask: int, *, is_known: bool) -> None:
        if mask & _DICTIONARY:
            found = self.attributes.attribute(cursor.varint())
            operation.attributes |= found if isinstance(found, dict) else {}
        if mask & _PROPERTIES:
            self._properties(operation, cursor.varint(), is_known=is_known)

    def _label(self, index: int) -> str:
        location = self.attributes.attribute(index)
        return location.name if isinstance(location, Named) else ""

    def _properties(self, operation: ModuleOperation, index: int, *, is_known: bool) -> None:
        """Read an op's own attributes: in alphabetical order of their names, which only the table has."""
        if not is_known:
            found = self.attributes.attribute(index)
            operation.attributes |= found if isinstance(found, dict) else {}
            return
        if index >= len(self.bytecode.properties):
            raise FormatError(f"properties {index} of {len(self.bytecode.properties)}")
        start, end = self.bytecode.properties[index]
        dialect, _, name = operation.name.partition(".")
        layouts = [_table()[0].get(name, [])] if dialect == "vhlo" else _PLAIN.get(operation.name, [])
        for names in layouts:
            found = self._by_layout(Cursor(self.bytecode.data, start, end), names)
            if found is not None:
                operation.attributes |= found
                return

    def _by_layout(self, cursor: Cursor, names: list[str]) -> dict[str, Any] | None:
        """Read attributes in the order of their names; None if the bytes are not used up, so the names are others'.

        A `?` behind a name: it may be missing, which a bit says.
        """
        found: dict[str, Any] = {}
        for name in names:
            if not cursor.left:
                return None
            number = cursor.varint()
            if not name.endswith("?"):
                found[name] = self.attributes.attribute(number)
            elif number & 1:
                found[name[:-1]] = self.attributes.attribute(number >> 1)
        return None if cursor.left else found

    def _regions(self, operation: ModuleOperation, cursor: Cursor, scope: list[list[ModuleValue | None]]) -> None:
        header = cursor.varint()
        count, is_isolated = header >> 1, header & 1
        if count > cursor.left or self.depth > _MOST_DEPTH:
            raise FormatError(f"{count} regions at byte {cursor.offset}, in {self.depth} others")
        if is_isolated and self.version >= _WITH_LAZY_REGIONS:
            _, cursor = read_section(cursor)
        self.depth += 1
        for _ in range(count):
            operation.regions.append(self._region(cursor, [*scope, []] if is_isolated else scope))
        self.depth -= 1

    def _region(self, cursor: Cursor, scope: list[list[ModuleValue | None]]) -> list[Block]:
        blocks = cursor.count()
        if not blocks:
            return []
        values = scope[-1]
        reserved = cursor.count()
        first = [len(values)]
        values.extend([None] * reserved)
        found = [self._block(cursor, scope, first) for _ in range(blocks)]
        del values[len(values) - reserved :]
        return found

    def _skip_orders(self, cursor: Cursor, *, several: bool) -> None:
        """Step over the order in which uses of values are to be listed."""
        for _ in range(cursor.count() if several else 1):
            if several:
                cursor.varint()
            for _ in range(cursor.varint() >> 1):
                cursor.varint()


def _define(values: list[ModuleValue | None], next_: list[int]) -> ModuleValue:
    place = next_[0]
    if place >= len(values):
        raise FormatError(f"value {place} of {len(values)} is defined")
    next_[0] += 1
    found = values[place]
    if found is None:
        found = values[place] = ModuleValue()
    return found


def _used(values: list[ModuleValue | None], place: int) -> ModuleValue:
    """Return the value of a number, which may be defined later."""
    if place >= len(values):
        raise FormatError(f"value {place} of {len(values)} is used")
    found = values[place]
    if found is None:
        found = values[place] = ModuleValue()
    return found
