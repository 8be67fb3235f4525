"""Make the shipped weights: ``python tools/pack_weights.py RUN [RUN ...] --forward-only``.

Takes the averaged weights of a run of ``recipes/train_layered.py``, or the mean of several, each
started from another's, in half precision, and prints size and checksum; the model card
``layered.md`` next to the file must name the checksum. ``--forward-only`` leaves the backward
branch out.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from bdmm.network.weights import digest, load_weights, save_weights, shapes_of

FILE = Path(__file__).resolve().parents[1] / "src/bdmm/assets/weights/layered.safetensors"
LARGEST = 16 * 2**20


def pack(runs: Sequence[Path], file: Path, forward_only: bool = False) -> str:
    """Write the mean of some runs' weights in half precision; return what was written, in words."""
    configs, parts = zip(*(load_weights(run) for run in runs), strict=True)
    if forward_only:
        configs = [replace(config, backward_branch=False) for config in configs]
    config = configs[0]
    if any(other != config for other in configs):
        raise SystemExit("These runs are of different networks: weights of one kind have a mean.")
    halves = {
        name: torch.stack([part[name].float() for part in parts]).mean(dim=0).half()
        for name in shapes_of(config)
    }
    save_weights(file, halves, config)
    size = file.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{file} has {size} bytes, more than the {LARGEST} that may ship.")
    return f"{file.name}: {size / 2**20:.2f} MiB, tensors' SHA-256 {digest(halves)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the shipped weights.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder or weights file")
    parser.add_argument("-o", "--output", type=Path, default=FILE, help="file of the weights")
    parser.add_argument("--forward-only", action="store_true", help="without the backward branch")
    options = parser.parse_args()
    print(pack(options.runs, options.output, options.forward_only))
