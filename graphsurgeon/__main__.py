"""`python -m graphsurgeon`: the command line under a name that no other program has."""

import os
import sys

# `python -m` looks for modules in the current folder first: a `numpy.py` beside a model would be executed.
if sys.path and sys.path[0] in ("", os.getcwd()) and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]

from graphsurgeon.cli.app import main

main()
