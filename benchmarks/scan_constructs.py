"""What scanners find: every construct in every container that can hold it, and honest models; run by hand.

    python -m benchmarks.scan_constructs [--into FOLDER] [--modelscan PROGRAM] [--modelaudit PROGRAM]
        [--honest PATH ...]
    python -m benchmarks.scan_constructs --places nested,branch,case,loop,map [--containers saved_model,pb]

The table has a row for each construct: in how many containers it is found, of how many. `gs scan` finds a construct if
a finding has its op, and the severity, `when` and target that are right; the others if they say anything of that file
that is worse than "info". They look at the folder as a whole. Needs TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.scanning.finding import at_least
from graphsurgeon.scanning.scan import scan

if TYPE_CHECKING:
    from tests.oracle.scan_containers import Built

_SCANNERS = {
    "modelscan": ["-p", "{path}", "-r", "json", "-o", "{report}"],
    "modelaudit": ["scan", "{path}", "--format", "json", "--output", "{report}"],
}


def main() -> None:
    """Build, scan, and print a row for each construct."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    for name in _SCANNERS:
        parser.add_argument(f"--{name}", metavar="PROGRAM")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where models are built, and stay")
    parser.add_argument("--honest", nargs="*", default=[], type=Path)
    parser.add_argument("--containers", default="saved_model,pb", metavar="A,B", help="with --places")
    parser.add_argument("--places", metavar="A,B", help="constructs inside functions: nested, branch, case, loop, map")
    options = parser.parse_args()
    others = {name: getattr(options, name) for name in _SCANNERS if getattr(options, name)}
    with tempfile.TemporaryDirectory() as name:
        folder = (options.into or Path(name)).absolute()
        if options.places:
            missed = _places(folder, options.places.split(","), options.containers.split(","))
        else:
            missed = _constructs(folder, others)
    _honest(options.honest, others)
    sys.exit(int(missed > 0))


def _constructs(folder: Path, others: dict[str, str]) -> int:
    from tests.oracle.scan_containers import every

    built = list(every(folder, folder.parent / "outside"))
    said = {name: _said(name, program, folder) for name, program in others.items()}
    by_construct: dict[str, list[Built]] = {}
    for model in built:
        by_construct.setdefault(model.construct, []).append(model)
    print("construct", "severity", "containers", "gs scan", *others, sep="\t")
    missed = 0
    for construct, models in by_construct.items():
        found = [model for model in models if _is_found(model)]
        missed += len(models) - len(found)
        counts = [sum(_is_named(model.path, texts) for model in models) for texts in said.values()]
        containers = ", ".join(model.container for model in models)
        rows = [f"{count}/{len(models)}" for count in (len(found), *counts)]
        print(construct, models[0].severity, containers, *rows, sep="\t", flush=True)
    print(f"{len(built)} models, {missed} missed by gs scan")
    return missed


def _is_found(model: Built) -> bool:
    return any(
        threat.severity == model.severity
        and threat.op in model.ops
        and threat.when.startswith(model.when)
        and model.target in (threat.target or "")
        for threat in scan(model.path).findings
    )


def _said(scanner: str, program: str, path: Path) -> list[str]:
    """Return the places that another scanner names in what it says, but for what it calls information."""
    with tempfile.TemporaryDirectory() as name:
        report = Path(name) / "report.json"
        arguments = [part.format(path=path, report=report) for part in _SCANNERS[scanner]]
        subprocess.run([program, *arguments], capture_output=True, check=False)
        issues = json.loads(report.read_text("utf-8"))["issues"] if report.exists() else []
    worse = [issue for issue in issues if str(issue.get("severity", "")).lower() not in ("info", "debug")]
    return [str(path / str(issue.get("source") or issue.get("location") or "")) for issue in worse]


def _is_named(path: Path, places: Iterable[str]) -> bool:
    pattern = re.compile(re.escape(str(path)) + r"($|[/ :(])")
    return any(pattern.match(place) for place in places)


def _places(folder: Path, places: list[str], containers: list[str]) -> int:
    from tests.oracle.scan_containers import Built
    from tests.oracle.scan_models import CONSTRUCTS, build

    missed = 0
    for place in places:
        for name, what in CONSTRUCTS.items():
            for container in containers:
                path = build(name, container, folder / f"{name}_{container}_{place}", folder.parent / "outside", place)
                when = "signature:steal" if container in ("saved_model", "v1", "text") else "unknown"
                ops: frozenset[str | None] = frozenset({what.op, what.op.removesuffix("V2")})
                found = _is_found(Built(name, container, path, "high", ops, when, what.target))
                missed += not found
                print(name, container, place, "x" if found else "-", sep="\t", flush=True)
    return missed


def _honest(paths: list[Path], others: dict[str, str]) -> None:
    alarms = dict.fromkeys(("gs scan", *others), 0)
    for path in paths:
        try:
            findings = [threat for threat in scan(path).findings if at_least(threat.severity, "high")]
        except GraphSurgeonError:
            continue
        if findings:
            alarms["gs scan"] += 1
            print(path, *(f"{threat.severity} {threat.op} {threat.target}" for threat in findings), sep="\t")
        for name, program in others.items():
            alarms[name] += bool(_said(name, program, path.absolute()))
    for name, count in alarms.items() if paths else ():
        print(f"{name}: {count} alarms on {len(paths)} honest models")


if __name__ == "__main__":
    main()
