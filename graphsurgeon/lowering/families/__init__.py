"""Lowering functions by family; `lowering/table.py` says what one is."""
