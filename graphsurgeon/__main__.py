"""`python -m graphsurgeon`: the command line under a name that no other program has."""

from graphsurgeon.cli.app import main

main()
