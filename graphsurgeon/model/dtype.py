"""Element types: one object per TensorFlow `DataType`, types of other frameworks mapped onto the same objects.

Numbers and names are those of `tensorflow/core/framework/types.proto`; types that TensorFlow does not have are
numbered from 1001. A reference type (what a `VariableV2` yields) is its base type's number plus 100.
"""

from __future__ import annotations

REF_OFFSET = 100
FIRST_FOREIGN = 1001  # number of the first type that TensorFlow does not have


class DType:
    """An element type. Instances are singletons: compare with `is` or `==`.

    Attributes:
        name: TensorFlow's name, such as `float32` or `float32_ref`.
        number: the value of TensorFlow's `DataType` enum.
        bits: size of one element in bits; 0 for types without a fixed size (string, resource, variant).
    """

    __slots__ = ("bits", "name", "number")

    def __init__(self, number: int, name: str, bits: int) -> None:
        self.number = number
        self.name = name
        self.bits = bits

    @property
    def itemsize(self) -> int:
        """Bytes of one element in memory: 0 if not fixed, 1 for types smaller than a byte (stored one per byte)."""
        return (self.bits + 7) // 8

    @property
    def is_ref(self) -> bool:
        """Say whether this is a reference type."""
        return self.name.endswith("_ref")

    @property
    def base(self) -> DType:
        """The value type behind a reference type; itself otherwise."""
        return _BY_NUMBER[self.number - REF_OFFSET] if self.is_ref else self

    @property
    def ref(self) -> DType:
        """The reference type over this type; itself if it is one."""
        return self if self.is_ref else DType.of(self.number + REF_OFFSET)

    @property
    def is_floating(self) -> bool:
        """Say whether elements are real floating-point numbers."""
        return self.base.name.startswith(("float", "bfloat"))

    @property
    def is_complex(self) -> bool:
        """Say whether elements are complex numbers."""
        return self.base.name.startswith("complex")

    @property
    def is_integer(self) -> bool:
        """Say whether elements are integers (quantized types do not count)."""
        return self.base.name.startswith(("int", "uint"))

    @property
    def is_small_integer(self) -> bool:
        """Say whether elements are integers of less than a byte: its low bits, whatever the others hold."""
        return self.is_integer and self.bits < 8

    @property
    def is_quantized(self) -> bool:
        """Say whether this is one of the `qint*`/`quint*` types."""
        return self.base.name.startswith(("qint", "quint"))

    @staticmethod
    def of(number: int) -> DType:
        """Return the type with a `DataType` number; an unknown number gives a type named `dtype_N` without size."""
        found = _BY_NUMBER.get(number)
        if found is None:
            base = _BY_NUMBER.get(number - REF_OFFSET)
            name = f"{base.name}_ref" if base else f"dtype_{number}"
            found = _BY_NUMBER.setdefault(number, DType(number, name, base.bits if base else 0))
        return found

    @staticmethod
    def named(name: str) -> DType:
        """Return the type with a name (`float32`, also `float`, `DT_FLOAT`, `half`, `double`).

        Raises:
            KeyError: no type has that name.
        """
        key = name.strip().lower().removeprefix("tf.").removeprefix("dt_")
        return _BY_NAME[_ALIASES.get(key, key)]

    def __repr__(self) -> str:
        return self.name

    def __copy__(self) -> DType:
        return self

    def __deepcopy__(self, memo: object) -> DType:
        return self

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return (DType.of, (self.number,))


_TABLE = (
    (1, "float32", 32), (2, "float64", 64), (3, "int32", 32), (4, "uint8", 8), (5, "int16", 16),
    (6, "int8", 8), (7, "string", 0), (8, "complex64", 64), (9, "int64", 64), (10, "bool", 8),
    (11, "qint8", 8), (12, "quint8", 8), (13, "qint32", 32), (14, "bfloat16", 16), (15, "qint16", 16),
    (16, "quint16", 16), (17, "uint16", 16), (18, "complex128", 128), (19, "float16", 16),
    (20, "resource", 0), (21, "variant", 0), (22, "uint32", 32), (23, "uint64", 64),
    (24, "float8_e5m2", 8), (25, "float8_e4m3fn", 8), (26, "float8_e4m3fnuz", 8),
    (27, "float8_e4m3b11fnuz", 8), (28, "float8_e5m2fnuz", 8), (29, "int4", 4), (30, "uint4", 4),
    (31, "int2", 2), (32, "uint2", 2), (33, "float4_e2m1fn", 4),
    (1001, "float8_e8m0fnu", 8), (1002, "float6_e2m3fn", 6), (1003, "float6_e3m2fn", 6),
    (1010, "sequence", 0), (1011, "map", 0), (1012, "optional", 0), (1013, "opaque", 0),
)  # fmt: skip
_BY_NUMBER = {number: DType(number, name, bits) for number, name, bits in _TABLE}
_BY_NAME = {dtype.name: dtype for dtype in _BY_NUMBER.values()}
_BY_NAME.update({f"{dtype.name}_ref": dtype.ref for dtype in list(_BY_NUMBER.values())})
_ALIASES = {"float": "float32", "double": "float64", "half": "float16", "str": "string", "int": "int32"}

DTYPE_NAMES = tuple(_BY_NAME)
FLOAT32 = _BY_NUMBER[1]
FLOAT64 = _BY_NUMBER[2]
INT32 = _BY_NUMBER[3]
UINT8 = _BY_NUMBER[4]
INT8 = _BY_NUMBER[6]
STRING = _BY_NUMBER[7]
INT64 = _BY_NUMBER[9]
BOOL = _BY_NUMBER[10]
BFLOAT16 = _BY_NUMBER[14]
FLOAT16 = _BY_NUMBER[19]
RESOURCE = _BY_NUMBER[20]
VARIANT = _BY_NUMBER[21]
