"""Dtype and shape of every value, inferred from the ops, partly known shapes and small constants included."""

from graphsurgeon.shapes.infer import infer_shapes
from graphsurgeon.shapes.report import ShapeReport

__all__ = ["ShapeReport", "infer_shapes"]
