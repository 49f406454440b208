"""Make graphsurgeon/bridges/converting/tf2onnx_ops.txt: the ops of TensorFlow that the installed tf2onnx converts.

These are the ops that it has handlers for, and those that its rewriters look for and put others in the place of
(loops of TensorFlow 1, recurrent layers, quantization). Run it with a Python that has tf2onnx.
"""

from __future__ import annotations

import re
from pathlib import Path

from graphsurgeon.ops import catalog

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "graphsurgeon" / "bridges" / "converting" / "tf2onnx_ops.txt"
_PATTERN = re.compile(r"""['"]([A-Z][A-Za-z0-9]+(?:\|[A-Z][A-Za-z0-9]+)*)['"]""")


def main() -> None:
    """Write the file."""
    import tf2onnx.onnx_opset
    import tf2onnx.rewriter
    from tf2onnx.handler import tf_op

    found = {op for versions in tf_op.get_opsets().values() for version in versions for op in version}
    for file in Path(tf2onnx.rewriter.__file__).parent.glob("*.py"):
        found |= {op for match in _PATTERN.finditer(file.read_text("utf-8")) for op in match[1].split("|")}
    lines = sorted(op for op in found if catalog.get(op) is not None)
    TARGET.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
