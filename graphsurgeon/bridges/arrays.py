"""Arrays between processes, through a file: what numpy's own format needs pickle for, goes as bytes and lengths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays under their names; strings (arrays of objects) as bytes with their lengths."""
    import numpy as np

    plain: dict[str, Any] = {}
    for name, array in arrays.items():
        if array.dtype.kind == "O":
            items = [bytes(item) for item in array.reshape(-1)]
            plain[f"{name}.bytes"] = np.frombuffer(b"".join(items), "u1")
            plain[f"{name}.lengths"] = np.array([len(item) for item in items], "i8")
            plain[f"{name}.shape"] = np.array(array.shape, "i8")
        else:
            plain[name] = array
    np.savez(path, **plain)


def load_arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Read what `save_arrays` wrote."""
    import numpy as np

    arrays: dict[str, Any] = {}
    with np.load(path, allow_pickle=False) as file:
        for name in file.files:
            if name.endswith(".lengths"):
                base = name.removesuffix(".lengths")
                arrays[base] = _strings(file[f"{base}.bytes"].tobytes(), file[name], file[f"{base}.shape"])
            elif not name.endswith((".bytes", ".shape")):
                arrays[name] = file[name]
    return arrays


def _strings(data: bytes, lengths: Any, shape: Any) -> Any:
    import numpy as np

    array = np.empty(len(lengths), object)
    offset = 0
    for place, length in enumerate(lengths.tolist()):
        array[place] = data[offset : offset + length]
        offset += length
    return array.reshape(shape.tolist())
