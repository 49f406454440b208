"""Files round a graph, and files that hold no graph of TensorFlow."""
