"""Shapes of ONNX graphs: a function per op, grouped by family; rules are those of the operators' documentation.

What the file records comes first, what follows from the ops is added where it is certain.
"""
