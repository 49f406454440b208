"""Files that hold weights and no graph: safetensors (also cut into shards) and archives of NumPy arrays, read.

`formats/exports/arrays.py` writes both.
"""
