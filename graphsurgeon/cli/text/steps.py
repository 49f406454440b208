"""How the step of an edit is told: by a function for its report, and for reports that have none, by their fields."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from graphsurgeon.cli import output
from graphsurgeon.cli.output import mark, name, number, plural, size
from graphsurgeon.edit import StepReport

FEW = 10  # rows of one list without -v


def print_step(step: StepReport, *, verbose: bool) -> None:
    """Print what one step did, and its notes."""
    report: Any = step.report
    if not dataclasses.is_dataclass(report):
        if report is not None:
            output.line(f"{step.operation}: {report}")
        return
    tell = _TOLD.get(type(report).__name__, _tell_fields)
    tell(report, verbose)
    for note in getattr(report, "notes", ()):
        output.line(mark("note: ", "note"), note)


def _rows(rows: Sequence[Sequence[object]], *, verbose: bool, noun: str = "", indent: int = 2) -> None:
    """Print the first rows of a list, and how many more there are."""
    shown = rows if verbose or len(rows) <= FEW else rows[: FEW - 1]
    output.table(shown, indent=indent)
    if len(shown) < len(rows):
        output.line(" " * indent, mark(f"{len(rows) - len(shown):,} more{f' {noun}' if noun else ''} (-v)", "faint"))


def _list(title: str, names: Iterable[object], *, verbose: bool) -> None:
    """Print a title and names below it, if there are any."""
    listed = [[name(output.text_of(one))] for one in names]
    if listed:
        output.line(title)
        _rows(listed, verbose=verbose)


def _change(before: int, after: int, noun: str) -> str:
    """Say how a count changed: `8,268 -> 1,832 nodes`."""
    if before == after:
        return f"{plural(after, noun)}, as many as before"
    return f"{before:,} -> {plural(after, noun)}"


def _sentence(*parts: str) -> None:
    said = [part for part in parts if part]
    if said:
        output.line(", ".join(said))


def _ends(inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    rows = [("input", mark(key, "strong"), name(tensor)) for key, tensor in inputs.items()]
    rows += [("output", mark(key, "strong"), name(tensor)) for key, tensor in outputs.items()]
    output.table(rows, indent=2)


def _freeze(report: Any, verbose: bool) -> None:
    made = f"{plural(report.variables, 'variable')} ({size(report.variable_bytes)}) made constants"
    tables = f"{plural(len(report.tables), 'table')} kept" if report.tables else ""
    _sentence(_change(report.nodes_before, report.nodes_after, "node"), made, tables)
    if report.signature:
        output.line("what signature ", mark(report.signature, "strong"), " computes:")
    _ends(report.feeds, report.fetches)
    _list("still variables", report.kept_variables, verbose=verbose)
    sees = "no output of the same call sees" if report.state else "no output sees"
    _list(f"writes to variables left out, which {sees}", report.dropped_writes, verbose=verbose)
    _list("stay as they are stored, where each call changed them for the next one", report.state, verbose=verbose)
    _list("functions kept", report.functions, verbose=verbose)


def _strip(report: Any, verbose: bool) -> None:
    freed = ""
    if report.variables:
        freed = f"{plural(report.variables, 'variable')} ({size(report.variable_bytes)}) taken out"
    _sentence(_change(report.nodes_before, report.nodes_after, "node"), freed)
    if report.outputs:
        output.line("what is needed for ", *_joined(report.outputs), " stays")
    reasons: dict[str, Counter[str]] = {}
    for item in report.removed:
        reasons.setdefault(item.kind, Counter())[item.why] += 1
    rows = [(kind, f"{count:,}", _reason(reasons.get(kind, Counter()))) for kind, count in report.kinds.items()]
    output.table(rows, align=("left", "right"), indent=2)
    if verbose:
        output.line("taken out")
        listed = [(item.kind, name(item.name), item.op, name(item.graph)) for item in report.removed]
        _rows([(*row[:3], *((row[3],) if any(item.graph for item in report.removed) else ())) for row in listed],
              verbose=True)  # fmt: skip
    elif report.removed:
        output.line("  ", mark("each of them: -v", "faint"))


def _reason(reasons: Counter[str]) -> str:
    """Give the commonest reason of a kind, and how many others there are."""
    if not reasons:
        return ""
    first = reasons.most_common(1)[0][0]
    return first if len(reasons) == 1 else f"{first}; {plural(len(reasons) - 1, 'other reason')}"


def _joined(names: Iterable[object]) -> list[object]:
    parts: list[object] = []
    for one in names:
        parts += [", ", name(one)] if parts else [name(one)]
    return parts


def _optimize(report: Any, verbose: bool) -> None:
    same = report.constants_before == report.constants_after
    constants = "" if same else _change(report.constants_before, report.constants_after, "constant")
    _sentence(_change(report.nodes_before, report.nodes_after, "node"), constants)
    from graphsurgeon.surgery.optimize import PASSES

    rows = [(one, f"{count:,}", PASSES.get(one, "")) for one, count in report.passes.items()]
    output.table(rows, align=("left", "right"), indent=2)


def _replace(report: Any, verbose: bool) -> None:
    done = plural(len(report.replaced), "construct") + " replaced"
    _sentence(done, _change(report.nodes_before, report.nodes_after, "node"))
    several = len(report.rules) > 1
    if several:
        output.table([(rule, f"{count:,}") for rule, count in report.rules.items()], align=("left", "right"), indent=2)
    rows: list[list[object]] = []
    for item in report.replaced:
        nodes = [f"{plural(item.added, 'node')} for {item.removed + 1}" if item.removed else ""]
        rows.append([*([item.rule] if several else []), name(item.root), f"in {item.graph}" if item.graph else "",
                     *nodes])  # fmt: skip
    _rows(_without_empty(rows), verbose=verbose)
    if report.kept:
        output.line("still there, because something else reads them")
        _rows([(name(item.node), "read by", name(item.reader), item.graph) for item in report.kept], verbose=verbose)
    if report.refused:
        output.line(f"refused and left as they are: {plural(len(report.refused), 'place')}")
        _rows([(name(item.node), item.graph, item.rule, item.why) for item in report.refused], verbose=verbose)


def _without_empty(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    """Leave out columns in which nothing stands."""
    used = [column for column in range(len(rows[0]) if rows else 0) if any(_is_said(row[column]) for row in rows)]
    return [[row[column] for column in used] for row in rows]


def _is_said(cell: object) -> bool:
    return bool(cell.text if isinstance(cell, output.Piece) else cell)


def _rename(report: Any, verbose: bool) -> None:
    if report.what == "state":
        _list_rows("the state file names what is there", [one[1:] for one in report.renamed], verbose=True)
        return
    what = report.what.removesuffix("s") if report.what.endswith("s") else report.what
    output.line(f"{plural(len(report.renamed), what)} renamed")
    rows = [[f"in {where}" if where else "", name(old), "->", name(new)] for where, old, new in report.renamed]
    _rows(_without_empty(rows), verbose=verbose)


def _extract(report: Any, verbose: bool) -> None:
    if not report.nodes_before:
        _list(f"{plural(len(report.variables), 'variable')} kept", report.variables, verbose=verbose)
        _list_rows(f"{len(report.damaged):,} damaged, left out", report.damaged, verbose=True)
        return
    kept = [plural(len(report.variables), "variable") if report.variables else ""]
    kept += [plural(len(report.functions), "function") if report.functions else ""]
    kept += [plural(len(report.tables), "table") if report.tables else ""]
    also = ", ".join(filter(None, kept))
    _sentence(_change(report.nodes_before, report.nodes_after, "node"), f"{also} kept" if also else "")
    _tensors(report.inputs, report.outputs)
    if verbose:
        for title in ("variables", "functions", "tables"):
            _list(title, getattr(report, title), verbose=True)


def _tensors(inputs: Iterable[Any], outputs: Iterable[Any]) -> None:
    ends = [("input", one) for one in inputs] + [("output", one) for one in outputs]
    rows = [[side, name(one.name), str(one.dtype or "?"), str(one.shape), output.text_of(one.quantization)]
            for side, one in ends]  # fmt: skip
    output.table(_without_empty(rows), indent=2)


def _signature(report: Any, verbose: bool) -> None:
    output.line("signature ", mark(report.key, "strong"), f" added, method {report.method}")
    _by_key(report.inputs, report.outputs)
    _list("functions copied on the way to the main graph", report.cloned, verbose=verbose)


def _by_key(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """Print what goes in and what comes out, by the keys of a signature."""
    rows = [("input", mark(key, "strong"), str(one.dtype or "?"), str(one.shape), name(one.name))
            for key, one in inputs.items()]  # fmt: skip
    rows += [("output", mark(key, "strong"), str(one.dtype or "?"), str(one.shape), name(one.name))
             for key, one in outputs.items()]  # fmt: skip
    output.table(rows, indent=2)


def _removal(report: Any, verbose: bool) -> None:
    output.line(f"{plural(len(report.removed), 'signature')} removed: ", *_joined(report.removed))


def _attach(report: Any, verbose: bool) -> None:
    output.line(f"{plural(report.variables, 'variable')} taken from ", mark(report.checkpoint, "strong"))
    _list("variables that the checkpoint does not have", report.missing, verbose=verbose)


def _add_output(report: Any, verbose: bool) -> None:
    output.line(f"{plural(len(report.outputs), 'output')} added")
    rows = [[name(one.name), "yields", name(one.tensor), str(one.dtype), str(one.shape),
             f"in {one.graph}" if one.graph else ""] for one in report.outputs]  # fmt: skip
    _rows(_without_empty(rows), verbose=verbose)
    for one in report.outputs:
        also = [f"in signature {', '.join(one.signatures)}" if one.signatures else "",
                _rewired(one.rewired),
                f"through {plural(len(one.cloned), 'copied function')}" if one.cloned else ""]  # fmt: skip
        if any(also):
            output.line("  ", name(one.name), f": {'; '.join(filter(None, also))}")


def _rewired(count: int) -> str:
    return f"{plural(count, 'input')} of other nodes read{'s' if count == 1 else ''} it now" if count else ""


def _set_ends(report: Any, verbose: bool) -> None:
    ends: Sequence[Any] = getattr(report, "inputs", ()) or getattr(report, "outputs", ())
    rows: list[list[object]] = []
    for one in ends:
        was = f"{one.was_dtype} {one.was_shape}"
        now = f"constant {one.constant}" if one.constant is not None else f"{one.dtype} {one.shape}"
        rows.append([name(one.name), was, "->", mark(now, "strong")])
    output.table(rows, indent=0)
    if report.signatures:
        output.line("signatures that changed with it: ", *_joined(report.signatures))
    removed = getattr(report, "removed_nodes", ())
    if removed and not verbose:
        output.line(f"{plural(len(removed), 'node')} that can never run any more taken out ", mark("(-v)", "faint"))
    elif removed:
        _list("nodes that can never run any more, taken out", removed, verbose=True)
    if getattr(report, "recorded_shapes", 0):
        output.line(f"recorded shapes of {plural(report.recorded_shapes, 'node')} brought in line")
    contradictions = getattr(report, "contradictions", ())
    if contradictions:
        output.line(mark("does not fit any more, so the model does not run before it is mended", "warning"))
        _rows([(name(one.where), one.what) for one in contradictions], verbose=verbose)


def _convert(report: Any, verbose: bool) -> None:
    if report.left_out:
        output.line(f"{plural(len(report.left_out), 'MetaGraph')} left out: {', '.join(report.left_out)}")
    for old, new in report.lowered.items():
        output.line(f"ops of {old} made ops of {new}")
    if report.renamed:
        output.line(f"{plural(len(report.renamed), 'name')} changed")
        _rows([(name(old), "->", name(new)) for old, new in report.renamed.items()], verbose=verbose)
    if report.turned:
        output.line("channels are the last axis now")
        _rows([(name(one), f"axes {list(axes)} of the source") for one, axes in report.turned.items()], verbose=verbose)


def _metadata(report: Any, verbose: bool) -> None:
    if not report.set:
        output.line("all metadata taken out")
    for said in report.set:
        output.line(said)
    output.table([("file", name(one), size(count)) for one, count in report.files.items()], indent=2)


def _average(report: Any, verbose: bool) -> None:
    factors = ", ".join(f"{factor:.6g}" for factor in report.factors)
    equal = len(set(report.factors)) == 1
    _sentence(f"{plural(report.checkpoints, 'checkpoint')} averaged", "each counts as much" if equal else factors)
    _list(f"{plural(len(report.averaged), 'variable')} averaged", report.averaged, verbose=verbose)
    _list(f"{len(report.taken_from_last):,} as in the last one", report.taken_from_last, verbose=verbose)


def _cast(report: Any, verbose: bool) -> None:
    _list_rows(f"{plural(len(report.cast), 'variable')} made {report.dtype}", report.cast, verbose=verbose)
    zero = [(key, plural(count, "value")) for key, count in report.became_zero]
    _list_rows("smaller than the type has numbers for, and 0 now", zero, verbose=verbose)


def _merge(report: Any, verbose: bool) -> None:
    output.line(f"{plural(report.added, 'variable')} of the second added")
    _list_rows("renamed", [(old, "->", new) for old, new in report.renamed], verbose=verbose)
    kept = [(one, f"of the {side}") for one, side in report.kept.items()]
    _list_rows("both had", kept, verbose=verbose)


def _join(report: Any, verbose: bool) -> None:
    beside = f" under the tags {','.join(report.tags)}" if report.tags else ""
    output.line("joined with ", mark(report.other, "strong"), beside)
    for tensor, place in report.connected:
        output.line("  ", name(tensor), " is read in place of ", name(place))
    _by_key(report.inputs, report.outputs)
    renamed = [(old, "->", new, what) for what, old, new in report.renamed]
    _list_rows("renamed in the second, because the first has such a name", renamed, verbose=verbose)


def _set_weights(report: Any, verbose: bool) -> None:
    output.line(f"{plural(len(report.weights), 'weight')} set")
    rows = [[name(one.name), str(one.dtype), str(one.shape), one.kind, one.rounding] for one in report.weights]
    _rows(_without_empty(rows), verbose=verbose)


def _rewire(report: Any, verbose: bool) -> None:
    for one in report.rewired:
        readers = [plural(one.nodes, "node") if one.nodes else "", plural(one.results, "result") if one.results else ""]
        told = " and ".join(filter(None, readers)) or "nothing"
        verb = "reads" if one.nodes + one.results <= 1 else "read"
        where = f" in {one.graph}" if one.graph else ""
        output.line(f"{told} {verb} ", name(one.reads), " in place of ", name(one.tensor), where)


def _list_rows(title: str, rows: Sequence[tuple[str, ...]], *, verbose: bool) -> None:
    """Print a title and rows below it, each a name and what is told of it, if there are any."""
    if rows:
        output.line(title)
        _rows([[name(row[0]), *row[1:]] for row in rows], verbose=verbose)


def _tell_fields(report: Any, verbose: bool) -> None:
    """Tell a report that nobody wrote sentences for: counts in one line, then what is listed, each with its count."""
    fields = {field.name: getattr(report, field.name) for field in dataclasses.fields(report) if field.name != "notes"}
    counts: list[str] = []
    for key, value in fields.items():
        before = fields.get(key.removesuffix("_after") + "_before")
        if key.endswith("_before"):
            continue
        if type(value) is int:
            counts.append(_counted(key, value, before))
        elif isinstance(value, str) and value:
            counts.append(f"{_words(key)} {value}")
        elif value is True:
            counts.append(_words(key))
    _sentence(*counts)
    for key, value in fields.items():
        listed = [(one, item) for one, item in value.items()] if isinstance(value, Mapping) else value
        if listed and isinstance(listed, Sequence) and not isinstance(listed, str | bytes):
            output.line(f"{len(listed):,} {_words(key)}" if len(listed) > 1 else _words(key).removesuffix("s"))
            _rows([_row(item) for item in listed], verbose=verbose)


def _words(key: str) -> str:
    return key.replace("_", " ")


def _counted(key: str, value: int, before: int | None) -> str:
    """Say a count: a field `nodes` of 3 is "3 nodes", one that ends with `bytes` a size."""
    noun = _words(key.removesuffix("_after"))
    if noun.endswith("bytes"):
        return f"{size(value)} of {noun.removesuffix('bytes').strip() or 'data'}"
    if before is not None:
        return _change(before, value, noun.removesuffix("s"))
    if not value:
        return ""
    return plural(value, noun.removesuffix("s")) if noun.endswith("s") else f"{number(value)} {noun}"


def _row(item: object) -> list[object]:
    if dataclasses.is_dataclass(item):
        return [_cell(field.name, getattr(item, field.name)) for field in dataclasses.fields(item)]
    if isinstance(item, tuple | list):
        return [output.text_of(part) for part in item]
    return [output.text_of(item)]


def _cell(key: str, value: object) -> str:
    """Return a value as a cell; a bare number would not say what is counted, and 0 says nothing."""
    if type(value) is not int:
        return output.text_of(value)
    return f"#{value}" if key == "index" else f"{_words(key)} {value:,}" if value else ""


_TOLD: dict[str, Callable[[Any, bool], None]] = {
    "AddOutputReport": _add_output,
    "AttachReport": _attach,
    "AverageReport": _average,
    "CastReport": _cast,
    "ConvertReport": _convert,
    "ExtractReport": _extract,
    "FreezeReport": _freeze,
    "JoinReport": _join,
    "MergeReport": _merge,
    "MetadataReport": _metadata,
    "OptimizeReport": _optimize,
    "RemovalReport": _removal,
    "RenameReport": _rename,
    "ReplaceReport": _replace,
    "RewireReport": _rewire,
    "SetInputReport": _set_ends,
    "SetOutputReport": _set_ends,
    "SetWeightsReport": _set_weights,
    "SignatureReport": _signature,
    "StripReport": _strip,
}
