"""What people type that a command does not take, and what they mean by it."""

from __future__ import annotations

import os
import re
import shlex
from typing import Any

from graphsurgeon.errors import UsageError

_EXTRA = re.compile(r"unexpected extra arguments? ?(?:\(s\))? ?\((.*)\)", re.DOTALL)
_OPTION = re.compile(r"No such option:? ['\"]?(-[^\s'\"]+)")

# Options of other programs, or of other commands of this one -> ours; the first that the command has.
_OTHER_NAMES = {
    "--output-node-names": ("--outputs",),
    "--output-nodes": ("--outputs",),
    "--output-node": ("--outputs",),
    "--output-names": ("--outputs",),
    "--output-arrays": ("--outputs",),
    "--input-arrays": ("--inputs",),
    "--input-names": ("--inputs",),
    "--input-nodes": ("--inputs",),
    "--inputs": ("--input", "--inputs"),
    "--output": ("--outputs",),
    "--input": ("--inputs", "--feed"),
    "--from": ("--inputs",),
    "--to": ("--outputs", "--format"),
    "--tag": ("--tags",),
    "--tag-set": ("--tags",),
    "--signature-def": ("--signature",),
    "--signature-key": ("--signature", "--name"),
    "--input-shape": ("--shape", "--assume"),
    "--input-shapes": ("--shape", "--assume"),
    "--shapes": ("--shape", "--assume"),
    "--dtypes": ("--dtype",),
    "--type": ("--dtype",),
    "--ops": ("--op",),
    "--op-type": ("--op",),
    "--names": ("--name",),
    "--kinds": ("--only",),
    "--kind": ("--only",),
    "--passes": ("--only",),
    "--except": ("--keep",),
    "--exclude": ("--keep",),
    "--overwrite": ("--force",),
    "--yes": ("--force",),
    "--inplace": ("--in-place",),
    "--i": ("--in-place",),
    "--out-file": ("-o",),
    "--output-file": ("-o",),
    "--output-dir": ("-o",),
    "--output-path": ("-o",),
    "--jobs": ("-j",),
}

# What one command says in another way.
_SAID_HERE = {
    ("convert", "--to"): "the suffix of OUT says what is written, or --format",
    ("add-output", "--outputs"): "without an option: gs add-output MODEL TENSOR=NAME",
    ("add-signature", "--outputs"): "--output KEY=TENSOR, once for each",
    ("add-signature", "--inputs"): "--input KEY=TENSOR, once for each",
    ("rename", "--from"): "without an option: gs rename MODEL OLD=NEW",
}

# What a further word most likely is: the option by which the command takes it.
_WORDS = {
    "find": "--name",
    "freeze": "--outputs",
    "extract": "--outputs",
    "strip": "--outputs",
    "set-input": "--shape",
    "set-output": "--dtype",
    "run": "--feed",
}


def usage_error(error: Exception, name: str) -> UsageError:
    """Return the error for what the parser of the command line refuses: one line that says what is meant."""
    context = getattr(error, "ctx", None)
    place = context.command_path if context is not None else name
    said = error.format_message() if hasattr(error, "format_message") else str(error)
    message = " ".join(said.split()).rstrip(".")
    extra, option = _EXTRA.search(message), _OPTION.search(message)
    hint = ""
    if extra is not None and context is not None:
        message, hint = _further(context, extra.group(1))
    elif option is not None and context is not None:
        hint = _called_here(context, option.group(1))
        message = f"no such option: {option.group(1)}" if hint else message
    return UsageError(message, hint="; ".join(filter(None, (hint, f"see {place} --help"))))


def _further(context: Any, given: str) -> tuple[str, str]:
    """Say what words are too many, and where they belong."""
    command, words = context.command, given.split()
    known = _options(command)
    arguments = [each.human_readable_name for each in command.params if each.param_type_name == "argument"]
    what = f"{shlex.quote(words[0])} is too much: {command.name} takes {' '.join(arguments) or 'no argument'}"
    typed = context.meta.get("arguments", [])
    if os.path.exists(words[0]) and typed and not os.path.exists(typed[0]) and not typed[0].startswith("-"):
        return what, f"MODEL comes first: gs {command.name} {shlex.quote(words[0])}"
    is_path = os.sep in words[0] or bool(re.search(r"\.[A-Za-z]{1,11}$", words[0]))
    has_target = any(word in ("-o", "--out", "--output") for word in typed) or command.name == "convert"
    if is_path and "-o" in known and not has_target:
        return what, f"-o {shlex.quote(words[0])} is where the result goes"
    option = _WORDS.get(command.name, "")
    return what, f"{option} {shlex.quote(words[0])}, if that is meant" if option and not is_path else ""


def _called_here(context: Any, option: str) -> str:
    known, asked = _options(context.command), option.lower().replace("_", "-")
    if (context.command.name, asked) in _SAID_HERE:
        return _SAID_HERE[context.command.name, asked]
    ours = next((name for name in _OTHER_NAMES.get(asked, ()) if name in known), "")
    return f"it is {ours} here" if ours else ""


def _options(command: Any) -> set[str]:
    return {name for each in command.params for name in each.opts if name.startswith("-")}


def require_order(context: Any) -> None:
    """Refuse a model that comes last, where what comes first is no file.

    Raises:
        UsageError: the words that are given stand the other way round.
    """
    model, *others = [
        context.params.get(each.name) for each in context.command.params if each.param_type_name == "argument"
    ] or [None]
    if model is None or isinstance(model, list | tuple) or os.path.exists(model) or "://" in str(model):
        return
    words = [str(word) for other in others for word in (other if isinstance(other, list | tuple) else [other]) if other]
    there = next((word for word in words if os.path.exists(word)), None)
    if there is not None and "=" in str(model):
        raise UsageError(
            f"{str(model)!r} is no file, and {there!r} is one",
            hint=f"MODEL comes first: gs {context.command.name} {shlex.quote(there)} {shlex.quote(str(model))}",
        )
