"""Layers by themselves, for `torch_exports.py`: what the exporter writes in one op or in several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch_network import Called, Network, image


def networks() -> Iterator[Network]:
    """Yield the networks of this file."""
    yield from _resizes()
    yield from _layers()


def _resizes() -> Iterator[Network]:
    def of(**how: Any) -> nn.Module:
        return Called(lambda conv, x: functional.interpolate(conv(x), **how), nn.Conv2d(3, 4, 3, padding=1))

    sizes = {
        "2": {"scale_factor": 2.0},
        "1.7": {"scale_factor": 1.7},
        "half": {"scale_factor": 0.5},
        "to": {"size": (37, 23)},
    }
    for mode in ("nearest", "bilinear", "bicubic", "area"):
        for label, how in sizes.items():
            for corners in (False, True) if mode in ("bilinear", "bicubic") else (None,):
                kind = {"align_corners": corners} if corners is not None else {}
                name = f"{mode}-{label}{'-corners' if corners else ''}"
                make = lambda mode=mode, how=how, kind=kind: of(mode=mode, **how, **kind)  # noqa: E731
                yield Network("interpolate", name, make, (image(20, 28),), {0: [0, 2, 3]})
                yield Network("interpolate", f"{name}-fixed", make, (image(20, 28),), {}, (17,))
    like = lambda conv, x, y: functional.interpolate(conv(x), size=y.shape[-2:], mode="bilinear")  # noqa: E731
    yield Network(
        "interpolate", "like-another", lambda: Called(like, nn.Conv2d(3, 4, 3)), (image(20, 28), image(33, 50)),
        {0: [0, 2, 3], 1: [0, 2, 3]},
    )  # fmt: skip


def _layers() -> Iterator[Network]:
    """Yield what the exporter writes in more than one op."""
    line, picture, cube = torch.rand(2, 6, 20), image(15, 21, 2, 6), torch.rand(2, 3, 8, 10, 12)
    for name, make, given in (
        ("conv1d", lambda: nn.Conv1d(6, 8, 3, stride=2, padding=1, groups=2), line),
        ("conv1d-circular", lambda: nn.Conv1d(6, 8, 3, padding=1, padding_mode="circular"), line),
        ("conv3d", lambda: nn.Conv3d(3, 4, 3, padding=(0, 1, 2), dilation=(1, 1, 2)), cube),
        ("conv-same", lambda: nn.Conv2d(6, 8, (3, 4), padding="same", dilation=(2, 1)), picture),
        ("depthwise", lambda: nn.Conv2d(6, 12, 3, stride=(2, 1), padding=1, groups=6), picture),
        ("depthwise-dilated", lambda: nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=6), picture),
        ("transposed1d", lambda: nn.ConvTranspose1d(6, 4, 4, stride=3, padding=1, output_padding=1), line),
        ("transposed3d", lambda: nn.ConvTranspose3d(3, 4, 3, stride=2, padding=1), cube),
        ("transposed-dilated", lambda: nn.ConvTranspose2d(6, 4, 3, stride=2, dilation=2, groups=2), picture),
        ("adaptive-avg", lambda: nn.AdaptiveAvgPool2d((5, 7)), picture),
        ("adaptive-avg-1", lambda: nn.AdaptiveAvgPool2d(1), picture),
        ("adaptive-max", lambda: nn.AdaptiveMaxPool2d((3, 3)), picture),
        ("avg-ceil", lambda: nn.AvgPool2d(4, 3, 1, ceil_mode=True), picture),
        ("avg-ceil-no-pad", lambda: nn.AvgPool2d(4, 3, 1, ceil_mode=True, count_include_pad=False), picture),
        ("max-dilated", lambda: nn.MaxPool2d(3, 2, 1, dilation=2), picture),
        ("max1d", lambda: nn.MaxPool1d(3, 2), line),
        ("lp-pool", lambda: nn.LPPool2d(2, 3), picture),
        ("max-indices", lambda: nn.MaxPool2d(2, return_indices=True), picture),
        ("local-response", lambda: nn.LocalResponseNorm(3), picture),
        ("layer-norm", lambda: nn.LayerNorm([15, 21]), picture),
        ("instance-norm1d", lambda: nn.InstanceNorm1d(6, affine=True), line),
        ("batch-norm1d", lambda: nn.BatchNorm1d(6), line),
        ("batch-norm3d", lambda: nn.BatchNorm3d(3), cube),
        ("channel-shuffle", lambda: nn.ChannelShuffle(3), picture),
        ("fold", lambda: Called(lambda x: functional.unfold(x, 3, padding=1)), picture),
        ("glu", lambda: nn.GLU(1), picture),
        ("softmax2d", lambda: nn.Softmax2d(), picture),
        ("softmin", lambda: nn.Softmin(-1), line),
        ("cosine", lambda: Called(lambda x: functional.cosine_similarity(x, x.flip(1))), line),
        ("cdist", lambda: Called(lambda x: torch.cdist(x, x.flip(1))), line),
        ("normalize", lambda: Called(lambda x: functional.normalize(x)), line),
        ("einsum", lambda: Called(lambda x: torch.einsum("bij,bkj->bik", x, x)), line),
        ("topk", lambda: Called(lambda x: torch.topk(x, 3, 1)), line),
        ("sort", lambda: Called(lambda x: torch.sort(x, 1, descending=True)), line),
        ("cumsum", lambda: Called(lambda x: torch.cumsum(x, 2)), line),
        ("roll", lambda: Called(lambda x: torch.roll(x, (2, -3), (2, 3))), picture),
        ("flip", lambda: Called(lambda x: torch.flip(x, (2, 3))), picture),
        ("tril", lambda: Called(lambda x: torch.tril(x)), picture),
        ("masked-fill", lambda: Called(lambda x: x.masked_fill(x > 0.5, -1e4)), picture),
        ("where", lambda: Called(lambda x: torch.where(x > 0.5, x, x.mean(1, True))), picture),
        ("gather", lambda: Called(lambda x: x.gather(2, (x.abs() * 3).long())), picture),
        ("scatter", lambda: Called(lambda x: torch.zeros_like(x).scatter(2, torch.argsort(x, 2), x)), line),
        ("index-put", lambda: Called(_index_put), picture),
        ("index", lambda: Called(lambda x: x[:, [0, 2, 4], 1:-1:2, -1]), picture),
        ("index-two", lambda: Called(lambda x: x[:, [0, 2, 4], :, [1, 2, 3]]), picture),
        ("strided", lambda: Called(lambda x: torch.cat([x[..., ::2, ::2], x[..., 1::2, 1::2]], 1)), image(16, 22)),
        ("split", lambda: Called(lambda x: torch.split(x, [1, 2, 3], 1)), picture),
        ("chunk", lambda: Called(lambda x: torch.chunk(x, 4, 2)), picture),
        ("stack", lambda: Called(lambda x: torch.stack(x.unbind(1), 2)), line),
        ("repeat", lambda: Called(lambda x: x.repeat(1, 2, 3)), line),
        ("repeat-interleave", lambda: Called(lambda x: x.repeat_interleave(2, 1)), line),
        ("expand", lambda: Called(lambda x: x.mean(2, True).expand_as(x) * x), line),
        ("std", lambda: Called(lambda x: torch.cat([x.std(1), x.var(1, unbiased=False)], 1)), line),
        ("norm", lambda: Called(lambda x: x.norm(dim=1)), line),
        ("logsumexp", lambda: Called(lambda x: x.logsumexp((1, 2))), line),
        ("argmax", lambda: Called(lambda x: x.argmax(1)), picture),
        ("max-of", lambda: Called(lambda x: x.max(1)), picture),
        ("clamp", lambda: Called(lambda x: x.clamp(min=0.3).clamp(max=0.6)), line),
        ("rounding", lambda: Called(lambda x: (x * 7 - 3).round() + (x * 7) // 2 + torch.fmod(x, 0.3) + x % 0.3), line),
        ("trig", lambda: Called(lambda x: torch.atan2(x, x.flip(1)) + x.sin() + x.tan() + torch.erf(x)), line),
        ("bits", lambda: Called(lambda x: (x > 0.5) & ~(x > 0.8) | (x < 0.1) ^ (x > 0.7)), line),
        ("bucket", lambda: Called(lambda x: (x[..., None] > torch.linspace(0, 1, 5)).sum(-1)), line),
        ("nonzero", lambda: Called(lambda x: x[x > 0.5]), line),
        ("arange", lambda: Called(lambda x: x + torch.arange(x.shape[-1]) * torch.ones(x.shape[1], 1)), line),
        ("baddbmm", lambda: Called(lambda x: torch.baddbmm(x[:, :, :6], x, x.transpose(1, 2), alpha=0.5)), line),
        ("hardshrink", lambda: nn.Sequential(nn.Hardshrink(0.3), nn.Softshrink(0.2), nn.Hardsigmoid()), line),
        ("selu", lambda: nn.Sequential(nn.SELU(), nn.RReLU(), nn.ReLU6(), nn.Tanhshrink()), line),
        ("bilinear", lambda: Called(lambda net, x: net(x[:, :, :6], x[:, :, 6:11]), nn.Bilinear(6, 5, 4)), line),
        ("embedding-bag", lambda: Called(lambda net, x: net((x[:, 0].abs() * 2).long()), nn.EmbeddingBag(12, 4)), line),
        ("script-loop", lambda: torch.jit.script(_Loop()), line),
        ("script-if", lambda: torch.jit.script(_Branch()), line),
        ("half", lambda: Called(lambda net, x: net(x.half().float()), nn.Conv1d(6, 4, 3)), line),
        ("double", lambda: Called(lambda x: (x.double() @ x.double().transpose(1, 2)).softmax(-1)), line),
    ):  # fmt: skip
        yield Network("layers", name, make, (given,), {0: [0, given.dim() - 1]})
        yield Network("layers", f"{name}-fixed", make, (given,), {}, (17,))


def _index_put(x: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x[:, 1, 2:5] = 7.0
    x[:, [0, 2], 0, 0] += 1
    return x


class _Loop(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(x[:, :, 0])
        for step in range(x.size(2)):
            total = torch.tanh(total + x[:, :, step])
        return total


class _Branch(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.size(0) > 1:
            y = x * 2
        else:
            y = x - 1
        return y
