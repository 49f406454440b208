"""Networks of MXNet and Caffe made into graphs of ONNX's vocabulary."""
