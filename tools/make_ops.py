"""Write the op catalog: every op that TensorFlow registers, without descriptions, as a compressed `OpList`.

Run it with a Python that has TensorFlow; it rewrites `graphsurgeon/ops/ops.binpb.zlib`.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import tensorflow
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session  # the one door to all of the registry, as in TensorFlow itself

OUTPUT = Path(__file__).parents[1] / "graphsurgeon" / "ops" / "ops.binpb.zlib"


def main() -> None:
    """Collect, strip and write the catalog."""
    registry = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    ops = op_def_pb2.OpList.FromString(registry)
    for op in ops.op:
        strip_op(op)
        assert len(op.name) < 128, op.name  # the reader takes its length for one byte
    OUTPUT.write_bytes(zlib.compress(ops.SerializeToString(deterministic=True), 9))
    print(f"{OUTPUT.name}: {len(ops.op)} ops, {OUTPUT.stat().st_size} bytes, TensorFlow {tensorflow.__version__}")


def strip_op(op: op_def_pb2.OpDef) -> None:
    """Drop what is for people, and full types, which only TensorFlow's own type inference uses."""
    for field in ("summary", "description"):
        op.ClearField(field)
    op.deprecation.ClearField("explanation")
    if not op.deprecation.version:
        op.ClearField("deprecation")
    for arg in (*op.input_arg, *op.output_arg):
        arg.ClearField("description")
        arg.ClearField("experimental_full_type")
    for attr in op.attr:
        attr.ClearField("description")


if __name__ == "__main__":
    main()
