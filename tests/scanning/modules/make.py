"""Make the modules in this folder; needs jaxlib (0.10 made them). They call `Sharding`, which is known, and another."""

from __future__ import annotations

from pathlib import Path

from jaxlib.mlir import ir
from jaxlib.mlir._mlir_libs import _jax_mlir_ext
from jaxlib.mlir.dialects import stablehlo

CALLS = """%1 = stablehlo.custom_call @Sharding(%arg0) : (tensor<4xf32>) -> tensor<4xf32>
    %0 = stablehlo.custom_call @evil_target(%1) {api_version = 2 : i32} : (tensor<4xf32>) -> tensor<4xf32>"""
NONE = "%0 = stablehlo.add %arg0, %arg0 : tensor<4xf32>"
MODULE = """module @jit_f {{
  func.func public @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {{
    {}
    return %0 : tensor<4xf32>
  }}
}}"""


def main() -> None:
    """Write them."""
    folder = Path(__file__).parent
    registry = ir.DialectRegistry()
    _jax_mlir_ext.register_dialects(registry)
    context = ir.Context()
    context.append_dialect_registry(registry)
    context.load_all_available_dialects()
    stablehlo.register_dialect(context)
    with context:
        both, none = (ir.Module.parse(MODULE.format(body)) for body in (CALLS, NONE))
        (folder / "both.mlir").write_text(str(both))
        for version in ("0.9.0", "0.14.0", "1.13.0"):
            (folder / f"both.{version}.mlirbc").write_bytes(stablehlo.serialize_portable_artifact(both, version))
        (folder / "none.1.13.0.mlirbc").write_bytes(stablehlo.serialize_portable_artifact(none, "1.13.0"))
        for version in (3, 6):
            with open(folder / f"both.stablehlo{version}.mlirbc", "wb") as file:
                both.operation.write_bytecode(file, version)


if __name__ == "__main__":
    main()
