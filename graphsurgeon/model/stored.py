"""Whether a constant's values are there: what a file stores, beside what type and shape need."""

from __future__ import annotations

from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.tensor import Tensor

_MOST_COUNTED = 1 << 20  # elements that are counted by reading them, where they are stored in another form


def missing_bytes(tensor: Tensor) -> str:
    """Say how much there is where it is too little, else nothing; looks at sizes and reads none of the large ones.

    Raises:
        GraphSurgeonError: the file that holds them is not there, or does not hold them.
    """
    source, needed = tensor.source, tensor.num_elements
    if tensor.dtype is STRING or not tensor.dtype.bits:
        return ""
    ranges = getattr(source, "ranges", lambda: None)()
    if ranges is not None:
        stored = sum(map(len, ranges))
    else:
        stored = sum(map(len, tensor.chunks())) if needed < _MOST_COUNTED else needed * tensor.dtype.itemsize
    if stored < needed * tensor.dtype.itemsize:
        return f"{stored} bytes for {tensor.dtype} of shape {tensor.shape}"
    return ""
