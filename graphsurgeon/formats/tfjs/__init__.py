"""TensorFlow.js models: `model.json` with its topology, and the shards of weights beside it.

Facts are those of the loaders in `tfjs-core/src/io` and `tfjs-converter` (`io_utils.ts`, `graph_model.ts`).
"""
