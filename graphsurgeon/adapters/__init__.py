"""What other tools call to see our models: `model-explorer MODEL --extensions=graphsurgeon.adapters`.

Model Explorer loads the module `main` of an extension's package; nothing else here imports it.
"""
