"""What differs between two models: files, MetaGraphs, graphs, objects, tensors (`gs diff`)."""
