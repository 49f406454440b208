"""The columns of the catalog, in order, and what they hold.

Lists of structs work in DuckDB (`unnest`) and pandas (`explode`); maps are lists of pairs in pandas. A shape is a list
of integers with -1 for an unknown dimension, null for an unknown rank.
"""

from __future__ import annotations

from typing import Any

TENSORS = [{"name": "text", "dtype": "text", "shape": ["int"]}]
# name -> "text", "int", "real", [element], or {field: type}
COLUMNS: dict[str, Any] = {
    "path": "text",
    "format": "text",
    "bytes": "int",
    "files": [{"name": "text", "bytes": "int", "mtime_ns": "int"}],
    "structure": "text",
    "weights": "text",
    "outline": "text",
    "duplicate_of": "text",
    "near_duplicate_of": "text",
    "framework": "text",
    "framework_version": "text",
    "tensorflow": "text",
    "graph_version": "int",
    "min_consumer": "int",
    "tags": ["text"],
    "signatures": [{"key": "text", "method": "text", "inputs": TENSORS, "outputs": TENSORS}],
    "ops": [{"op": "text", "count": "int"}],
    "op_names": ["text"],
    "unknown_ops": ["text"],
    "custom_ops": ["text"],
    "nodes": "int",
    "functions": "int",
    "parameters": "int",
    "weight_bytes": "int",
    "dtypes": [{"dtype": "text", "count": "int", "bytes": "int"}],
    "assets": ["text"],
    "findings": [
        {
            "source": "text",
            "severity": "text",
            "op": "text",
            "what": "text",
            "where": "text",
            "when": "text",
            "target": "text",
        }
    ],
    "worst": "text",
    "notes": ["text"],
    "seconds": "real",
    "error": "text",
    "error_kind": "text",
    "made_by": "text",
}
