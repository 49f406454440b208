"""Rules about what a model keeps beside its graph: objects, variables, files."""
