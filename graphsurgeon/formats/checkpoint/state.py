"""The text file `checkpoint` of a folder, which names the latest checkpoint and the earlier ones that are kept.

`tf.train.latest_checkpoint` returns what it names if files are there, else None; a path that is not absolute begins at
the folder. Savers of TensorFlow 1 write absolute paths, so that a folder that was moved names files that are gone.
Source: `checkpoint_management.py` and `checkpoint_state.proto` of TensorFlow 2.21.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from graphsurgeon.disk.files import can_list, contained, folder_names, is_file, is_folder, open_source
from graphsurgeon.disk.places import RemotePath
from graphsurgeon.encoding.sstable import is_table
from graphsurgeon.errors import FileError
from graphsurgeon.formats import schema
from graphsurgeon.model.checkpoint import STATE_FILE, StateFile

INDEX = ".index"
_MOST_BYTES = 1 << 20
_FIELD = re.compile(rb'(\w+): (?:("[\x20\x21\x23-\x5b\x5d-\x7e]*")|(\d+(?:\.\d+)?))\n')
_PLAIN = re.compile(rb'(?:\w+: (?:"[\x20\x21\x23-\x5b\x5d-\x7e]*"|\d+(?:\.\d+)?)\n)*')


def read_state(folder: Path) -> StateFile | None:
    """Return what the state file of a folder says, and which of its paths lead nowhere; None if there is none."""
    if isinstance(folder, RemotePath) or not is_file(folder / STATE_FILE):
        return None
    try:
        file = open_source(contained(folder, STATE_FILE))
        if file.size > _MOST_BYTES or is_table(file):
            return None
        message = _parse(file.read_at(0, file.size))
    except FileError:
        return None
    if message is None:
        return StateFile("", (), {}, "cannot be parsed, so that TensorFlow ignores it")
    paths = (message.model_checkpoint_path, *message.all_model_checkpoint_paths)
    wrong = {path: right for path in paths if path and (right := _right(folder, path)) != path}
    problem = "" if message.model_checkpoint_path else "names no latest checkpoint, so that TensorFlow refuses it"
    return StateFile(
        message.model_checkpoint_path, tuple(message.all_model_checkpoint_paths), wrong, problem, raw=message
    )


def latest(data: bytes) -> str:
    """Return the latest checkpoint that a state file names; empty if it names none or cannot be parsed."""
    message = _parse(data)
    return str(message.model_checkpoint_path) if message is not None else ""


def lower_state(state: StateFile) -> bytes:
    """Return the text of a state file. Timestamps stay beside the paths that they belong to."""
    from google.protobuf import text_format

    message = schema.message("tensorflow.CheckpointState")()
    if state.raw is not None:
        message.CopyFrom(state.raw)
    times = list(message.all_model_checkpoint_timestamps)
    kept = [place for place, path in enumerate(message.all_model_checkpoint_paths) if state.wrong.get(path, path)]
    message.model_checkpoint_path = state.latest
    del message.all_model_checkpoint_paths[:], message.all_model_checkpoint_timestamps[:]
    message.all_model_checkpoint_paths.extend(state.paths)
    if len(kept) == len(state.paths) and kept and kept[-1] < len(times):
        message.all_model_checkpoint_timestamps.extend(times[place] for place in kept)
    return text_format.MessageToString(message).encode()


def state_after(folder: Path, prefix: str, said: StateFile | None, *, is_new: bool) -> StateFile | None:
    """Return the state file that a folder must get when a checkpoint is written into it; None if it stays as it is.

    Args:
        folder: where the checkpoint goes; it may not be there yet.
        prefix: name of the checkpoint in the folder.
        said: what the file is to say where somebody has changed that.
        is_new: the checkpoint was not there: a folder for it alone gets a file that names it.
    """
    there = read_state(folder) if is_folder(folder) else None
    if said is not None and there is not None and (said.latest, said.paths) != (there.latest, there.paths):
        return said
    if there is not None:
        is_wrong = there.problem or not _is_there(folder, there.latest)
        return there.mended(prefix) if is_wrong and not _is_named(there, prefix) else None
    if not is_new or isinstance(folder, RemotePath) or (is_folder(folder) and not _holds_only(folder, prefix)):
        return None
    return StateFile(prefix, (prefix,), {})


def _is_named(state: StateFile, prefix: str) -> bool:
    """Say whether the latest checkpoint is the one that is being written."""
    return state.latest in (prefix, f"./{prefix}")


def _holds_only(folder: Path, prefix: str) -> bool:
    if not can_list(folder):
        return False
    return all(name.startswith((f"{prefix}{INDEX}", f"{prefix}.data-", ".")) for name in folder_names(folder))


def _parse(data: bytes) -> Any:
    """Return the message of a text; None if it is none. What savers write is read here: the parser takes its time."""
    message = schema.message("tensorflow.CheckpointState")()
    if _PLAIN.fullmatch(data):
        for name, path, number in _FIELD.findall(data):
            if name == b"model_checkpoint_path" and path:
                message.model_checkpoint_path = path[1:-1].decode("ascii")
            elif name == b"all_model_checkpoint_paths" and path:
                message.all_model_checkpoint_paths.append(path[1:-1].decode("ascii"))
            elif name == b"last_preserved_timestamp" and number:
                message.last_preserved_timestamp = float(number)
            elif name == b"all_model_checkpoint_timestamps" and number:
                message.all_model_checkpoint_timestamps.append(float(number))
            else:
                return None
        return message
    from google.protobuf import text_format

    try:
        text_format.Parse(data, message)
    except (text_format.ParseError, UnicodeDecodeError):
        return None
    return message


def _is_there(folder: Path, path: str) -> bool:
    place = folder / path
    if not place.name:  # the root of a disk
        return False
    is_v2 = bool(path) and is_file(place.with_name(place.name + INDEX))
    return is_v2 or (is_file(place) and not path.endswith(INDEX))


def _right(folder: Path, path: str) -> str:
    """Return what a path should be: itself, a name in the folder, or nothing where no such checkpoint is there."""
    pure = PurePosixPath(path.replace("\\", "/"))
    names = [pure.name, pure.name.removesuffix(INDEX)]
    is_elsewhere = pure.is_absolute() and os.path.realpath(pure.parent) != os.path.realpath(folder)
    if _is_there(folder, path) and not is_elsewhere:
        return path
    here = next((name for name in names if name and _is_there(folder, name)), "")
    return here or (path if _is_there(folder, path) else "")
