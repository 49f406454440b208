"""GraphDef, FunctionDef and MetaGraphDef, in binary and text, to a Model and back."""
