"""StableHLO modules as MLIR bytecode: what JAX exports hold, in files and inside `XlaCallModule` nodes.

Sources: MLIR's `docs/BytecodeFormat.md` and `BytecodeReader.cpp`, StableHLO's `VhloBytecode.cpp` and `VhloOps.td`. Of
portable artifacts (VHLO) everything is read that is named here; of plain bytecode ops, operands and types. What is of
an unknown kind has a size, so it is stepped over and named.
"""
