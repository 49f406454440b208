"""Check the table of ops that reach out of a graph against TensorFlow's registry, and that every op was judged.

Run it with a Python that has TensorFlow. An op of the registry that is neither in `graphsurgeon/scanning/ops.tsv` nor
in `tools/harmless_ops.txt` has been judged by nobody: the check names it and fails. `--accept NAME...` enters ops, read
and found harmless, into the list.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graphsurgeon.scanning.table import OpRule, rules

HARMLESS = Path(__file__).with_name("harmless_ops.txt")
# An op without description whose name holds one of these deserves a second look before it is called harmless.
_WORDS = ("File", "Dataset", "Save", "Restore", "Rpc", "Send", "Recv", "Path", "Exec", "Custom", "Debug", "Summary")


def main() -> int:
    """Compare, print what is wrong, and return 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--accept", nargs="+", default=[], metavar="OP")
    accepted: list[str] = parser.parse_args().accept
    harmless = set(HARMLESS.read_text("utf-8").split()) | set(accepted)
    if accepted:
        HARMLESS.write_text("".join(f"{name}\n" for name in sorted(harmless)), "utf-8")
    problems = faults(registry(), rules(), harmless)
    print("\n".join(problems) or f"{len(rules())} ops in the table, {len(harmless)} judged harmless: all are judged")
    return int(bool(problems))


def registry() -> dict[str, tuple[set[str], set[str], bool]]:
    """Return input names, attribute names and whether there is a CPU kernel, for each op that TensorFlow registers."""
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session
    from tensorflow.python.framework import kernels

    data = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    ops = op_def_pb2.OpList.FromString(data).op
    found = kernels.get_all_registered_kernels().kernel
    on_cpu = {kernel.op for kernel in found if kernel.device_type in ("CPU", "DEFAULT")}
    return {
        op.name: ({arg.name for arg in op.input_arg}, {attr.name for attr in op.attr}, op.name in on_cpu) for op in ops
    }


def faults(
    known: dict[str, tuple[set[str], set[str], bool]], table: dict[str, OpRule], harmless: set[str]
) -> list[str]:
    """Return what is wrong with the table, a line each.

    Args:
        known: ops of the registry: names of inputs, names of attributes, whether there is a CPU kernel.
        table: our rules by op.
        harmless: ops that were judged and are not in the table.
    """
    problems = []
    for op in sorted(known.keys() - table.keys() - harmless):
        again = ", whose name asks for a second look" if any(word in op for word in _WORDS) else ""
        problems.append(f"{op}: nobody has judged it{again}")
    problems += [f"{op}: in the table, and judged harmless" for op in sorted(table.keys() & harmless)]
    problems += [f"{op}: judged, but TensorFlow has no such op" for op in sorted(harmless - known.keys())]
    for rule in table.values():
        problems += _of_rule(rule, known.get(rule.op))
    return problems


def _of_rule(rule: OpRule, op: tuple[set[str], set[str], bool] | None) -> list[str]:
    if op is None:
        return [] if rule.package else [f"{rule.op}: in the table, but TensorFlow has no such op"]
    inputs, attrs, on_cpu = op
    problems = [f"{rule.op}: has no input {name!r}" for name in rule.inputs if name not in inputs]
    problems += [f"{rule.op}: has no attribute {name!r}" for name in rule.attrs if name not in attrs]
    if rule.has_cpu_kernel != on_cpu:
        problems.append(f"{rule.op}: {'has' if on_cpu else 'lacks'} a CPU kernel, the table says otherwise")
    return problems


if __name__ == "__main__":
    sys.exit(main())
