"""Write the TFLite schema as a table of tables: `graphsurgeon/formats/schema/tflite.txt`.

Run it with a Python that has `ai-edge-litert` and TensorFlow. Their generated `schema_py_generated.py` tell
ids, types and defaults; what generated Python has lost (which enum a byte stands for, alignment, fields
declared deprecated, what an index points into) is stated below, from the comments in LiteRT's `schema.fbs`.

A line is `enum NAME MEMBER=NUMBER ...`, `union NAME TABLE=NUMBER ...`, `operator BUILTIN OPTIONS`, or
`table NAME FIELD ...`. A field is `name:type`, then `:enum`, `=default`, `@alignment` and `>target of the index`,
where they apply; ids count from 0, a union takes two, `-` skips one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

OUTPUT = Path(__file__).parents[1] / "graphsurgeon" / "formats" / "schema" / "tflite.txt"
SCHEMAS = (
    "ai_edge_litert.schema_py_generated",
    # The metadata entry that says which TensorFlow converted the model.
    "tensorflow.lite.python.conversion_metadata_schema_py_generated",
)

NAMES = {"builtin_options2": "builtin_options_2"}

ENUMS = {
    "combiner": "CombinerType",
    "comparison_direction": "StablehloComparisonDirection",
    "compare_type": "StablehloComparisonType",
    "algorithm": "RngAlgorithm",
    "composite_attributes_format": "CustomOptionsFormat",
    "custom_options_format": "CustomOptionsFormat",
    "fused_activation_function": "ActivationFunctionType",
    "format": "DimensionType",
    "kernel_type": "LSTMKernelType",
    "mode": "MirrorPadMode",
    "padding": "Padding",
    "model_type": "ModelType",
    "precision_config": "StablehloPrecisionConfig",
    "reduce_function": "ReduceWindowFunction",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
    "builtin_code": "BuiltinOperator",
    "idx_out_type": "TensorType",
    "in_data_type": "TensorType",
    "key_dtype": "TensorType",
    "out_data_type": "TensorType",
    "out_type": "TensorType",
    "output_type": "TensorType",
    "quantized_bias_type": "TensorType",
    "value_dtype": "TensorType",
    "LSHProjectionOptions.type": "LSHProjectionType",
    "Tensor.type": "TensorType",
    "VariantSubType.type": "TensorType",
}

ALIGNMENT = {
    "Buffer.data": 16,
    "CustomQuantization.custom": 16,
    "Uint16Vector.values": 4,
    "Uint8Vector.values": 4,
}

DEPRECATED = {
    "ResizeBilinearOptions": {0: "new_height:int32", 1: "new_width:int32"},
    "SignatureDef": {3: "deprecated_tag:string"},
}

TARGETS = {
    "BlockwiseQuantization.scales": "Tensor",
    "BlockwiseQuantization.zero_points": "Tensor",
    "CallOptions.subgraph": "SubGraph",
    "Metadata.buffer": "Buffer",
    "Model.metadata_buffer": "Buffer",
    "MultiAxisQuantization.scales": "Tensor",
    "MultiAxisQuantization.zero_points": "Tensor",
    "Operator.inputs": "Tensor",
    "Operator.intermediates": "Tensor",
    "Operator.opcode_index": "OperatorCode",
    "Operator.outputs": "Tensor",
    "SignatureDef.subgraph_index": "SubGraph",
    "StablehloCustomCallOptions.called_computations": "SubGraph",
    "SubGraph.inputs": "Tensor",
    "SubGraph.outputs": "Tensor",
    "Tensor.buffer": "Buffer",
    "TensorMap.tensor_index": "Tensor",
}

# Schema versions 1 and 2 kept a tensor's data in the tensor itself.
OLD_TABLES = (
    "table OldTensor shape:[int32] type:int8:TensorType data_buffer:[uint8]@16 name:string"
    " quantization:QuantizationParameters",
    "table OldSubGraph tensors:[OldTensor] inputs:[int32]>Tensor outputs:[int32]>Tensor operators:[Operator]"
    " name:string",
    "table OldModel version:uint32 operator_codes:[OperatorCode] subgraphs:[OldSubGraph] description:string",
)

# The options of an operator are named after it, but for these.
OPTIONS = {
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONV_3D_TRANSPOSE": "Conv3DOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "L2_POOL_2D": "Pool2DOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "MULTINOMIAL": "RandomOptions",
    "RANDOM_STANDARD_NORMAL": "RandomOptions",
    "RANDOM_UNIFORM": "RandomOptions",
    "REDUCE_ALL": "ReducerOptions",
    "REDUCE_ANY": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions",
    "SUM": "ReducerOptions",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNNOptions",
}


def main() -> None:
    """Translate the generated modules and write the table."""
    lines = [f"# Made by tools/make_tflite_schema.py from ai-edge-litert {version('ai-edge-litert')}; do not edit."]
    for module in SCHEMAS:
        classes = dict(generated_classes(module))
        unions = {name for name in classes if f"def {name}Creator(" in source(module)}
        lines += [enum_line(name, body, name in unions) for name, body in classes.items() if is_enum(body)]
        lines += [table_line(name, body) for name, body in classes.items() if not is_enum(body)]
    lines += OLD_TABLES
    lines += operator_lines(lines)
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{OUTPUT.name}: {len(lines)} lines, {OUTPUT.stat().st_size} bytes")


def source(module: str) -> str:
    """Read a module's source without importing it: both packages are heavy."""
    package, _, name = module.rpartition(".")
    top = find_spec(package.partition(".")[0])
    if top is None or top.origin is None:
        raise SystemExit(f"{package} is not installed")
    return Path(top.origin).parent.joinpath(*package.split(".")[1:], f"{name}.py").read_text(encoding="utf-8")


def generated_classes(module: str) -> Iterator[tuple[str, str]]:
    """Yield every enum, union and table, with its accessors, builder functions and object class."""
    text = source(module)
    for match in re.finditer(r"^class (\w+)\(object\):\n(.*?)(?=^class (?!\1T\()|\Z)", text, re.M | re.S):
        yield match[1], match[2]


def is_enum(body: str) -> bool:
    """Tell enums and unions, which hold nothing but numbers."""
    return "__slots__" not in body.partition("\nclass ")[0]


def enum_line(name: str, body: str, is_union: bool) -> str:
    """Format an enum or a union."""
    members = re.findall(r"^    (\w+) = (-?\d+)$", body, re.M)
    if is_union:
        return f"union {name} " + " ".join(f"{member}={number}" for member, number in members if number != "0")
    return f"enum {name} " + " ".join(f"{member}={number}" for member, number in members)


def table_line(name: str, body: str) -> str:
    """Format a table, its fields in the order of their ids."""
    fields = {**DEPRECATED.get(name, {})}
    adders = re.findall(
        r"^def \w+?Add(\w+)\(builder, \w+\):\n    builder\.Prepend(\w+)Slot\((\d+), .*, (\S+)\)$", body, re.M
    )
    for accessor, kind, number, default in adders:
        fields[int(number)] = field_text(name, accessor, kind, default, body)
    found = [fields.get(number, "-") for number in range(max(fields, default=-1) + 1)]
    unions = {text.partition(":")[0] for text in found if text.endswith("Union")}
    kept = [text for text in found if text.partition(":")[0].removesuffix("_type") not in unions or "Union" in text]
    return " ".join(["table", name, *(text.removesuffix("Union") for text in kept)])


def field_text(table: str, accessor: str, kind: str, default: str, body: str) -> str:
    """Format one field."""
    name = field_name(accessor)
    scalar = element_type(table, accessor, body) if kind == "UOffsetTRelative" else kind.lower()
    enum = ENUMS.get(f"{table}.{name}") or ENUMS.get(name)
    text = f"{name}:{scalar}"
    if enum and scalar in ("int8", "int32", "uint32", "[uint32]"):
        text += f":{enum}"
    if default not in ("0", "0.0", "False"):
        text += f"={default}"
    if f"{table}.{name}" in ALIGNMENT:
        text += f"@{ALIGNMENT[f'{table}.{name}']}"
    target = TARGETS.get(f"{table}.{name}") or ("SubGraph" if re.search(r"_subgraph_ind", name) else "")
    return text + (f">{target}" if target else "")


def field_name(accessor: str) -> str:
    """Return the schema's spelling of a field: `BuiltinOptions2Type` is `builtin_options_2_type`."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", accessor).lower()
    base = name.removesuffix("_type")
    return name.replace(base, NAMES.get(base, base))


def element_type(table: str, accessor: str, body: str) -> str:
    """Return the type behind an offset, from what the accessor does with it."""
    found = re.search(rf"^    def {accessor}\(self.*?(?=^    # {table}$|^def )", body, re.M | re.S)
    assert found is not None, (table, accessor)
    code = found[0]
    if "_tab.Union(" in code:
        creator = re.search(r"= (\w+)Creator\(self\.\w+, \w+\." + accessor + r"\(\)\)", body)
        assert creator is not None, (table, accessor)
        return creator[1] + "Union"
    scalar = re.search(r"number_types\.(\w+?)Flags, a \+", code)
    made = re.search(r"obj = (\w+)\(\)", code)
    inner = scalar[1].lower() if scalar else made[1] if made else "string"
    return f"[{inner}]" if ", j)" in code.splitlines()[0] else inner


def operator_lines(lines: list[str]) -> Iterator[str]:
    """Yield the options table of each builtin operator that has one."""
    operators = next(line for line in lines if line.startswith("enum BuiltinOperator "))
    tables = {line.split()[1] for line in lines if line.startswith("table ")}
    spelled = {name.removesuffix("Options").lower(): name for name in tables if name.endswith("Options")}
    for member in operators.split()[2:]:
        name = member.partition("=")[0]
        options = OPTIONS.get(name) or spelled.get(name.replace("_", "").lower())
        if options:
            yield f"operator {name} {options}"


if __name__ == "__main__":
    main()
