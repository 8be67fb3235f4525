"""Count the multiplications that the generator needs for a frame, part by part.

    python tools/count_operations.py [--preset released] [--size 256] [--frames 6]

Counts convolutions and matrix products in the modules as they run (nothing is computed), over the
first window of a clip, style encoder included. The published network needs 41.05 GMAC for the
same; 1.52 of them go into an encoder block whose result is never used and which is left out here.
"""

import argparse
from dataclasses import replace

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bdmm.config import PRESETS
from bdmm.network.generator import Generator
from bdmm.records import Conditions, joints_of

UNUSED = 2 * 9 * 256 * 256 + 2 * 16 * 128 * 256
"""Operations per pixel (at 1/8) of the published third warp-encoder block: 128 -> 256 channels."""


def count(generator: Generator, size: int, frames: int) -> dict[str, float]:
    """Return GMAC per frame by module name, for the first window of a clip."""
    counter = FlopCounterMode(display=False, depth=9)
    with torch.device("meta"), torch.no_grad(), counter:
        image, foreground = torch.empty(1, 3, size, size), torch.empty(1, 1, size, size)
        generator(generator.prepare(image, foreground), between(generator, size, frames))
    outside = {"Global": "", "StyleEncoder": "style_encoder"}
    counts = {}
    for name, by_kind in counter.get_flop_counts().items():
        part = outside.get(name, name.removeprefix("Generator."))
        counts[part] = sum(by_kind.values()) / 2e9 / frames
    return counts


def between(generator: Generator, size: int, frames: int) -> Conditions:
    """Return a window between two more frames, or for a compositing head before one."""

    def window(length: int) -> Conditions:
        return Conditions(
            torch.empty(1, length, 29, 3),
            torch.empty(1, length, size, size, 2),
            torch.empty(1, length, size, size, dtype=torch.uint8),
            torch.empty(1, length, size, size, dtype=torch.bool),
            joints=joints_of(generator.config.joints),
        )

    before = None if generator.config.head == "layers" else window(1)
    return replace(window(frames), before=before, after=window(1))


def table(counts: dict[str, float]) -> list[tuple[str, float]]:
    """Sum the counts into the paper's parts; the last row is the total."""

    def total(*parts: str) -> float:
        return sum(value for name, value in counts.items() if name in parts)

    def within(block: str, part: str) -> float:
        return sum(
            value
            for name, value in counts.items()
            if name.startswith(block) and name.count(".") == 2 and part in name
        )

    rows = [
        ("style encoder", total("style_encoder")),
        ("warp encoder", total("warp_encoder")),
        ("forward propagation", total("forward_propagation")),
        ("backward propagation", total("backward_propagation")),
        ("structural encoder", total("structural_encoder.blocks")),
        ("structural recurrence", total("structural_encoder.recurrence")),
        ("motion modulation", within("decoder.", "_branch.")),
        ("direct convolutions", within("decoder.", ".direct.")),
        ("up-sampling", within("decoder.", ".up.")),
        ("colours or layers", total("head.to_rgb", "head.mix", "head.layers")),
    ]
    return [*rows, ("all", counts[""])]


def parameters(network: nn.Module) -> int:
    """Return the number of trained numbers."""
    return sum(parameter.numel() for parameter in network.parameters())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Multiplications per frame, part by part.")
    parser.add_argument("--preset", default="released", choices=sorted(PRESETS))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--frames", type=int, default=6, help="frames of a window")
    options = parser.parse_args()
    with torch.device("meta"):
        generator = Generator(PRESETS[options.preset])
    rows = table(count(generator, options.size, options.frames))
    everything = rows[-1][1]
    for name, value in rows:
        print(f"{name:22} {value:7.3f} GMAC {value / everything:6.1%}")
    print(f"parameters             {parameters(generator) / 1e6:7.3f} M")
    if options.preset == "released":
        pixels = (options.size // 8) ** 2 * (options.frames + 2) / options.frames
        unused = UNUSED / 2 * pixels / 1e9
        print(f"with the published network's unused block {everything + unused:.2f} GMAC")


if __name__ == "__main__":
    main()
