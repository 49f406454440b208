"""`gs apply`: the steps of a recipe, in one read and one write."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli.common import Model
from graphsurgeon.cli.edit_command import Steps, edit_command
from graphsurgeon.cli.recipe import read_recipe


@edit_command
def apply(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A text file, a step a line.", show_default=False)],
    model: Model,
) -> Steps:
    """Apply a recipe: several edits, one read, one write.

    A line of a recipe is an edit as it is typed, without `gs`, MODEL and -o; # begins a comment. Every edit
    prints its line with --print-recipe.

    Examples:
      gs apply recipe.txt model/ -o out/
      gs rename model/ --what keys serving_default.output_0=scores --print-recipe >> recipe.txt
    """
    return read_recipe(recipe, model)
