"""What the child process begins with: it finds this package, and imports nothing from where it stands.

`python -m` and `python -c` look for modules in the current folder first, a script's folder comes first where a script
is run; a `numpy.py` beside a model would be executed. Python's option against that (`-P`) is newer than 3.10. So this
file is run by its path, takes its own folder off the search path, and enters the package by its place, which puts
nothing else of the folder around the package on the path either.
"""

import os
import sys


def isolate(search_path: list[str], own: str) -> list[str]:
    """Return a search path without the current folder and without the folder of this file."""
    return [place for place in search_path if place and os.path.realpath(place) != os.path.realpath(own)]


def enter_package(folder: str) -> None:
    """Make the package at a folder importable, whatever the search path holds under its name."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("graphsurgeon", os.path.join(folder, "__init__.py"))
    assert spec is not None
    assert spec.loader is not None
    package = module_from_spec(spec)
    sys.modules["graphsurgeon"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    workers = os.path.dirname(__file__)
    sys.path[:] = isolate(sys.path, workers)
    enter_package(os.path.dirname(os.path.dirname(workers)))
    from pathlib import Path

    from graphsurgeon.bridges.workers.worker import main

    main(Path(sys.argv[1]))
