"""Checkpoints: found from any name they go by; V2 bundles read, checked and written; V1 read."""
