"""MXNet's symbols into ONNX: a function per operator, by family.

Source: MXNet 1.9.1, `src/operator/` (the parameters of each operator and their defaults); mxnet 1.9.1 gave the numbers
of the tests.
"""

from __future__ import annotations

from graphsurgeon.lowering.to_onnx.layers import LayerTable

TABLE = LayerTable(__name__)
