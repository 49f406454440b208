"""Caffe's layers into ONNX: a function per type of layer, by family.

Source: BVLC Caffe 1.0, `caffe.proto` (settings and their defaults) and `src/caffe/layers/`; layers of SSD from its
fork. OpenCV's DNN module gave the numbers of the tests.
"""

from __future__ import annotations

from graphsurgeon.lowering.to_onnx.layers import LayerTable

TABLE = LayerTable(__name__)
