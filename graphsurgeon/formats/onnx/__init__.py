"""ONNX models: messages of `schema/onnx.binpb` as a Model, read without the onnx package.

Spec: `onnx/onnx.proto`, `docs/IR.md` and `docs/ExternalData.md` of ONNX.
"""
