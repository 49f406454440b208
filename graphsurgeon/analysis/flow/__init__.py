"""How values, calls, frames and variables run through a model, from loading to a signature's outputs."""
