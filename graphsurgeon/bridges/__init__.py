"""The optional edge: TensorFlow, LiteRT, onnxruntime, OpenVINO and Keras run models, each in a process of its own."""
