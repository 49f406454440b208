"""`gs replace`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import GraphName, Model, Tags, parse_tags, split_list
from graphsurgeon.cli.edit_command import Steps, edit_command
from graphsurgeon.errors import FormatError

if TYPE_CHECKING:
    from graphsurgeon.patterns.syntax import Rule


def _list_rules(wanted: bool) -> None:
    if not wanted:
        return
    from graphsurgeon.patterns.rules import rule_names, rule_set

    sets = [rule_set(name) for name in rule_names()]
    output.table([[one.name, one.exactness, one.about] for one in sets], titles=["name", "numbers", "what"])
    raise typer.Exit


@edit_command
def replace(
    model: Model,
    patterns: Annotated[
        list[str] | None,
        typer.Argument(metavar="'PATTERN => NEW'...", help="Rules; see docs/patterns.md.", show_default=False),
    ] = None,
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", metavar="FILE", help="Rules of a text file, in their order.")
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option("--rule", metavar="NAME", help="Rules that come with gs, by name.")
    ] = None,
    list_rules: Annotated[
        bool,
        typer.Option("--list-rules", help="List the rules that come with gs.", is_eager=True, callback=_list_rules),
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Replace what matches now, not what comes up by replacing.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=0, help="At most N replacements.")] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", metavar="NAME", help="Only where the pattern's root lies in this scope.")
    ] = None,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Leave places that cannot be replaced, and name them.")
    ] = False,
    graph: GraphName = None,
    tags: Tags = None,
) -> Steps:
    """Replace constructs by others, in main graph and functions, until nothing matches any more.

    The new root keeps the name of the old one, and its readers; what nothing needs afterwards goes. Refused where dtype
    or shape of a value would change; --skip-refused leaves such places. Whether numbers are the same is up to the rule;
    --verify runs both.

    Examples:
      gs replace model.pb 'Erfc(x) => Sub(1, Erf(x))' -o out.pb --verify
      gs replace model.pb "c=Conv2D[padding=SAME](x, w) => Conv2D[*=@c, padding=VALID](x, w)" --limit 1 -o out.pb
      gs replace model/ --rule erfc-to-erf -o out/
      gs replace model/ --rules mine.rules --dry-run -v
      gs replace --list-rules
    """
    from graphsurgeon.patterns.rule_parser import parse_rule
    from graphsurgeon.patterns.rules import rule_set

    found: list[Rule] = [parse_rule(text) for text in patterns or ()]
    for path in rules or ():
        found += _read(path)
    for name in split_list(rule):
        found += rule_set(name).rules
    arguments = {
        "rules": found,
        "once": once,
        "limit": limit,
        "graph": graph,
        "scope": scope,
        "skip_refused": skip_refused,
        "tags": parse_tags(tags),
    }
    return [("replace", arguments)]


def _read(path: Path) -> list[Rule]:
    """Return the rules of a file.

    Raises:
        FileError: the file is missing, unreadable or no text.
        PatternError: it holds what is no rule.
    """
    from graphsurgeon.disk.files import open_source
    from graphsurgeon.errors import UsageError
    from graphsurgeon.patterns.lexer import MOST_CHARACTERS, PatternError
    from graphsurgeon.patterns.rule_parser import parse_rules

    source = open_source(path)
    if source.size > MOST_CHARACTERS:
        raise FormatError("is too large for a file of rules", path=path)
    try:
        text = source.read_at(0, source.size).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"no UTF-8 text at byte {error.start}", path=path) from error
    try:
        rules = parse_rules(text)
    except PatternError as error:
        raise error.of(path) from error
    except UsageError as error:
        raise error.at(path) from error
    if not rules:
        raise UsageError("the file has no rules", path=path)
    return rules
