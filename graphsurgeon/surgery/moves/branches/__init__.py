"""Branches that are decided before anything runs, taken out."""
