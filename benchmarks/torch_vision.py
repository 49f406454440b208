"""Networks that see, for `torch_exports.py`: those of torchvision, generators, heads of detectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch_network import OPSETS, Called, Network, image


def networks() -> Iterator[Network]:
    """Yield the networks of this file."""
    yield from _classifiers()
    yield from _segmenters()
    yield from _detectors()
    yield from _pictures()


def _classifiers() -> Iterator[Network]:
    from torchvision import models

    small = [
        "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0", "shufflenet_v2_x0_5",
        "shufflenet_v2_x1_0", "squeezenet1_0", "squeezenet1_1", "mnasnet0_5", "mnasnet1_0", "regnet_y_400mf",
        "regnet_x_400mf", "densenet121", "googlenet", "resnet18",
    ]  # fmt: skip
    large = ["resnet50", "resnext50_32x4d", "inception_v3", "efficientnet_v2_s", "convnext_tiny", "densenet169"]
    for name in (*small, *large):
        make = getattr(models, name)
        extra = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        if name in ("googlenet", "inception_v3"):
            extra["aux_logits"] = False
        side = 160 if name == "inception_v3" else 96
        opsets = OPSETS if name in small else (13,)
        yield Network(
            "torchvision", name, lambda make=make, extra=extra: make(weights=None, **extra), (image(side, side + 32),),
            {0: [0, 2, 3]}, opsets,
        )  # fmt: skip
    yield Network("torchvision", "alexnet-fixed", lambda: models.alexnet(weights=None), (image(96, 128),), {}, (17,))
    for name, kind, extra in (
        (
            "swin",
            models.SwinTransformer,
            {"patch_size": [4, 4], "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4]},
        ),
        (
            "swin_v2",
            models.SwinTransformer,
            {"patch_size": [4, 4], "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4], "v2": True},
        ),
    ):
        yield Network(
            "torchvision",
            name,
            lambda kind=kind, extra=extra: _swin(kind, **extra),
            (image(64, 64),),
            {0: [0]},
            OPSETS,
        )
    yield Network("torchvision", "vit", _vit, (image(64, 64),), {0: [0]})
    yield Network("torchvision", "maxvit", _maxvit, (image(64, 64),), {0: [0]}, (13, 17))
    yield Network(
        "torchvision",
        "r2plus1d",
        lambda: models.video.r2plus1d_18(weights=None),
        (torch.rand(1, 3, 4, 32, 48),),
        {0: [0]},
        (13,),
    )
    yield Network(
        "torchvision", "s3d", lambda: models.video.s3d(weights=None), (torch.rand(1, 3, 16, 224, 224),), {0: [0]}, (17,)
    )


def _swin(kind: Any, *, v2: bool = False, **extra: Any) -> nn.Module:
    from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

    if v2:
        extra |= {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2}
    return kind(window_size=[4, 4], num_classes=10, **extra)


def _vit() -> nn.Module:
    from torchvision.models import VisionTransformer

    made = VisionTransformer(64, 16, 2, 4, 64, 128, num_classes=10)
    nn.init.normal_(made.heads.head.weight)
    return made


def _maxvit() -> nn.Module:
    from torchvision.models import MaxVit

    return MaxVit((64, 64), 16, 4, [16, 32], [1, 1], 8, 0.0, num_classes=10)


def _segmenters() -> Iterator[Network]:
    from torchvision.models import segmentation

    for name in ("deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "fcn_resnet50", "deeplabv3_resnet50"):
        make = getattr(segmentation, name)
        opsets = OPSETS if "mobilenet" in name else (13,)
        for kind, free in (("", {0: [0, 2, 3]}), ("-fixed", {})):
            yield Network(
                "segmentation", f"{name}{kind}",
                lambda make=make: Called(
                    lambda net, x: net(x)["out"], make(weights=None, weights_backbone=None, num_classes=5)
                ),
                (image(96, 128),), free, opsets if not kind else opsets[-1:],
            )  # fmt: skip
    yield Network("segmentation", "unet", _Unet, (image(64, 96),), {0: [0, 2, 3]})


class _Unet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([self._block(3, 8), self._block(8, 16), self._block(16, 32)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(32, 16, 2, stride=2), nn.ConvTranspose2d(16, 8, 2, stride=2)])
        self.merge = nn.ModuleList([self._block(32, 16), self._block(16, 8)])
        self.last = nn.Conv2d(8, 2, 1)

    @staticmethod
    def _block(before: int, after: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(after, affine=True),
            nn.SiLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for number, block in enumerate(self.down):
            x = block(x if not number else functional.max_pool2d(x, 2))
            kept.append(x)
        for number, (up, merge) in enumerate(zip(self.up, self.merge, strict=True)):
            x = up(x)
            other = kept[1 - number]
            high, wide = other.shape[2] - x.shape[2], other.shape[3] - x.shape[3]
            x = functional.pad(x, [wide // 2, wide - wide // 2, high // 2, high - high // 2])
            x = merge(torch.cat([other, x], 1))
        return self.last(x)


def _detectors() -> Iterator[Network]:
    from torchvision.models import detection

    def of(make: Any, **extra: Any) -> nn.Module:
        net = make(weights=None, weights_backbone=None, num_classes=4, **extra)
        return Called(lambda net, x: tuple(net([x])[0].values()), net)

    for name, extra in (
        ("fasterrcnn_mobilenet_v3_large_320_fpn", {"box_score_thresh": 0.1}),
        ("retinanet_resnet50_fpn", {"min_size": 128, "max_size": 160, "score_thresh": 0.01}),
        ("ssdlite320_mobilenet_v3_large", {"score_thresh": 0.1}),
        ("ssd300_vgg16", {"score_thresh": 0.1}),
        ("fcos_resnet50_fpn", {"min_size": 128, "max_size": 160, "score_thresh": 0.01}),
        ("maskrcnn_resnet50_fpn", {"min_size": 128, "max_size": 160, "box_score_thresh": 0.1}),
        ("keypointrcnn_resnet50_fpn", {"min_size": 128, "max_size": 160, "box_score_thresh": 0.1}),
    ):
        make = getattr(detection, name)
        opsets = (11, 17) if "mobilenet" in name else (13,)
        yield Network(
            "detection", name, lambda make=make, extra=extra: of(make, **extra), (torch.rand(3, 128, 160),), {}, opsets
        )


def _pictures() -> Iterator[Network]:
    shuffled = lambda: nn.Sequential(  # noqa: E731
        nn.Conv2d(3, 16, 5, padding=2),
        nn.Tanh(),
        nn.Conv2d(16, 27, 3, padding=1),
        nn.PixelShuffle(3),
        nn.Hardtanh(0, 1),
    )
    yield Network("pictures", "pixel-shuffle", shuffled, (image(20, 28),), {0: [0, 2, 3]})
    yield Network(
        "pictures", "pixel-unshuffle", lambda: nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 8, 3), nn.PReLU(8)),
        (image(20, 28),), {0: [0, 2, 3]},
    )  # fmt: skip
    yield Network("pictures", "gan", _generator, (torch.rand(2, 16, 1, 1),), {0: [0]})
    yield Network("pictures", "gan-dense", _dense_generator, (torch.rand(2, 16),), {0: [0]})
    yield Network("pictures", "style", _style, (image(32, 48),), {0: [0, 2, 3]})
    yield Network("pictures", "autoencoder", _autoencoder, (image(32, 48),), {0: [0, 2, 3]})
    grid = lambda x, g: functional.grid_sample(x, g, align_corners=False)  # noqa: E731
    yield Network(
        "pictures", "grid-sample", lambda: Called(grid), (image(20, 28), torch.rand(1, 9, 7, 2) * 2 - 1),
        {0: [0, 2, 3], 1: [0, 1, 2]}, (17,),
    )  # fmt: skip
    yield Network("pictures", "yolo-head", _YoloHead, (image(64, 96),), {0: [0, 2, 3]})


def _generator() -> nn.Module:
    layers: list[nn.Module] = []
    for before, after, stride, pad in ((16, 32, 1, 0), (32, 16, 2, 1), (16, 8, 2, 1)):
        layers += [nn.ConvTranspose2d(before, after, 4, stride, pad, bias=False), nn.BatchNorm2d(after), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(8, 3, 3, 2, 1, output_padding=1), nn.Tanh())


def _dense_generator() -> nn.Module:
    return nn.Sequential(
        nn.Linear(16, 8 * 4 * 6),
        nn.BatchNorm1d(192),
        nn.LeakyReLU(0.2),
        nn.Unflatten(1, (8, 4, 6)),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8, 3, 3, padding=1),
        nn.Sigmoid(),
    )


def _style() -> nn.Module:
    return nn.Sequential(
        nn.ReflectionPad2d(4),
        nn.Conv2d(3, 8, 9),
        nn.InstanceNorm2d(8, affine=True),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.InstanceNorm2d(16),
        nn.ELU(),
        nn.ReplicationPad2d(1),
        nn.Conv2d(16, 16, 3),
        nn.GroupNorm(4, 16),
        nn.Hardswish(),
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.ZeroPad2d((1, 0, 0, 1)),
        nn.Conv2d(16, 3, 3, padding=1),
        nn.Softsign(),
    )


def _autoencoder() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.GELU(),
        nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        nn.Conv2d(8, 16, 3, padding=2, dilation=2),
        nn.Mish(),
        nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        nn.ConvTranspose2d(16, 8, 3, 2, 1, 1, groups=4),
        nn.Softplus(),
        nn.ConvTranspose2d(8, 8, 4, 2, 1),
        nn.BatchNorm2d(8),
        nn.CELU(),
        nn.ConvTranspose2d(8, 3, 4, 2, 1),
        nn.LogSigmoid(),
    )


class _YoloHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 8, 6, 2, 2), nn.BatchNorm2d(8), nn.SiLU())
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.head = nn.Conv2d(32, 3 * 7, 1)
        self.register_buffer("anchors", torch.rand(1, 3, 1, 1, 2) * 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        pools = [x]
        for _ in range(3):
            pools.append(self.pool(pools[-1]))
        x = self.head(torch.cat(pools, 1))
        batch, _, high, wide = x.shape
        x = x.view(batch, 3, 7, high, wide).permute(0, 1, 3, 4, 2).contiguous()
        rows, columns = torch.meshgrid(torch.arange(high), torch.arange(wide), indexing="ij")
        cells = torch.stack((columns, rows), 2).view(1, 1, high, wide, 2).float()
        middle, size, rest = x.sigmoid().split((2, 2, 3), 4)
        middle = (middle * 2 - 0.5 + cells) * 8
        return torch.cat((middle, (size * 2) ** 2 * self.anchors, rest), 4).view(batch, -1, 7)
