"""What scanners find: every construct in every container that holds it, and honest models; run by hand.

    python -m benchmarks.scan_constructs [--containers saved_model,pb] [--places main,loop] [--other COMMAND ...]
        [--honest PATH ...]

A construct counts as found by `gs scan` if a finding has its op, severity high, and the right `when` and target.
Another scanner (`--other "modelscan -p"`, `--other "modelaudit scan"`: a command that takes a path last) is judged by
its exit status alone: 1 means that it found something. Needs TensorFlow.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.scanning.finding import at_least
from graphsurgeon.scanning.scan import scan


def main() -> None:
    """Build, scan, and print a row for each construct and container."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--other", action="append", default=[], metavar="COMMAND")
    parser.add_argument("--honest", nargs="*", default=[], type=Path)
    parser.add_argument("--containers", default="saved_model,v1,text,pb,pbtxt,meta", metavar="A,B")
    parser.add_argument("--places", default="main", metavar="A,B", help="main, nested, branch, case, loop, map")
    options = parser.parse_args()
    missed = 0
    for place in options.places.split(","):
        missed += _constructs(options.other, options.containers.split(","), place)
    _honest(options.honest, options.other)
    sys.exit(int(missed > 0))


def _constructs(others: list[str], containers: list[str], place: str) -> int:
    from tests.oracle.scan_models import CONSTRUCTS, build, special

    missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder, at = Path(name), Path(name) / "outside"
        print("construct", "container", "place", "gs scan", *(shlex.split(other)[0] for other in others), sep="\t")
        for construct, what in CONSTRUCTS.items():
            for container in containers:
                path = build(construct, container, folder / f"{construct}_{container}", at, place)
                when = "signature:steal" if container in ("saved_model", "v1", "text") else "unknown"
                found = _is_found(path, {what.op, what.op.removesuffix("V2")}, "high", when, what.target)
                missed += not found
                _row(construct, container, place, found, others, path)
        for construct, path, (severity, op, when, target) in special(folder, at) if place == "main" else ():
            found = _is_found(path, {str(op)}, severity, when, target or "")
            missed += not found
            _row(construct, "-", "-", found, others, path)
    return missed


def _row(construct: str, container: str, place: str, found: bool, others: list[str], path: Path) -> None:
    marks = [_mark(found), *(_mark(_finds(other, path)) for other in others)]
    print(construct, container, place, *marks, sep="\t", flush=True)


def _is_found(path: Path, ops: set[str], severity: str, when: str, target: str) -> bool:
    found = [threat for threat in scan(path).findings if threat.op in ops and threat.severity == severity]
    return any(threat.when.startswith(when) and target in (threat.target or "") for threat in found)


def _finds(command: str, path: Path) -> bool:
    done = subprocess.run([*shlex.split(command), str(path)], capture_output=True, check=False)
    return done.returncode == 1


def _mark(found: bool) -> str:
    return "x" if found else "-"


def _honest(paths: list[Path], others: list[str]) -> None:
    alarms = dict.fromkeys(("gs scan", *others), 0)
    for path in paths:
        try:
            findings = [threat for threat in scan(path).findings if at_least(threat.severity, "high")]
        except GraphSurgeonError:
            continue
        if findings:
            alarms["gs scan"] += 1
            print(path, *(f"{threat.severity} {threat.op} {threat.target}" for threat in findings), sep="\t")
        for other in others:
            alarms[other] += _finds(other, path)
    for name, count in alarms.items():
        print(f"{name}: {count} alarms on {len(paths)} honest models")


if __name__ == "__main__":
    main()
