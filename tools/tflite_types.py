"""Which element types LiteRT's kernels take: the part of `make_tflite_ops.py` that asks for them.

A kernel is asked with models of one operator. First a combination of shapes and types is looked for that passes
(allocate and invoke); then each tensor in turn is given every other type. A type is refused where no combination that
was tried passes with it and the interpreter's message speaks of types; what is not known is left open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice, product

Types = tuple[str, ...]
# Inputs, outputs, their types, shapes of inputs, a tensor that is quantized in another way -> what is said.
Asked = Callable[..., str]
EVERY = -2  # in the place of one odd tensor: all of them
SAME = "@"  # the type of the first input
ODD = ("RESOURCE", "VARIANT", "STRING")
_MINDS = re.compile(r"type|support|kTfLite(Float|Int|UInt|Bool|String|Resource|Variant)", re.IGNORECASE)
_OTHERWISE = re.compile(r"scale|zero.?point|offset|overflow|quantiz|custom op|opcode|Didn't find")
_TELLS = re.compile(r"only support|not support|unsupported", re.IGNORECASE)  # types, even where it names quantized ones
_PATH = re.compile(r"\S+\.(cc|h):\d+")  # which may hold any of these words
_NODE = re.compile(r"Node number \d+ \(\w+\) failed to (prepare|invoke)\.?")
_COUNTS = re.compile(r"NumInputs|num_inputs|inputs->size|NumOutputs|num_outputs|outputs->size")
TYPES = (
    "FLOAT32", "FLOAT16", "INT32", "UINT8", "INT64", "STRING", "BOOL", "INT16", "COMPLEX64", "INT8", "FLOAT64",
    "UINT64", "RESOURCE", "VARIANT", "UINT32", "INT4", "UINT16", "BFLOAT16", "INT2", "UINT4",
)  # fmt: skip
_OTHERS = (SAME, "INT32", "FLOAT32", "INT8", "INT64", "BOOL", "RESOURCE", "STRING")
_RESULTS = (SAME, "INT32", "BOOL", "FLOAT32", "INT64", "RESOURCE", "VARIANT", "INT8")
_STORED = ("FLOAT64", "UINT64")  # that are given to outputs to see whether a kernel leaves them
_QUANTIZED = ("INT8", "UINT8", "INT16")
_MOST_BASES = 3  # combinations that pass, of which each tensor is changed
_MOST_MADE = 12  # combinations of which it is asked what outputs become
_MOST_COMBINATIONS = 250  # likely ones
_MOST_SHAPES = 600  # models that are tried to find shapes that pass
_MOST_INPUTS = 4


def words(asked: Asked, every: Sequence[str], shapes: int) -> Iterator[str]:
    """Yield `FIRST,...:PLACE=TYPE,...` for one operator.

    Args:
        asked: says what the interpreter answers; empty where all passes, `died` where it did not survive.
        every: the types that there are.
        shapes: how many shapes there are to choose from.
    """
    shaped = _shaped(asked, every, shapes)
    if shaped is None:
        return
    inputs, outputs, chosen = shaped
    rules: dict[tuple[str, str], list[str]] = {}
    firsts = every if inputs else ("",)
    fine = [first for first in firsts if _takes(asked, first, inputs, outputs, chosen)]
    passing = {first: _passing(asked, first, inputs, outputs, chosen) for first in fine if inputs}
    ran = [first for first, bases in passing.items() if bases]
    if ran:  # what ends the interpreter, or fails without a word, is refused where others pass
        known = [first for first in fine if first in ODD or _is_told(asked, first, inputs, outputs, chosen)]
        fine = [first for first in fine if first in ran or first in known]
    if len(fine) < len(firsts) and fine:
        yield f":0={_told(fine, every)}"
    for first in fine:
        for place, types in _places(asked, every, first, (inputs, outputs), chosen):
            named = [SAME] if types == [first] else types
            rules.setdefault((place, _told(named, every)), []).append(first)
    for (place, told), same in rules.items():
        yield f"{','.join(same)}:{place}={told}"
    if ran:
        yield f"ran={','.join(ran)}"
        yield from _scales(asked, passing, inputs, chosen)


def _scales(asked: Asked, passing: dict[str, list[Types]], inputs: int, chosen: tuple[int, ...]) -> Iterator[str]:
    """Yield what a kernel asks of scales and zero points, for the types with which it was seen to run."""
    ran = [first for first, bases in passing.items() if bases]
    bare = [first for first in ran if first in _QUANTIZED and not _is_taken_bare(asked, passing[first], inputs, chosen)]
    if bare:
        yield f"bare={','.join(bare)}"
    for word in ("zero", "none"):
        minding = [first for first in ran if word == "none" or first == "INT16"]  # others may only have to be equal
        found = [one for first in minding for one in _quantized(asked, first, passing[first], word, inputs, chosen)]
        if found:
            yield f"{word}={','.join(found)}"


def _passing(asked: Asked, first: str, inputs: int, outputs: int, chosen: tuple[int, ...]) -> list[Types]:
    """Return types with which the kernel passes, one for each combination of results."""
    found: dict[Types, Types] = {}
    for types in _combinations(first, inputs, outputs):
        if types[inputs:] not in found and passes(asked(inputs, outputs, types, chosen)):
            found[types[inputs:]] = types
    return list(found.values())


def _is_taken_bare(asked: Asked, bases: Sequence[Types], inputs: int, chosen: tuple[int, ...]) -> bool:
    """Say whether a kernel passes where no tensor has a scale."""
    return any(passes(asked(inputs, len(types) - inputs, types, chosen, (EVERY, "none"))) for types in bases)


def _quantized(
    asked: Asked, first: str, bases: Sequence[Types], word: str, inputs: int, chosen: tuple[int, ...]
) -> Iterator[str]:
    """Yield `FIRST:PLACE` of tensors that must have the zero point 0, or parameters, whatever the other types are."""
    for place in range(len(bases[0])) if first in _QUANTIZED else ():
        tried = [types for types in bases if types[place] in _QUANTIZED]
        outputs = len(bases[0]) - inputs
        if tried and not any(passes(asked(inputs, outputs, types, chosen, (place, word))) for types in tried):
            yield f"{first}:{place if place < inputs else f'o{place - inputs}'}"


def _told(types: Sequence[str], every: Sequence[str]) -> str:
    """Return the types, or after a `!` those that are not among them if these are fewer."""
    others = [t for t in every if t not in types]
    return f"!{','.join(others)}" if len(others) < len(types) else ",".join(types)


def _shaped(asked: Asked, every: Sequence[str], shapes: int) -> tuple[int, int, tuple[int, ...]] | None:
    """Return numbers of tensors and shapes of inputs with which the kernel passes, or minds types only."""
    could = []
    for inputs, outputs in product(range(_MOST_INPUTS, -1, -1), (1, 2, 0)):
        said = asked(inputs, outputs, ("FLOAT32",) * (inputs + outputs), (0,) * inputs)
        if said != "died" and not _COUNTS.search(said):
            could.append((inputs, outputs, (0,) * inputs))
            for chosen, types in islice(_shapes(inputs, outputs, shapes), _MOST_SHAPES):
                if passes(asked(inputs, outputs, types, chosen)):
                    return inputs, outputs, chosen
    return could[0] if could else None


def _shapes(inputs: int, outputs: int, shapes: int) -> Iterator[tuple[tuple[int, ...], Types]]:
    """Yield shapes for all inputs but the first, with types, so that much is tried soon."""
    for first in ("FLOAT32", "INT32", "INT8", "BOOL", "RESOURCE") if inputs else ("",):
        for chosen in product(range(shapes), repeat=max(0, inputs - 1)):
            for types in islice(_combinations(first, inputs, outputs), 6):
                yield (0, *chosen)[:inputs], types


def _combinations(first: str, inputs: int, outputs: int) -> Iterator[Types]:
    """Yield types of all tensors: those that are likely, then all other inputs of one type."""
    results = _RESULTS if outputs < 2 else _RESULTS[:4]
    others = max(0, inputs - 1)
    likely = product(*[results] * outputs, *[_OTHERS if inputs < 3 else _OTHERS[:5]] * others)
    alike = ((*(result,) * outputs, *(t,) * others) for t in TYPES if others for result in dict.fromkeys((SAME, t)))
    for types in chain(islice(likely, _MOST_COMBINATIONS), alike):
        named = [first if t == SAME else t for t in (*types[outputs:], *types[:outputs])]
        if "" not in named:
            yield (*([first] if inputs else []), *named)


def _takes(asked: Asked, first: str, inputs: int, outputs: int, chosen: tuple[int, ...]) -> bool:
    return any(_is_open(asked(inputs, outputs, types, chosen)) for types in _combinations(first, inputs, outputs))


def _is_told(asked: Asked, first: str, inputs: int, outputs: int, chosen: tuple[int, ...]) -> bool:
    """Say whether one answer is about something else than types, in words."""
    answers = (asked(inputs, outputs, types, chosen) for types in _combinations(first, inputs, outputs))
    return any(_is_open(said) and said != "died" and _NODE.sub("", said).strip() for said in answers)


def passes(said: str) -> bool:
    """Say whether a model was taken and run."""
    return not said or said.startswith("made ")


def minds_types(said: str) -> bool:
    """Say whether an answer is about element types, and about nothing else."""
    text = _PATH.sub("", said)
    return bool(_TELLS.search(text)) or (bool(_MINDS.search(text)) and not _OTHERWISE.search(text))


def _is_open(said: str) -> bool:
    """Say whether an answer does not refuse a type, where it is not known that anything else passes."""
    text = _PATH.sub("", said)
    return passes(said) or said == "died" or not minds_types(text)


def _is_fine(said: str, type: str) -> bool:
    """Say whether an answer does not refuse a type, where all else is as in a model that passes.

    Numbers of another width can end anything; types without memory of numbers end it each time.
    """
    text = _PATH.sub("", said)
    return passes(said) or (
        type not in ODD if said == "died" else bool(_OTHERWISE.search(text) and not _TELLS.search(text))
    )


def _places(
    asked: Asked, every: Sequence[str], first: str, counts: tuple[int, int], chosen: tuple[int, ...]
) -> Iterator[tuple[str, list[str]]]:
    """Yield the tensors whose types the kernel minds, with those that it takes, in the order of `every`."""
    inputs, outputs = counts
    combinations = list(_combinations(first, inputs, outputs))
    passed = [types for types in combinations if passes(asked(inputs, outputs, types, chosen))]
    bases = (passed or [types for types in combinations if _is_open(asked(inputs, outputs, types, chosen))])[
        :_MOST_BASES
    ]
    for place in range(1 if inputs else 0, inputs + outputs):
        good = {types[place] for types in passed}
        for base in bases:
            tried = ((t, (*base[:place], t, *base[place + 1 :])) for t in every if t not in good)
            told = {t: asked(inputs, outputs, types, chosen) for t, types in tried}
            good |= {t for t, said in told.items() if (_is_fine(said, t) if passed else _is_open(said))}
        name = str(place) if place < inputs else f"o{place - inputs}"
        if len(good) < len(every):
            yield name, [t for t in every if t in good]
        if place >= inputs and passed and {*_STORED} <= good:
            made = _made(asked, passed, place, counts, chosen)
            if made:
                yield f"s{place - inputs}", [made]


def _made(asked: Asked, passed: Sequence[Types], place: int, counts: tuple[int, int], chosen: tuple[int, ...]) -> str:
    """Return the type that a kernel gives an output whatever is stored, empty where it takes the stored one.

    It is said as that of an input (`@`, `@1`), or by name, or as `?` where neither is so for all that was tried.
    """
    inputs, outputs = counts
    found: set[tuple[str, ...]] = set()  # by base: how its type could be called
    by_inputs = {types[:inputs]: types for types in reversed(passed)}
    for base in islice(by_inputs.values(), _MOST_MADE):
        made = set()
        for stored in _STORED:
            said = asked(inputs, outputs, (*base[:place], stored, *base[place + 1 :]), chosen)
            made.add(said.removeprefix("made ").split(",")[place - inputs] if said.startswith("made ") else stored)
        if len(made) > 1:
            return ""
        (one,) = made
        found.add((*(_input_name(n) for n in range(inputs) if base[n] == one), one))
    common = set.intersection(*map(set, found)) if found else set()
    return min(common, key=lambda name: (not name.startswith("@"), name)) if common else "?"


def _input_name(number: int) -> str:
    return f"{SAME}{number or ''}"
