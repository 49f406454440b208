"""Networks of PyTorch, exported to ONNX with random weights, for `benchmarks.lowering` to convert and run.

    python -m venv torch
    torch/bin/pip install torch==2.2.2 torchvision==0.17.2 transformers==4.40.2 onnx==1.16.2 'numpy<2'
    torch/bin/python benchmarks/torch_exports.py exports/
    python -m benchmarks.lowering --files exports/

Statistics of batch norms are measured on noise, and then shaken, so that numbers stay in range through a hundred layers
and no two channels are alike. Every network is exported at the opsets 11, 13 and 17, with free axes where it has some,
but large ones at one opset. `docs/lowering.md` has the table.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import torch_layers
import torch_sequences
import torch_vision
from torch import nn
from torch_network import Network


def main() -> None:
    """Export what a glob chooses, and tell what the exporter refuses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="*", help="a glob on family/name")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for network in [*torch_vision.networks(), *torch_sequences.networks(), *torch_layers.networks()]:
        if fnmatch.fnmatch(f"{network.family}/{network.name}", options.only):
            _export_all(network, options.folder)


def _export_all(network: Network, folder: Path) -> None:
    torch.manual_seed(7)
    try:
        module = network.make()
        _shake(module, network.inputs, batched=network.family != "detection")
    except Exception as error:  # of torch, whatever it is: told, and the others go on
        print(f"{network.family}/{network.name}: not made: {error!r:.200}", flush=True)
        return
    for opset in network.opsets:
        path = folder / network.family / f"{network.name}-{opset}.onnx"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        names = [f"x{number}" for number in range(len(network.inputs))]
        axes = {f"x{number}": {axis: f"x{number}_{axis}" for axis in free} for number, free in network.free.items()}
        try:
            torch.onnx.export(
                module, network.inputs, str(path), opset_version=opset, input_names=names, dynamic_axes=axes or None
            )
            print(f"{path.relative_to(folder)}: {path.stat().st_size:,} bytes", flush=True)
        except Exception as error:  # the exporter's own refusals
            path.unlink(missing_ok=True)
            told = " ".join(str(error).split())
            print(f"{path.relative_to(folder)}: not exported: {told:.160}", flush=True)


def _shake(module: nn.Module, inputs: tuple[Any, ...], *, batched: bool) -> None:
    """Give a network statistics of its own, and put it into inference."""
    norms = [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    module.eval()
    if norms:
        for part in norms:
            part.reset_running_stats()
            part.momentum = None
            part.train()
        with torch.no_grad():
            for _ in range(2):
                module(*[torch.cat([torch.rand_like(one) for _ in range(4)]) if batched else one for one in inputs])
        module.eval()
    with torch.no_grad():
        for part in norms:
            part.running_var.clamp_(min=0.2 * float(part.running_var.mean()))
            part.running_mean += 0.1 * part.running_var.sqrt() * torch.randn_like(part.running_mean)
            part.running_var *= 0.8 + 0.4 * torch.rand_like(part.running_var)
            if part.affine:
                part.weight.uniform_(0.7, 1.3)
                part.bias.normal_(0, 0.2)
        for part in module.modules():
            if isinstance(part, nn.LayerNorm | nn.GroupNorm) and part.weight is not None:
                part.weight.uniform_(0.7, 1.3)
                part.bias.normal_(0, 0.2)
            for name, weight in part.named_parameters(recurse=False):
                if name.endswith("layer_scale") or name == "gamma":
                    weight.uniform_(0.3, 0.7)


if __name__ == "__main__":
    sys.exit(main())
