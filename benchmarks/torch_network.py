"""What a network to export is, for `torch_exports.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

OPSETS = (11, 13, 17)


class Network(NamedTuple):
    """A network to export.

    Attributes:
        family, name: where the file goes.
        make: builds it; called with a seed set.
        inputs: examples of what goes in.
        free: number of an input -> its free axes.
        opsets: of the files.
    """

    family: str
    name: str
    make: Callable[[], nn.Module]
    inputs: tuple[Any, ...]
    free: dict[int, list[int]]
    opsets: tuple[int, ...] = OPSETS


class Called(nn.Module):
    """A function of modules, as one."""

    def __init__(self, function: Callable[..., Any], *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.function = function

    def forward(self, *given: torch.Tensor) -> Any:
        """Call it."""
        return self.function(*self.parts, *given)


def image(height: int, width: int, batch: int = 1, channels: int = 3) -> torch.Tensor:
    """Return a picture of noise."""
    return torch.rand(batch, channels, height, width)
