"""A manifest of weights of TensorFlow.js without a model: variables alone."""

from __future__ import annotations

from graphsurgeon.formats.tfjs.layers import read_weights as read

__all__ = ["read"]
