"""Shape and value functions of ONNX's ops, one module a family."""
