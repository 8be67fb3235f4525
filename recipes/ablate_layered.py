"""Ablate the layered network at small scale: seven parts, two seeds, one budget, rendered people.

    bdmm synth -o people128/ --clips 360 --size 128 --frames 24 --seed 1000 --no-truth
    bdmm synth -o held128/ --clips 16 --size 128 --frames 24 --seed 9500 --split test --no-truth
    python recipes/ablate_layered.py people128/ held128/ -o runs/ablations --vgg VGG19

Writes runs/ablations/table.md and table.json: the coarse warp, the full network and the network
without DMM, offsets, style weights, masks, forward propagation, backward propagation and the
structural recurrence. Rerun the same command to resume. On a GPU give
--gpu.

A few hundred steps say which parts help early, not what a long training would come to. The test
clips' stored warps are used, whose fits are as wrong as those that were learnt.
"""

import argparse
import sys
from pathlib import Path

from bdmm.cli.app import main as bdmm

ROWS = (
    "no-dmm",
    "no-dcn",
    "no-style-weight",
    "no-motion-mask",
    "no-forward",
    "no-backward",
    "no-structural-recurrence",
)
CROP = (112, 80)
"""The part around the person that is learnt from, of frames of 128x128."""


def main() -> int:
    """Run `bdmm ablate` with this recipe's rows and budget; return its exit code."""
    options = parse()
    return bdmm(
        [
            "ablate",
            *("--preset", "layered", "--rows", *ROWS),
            *("--data", str(options.people), "--test", str(options.held), "--cached"),
            *("--output", str(options.output), "--vgg", str(options.vgg)),
            *("--seeds", *map(str, options.seeds), "--steps", str(options.steps)),
            *("--crop", *map(str, CROP), "--batch", str(options.batch)),
            *("--window", str(options.window), "--windows", "1"),
            *("--features-every", "6", "--workers", "0"),
            *("--accelerator", "cuda" if options.gpu else "cpu"),
            *("--readers", str(options.readers)),
        ]
    )


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Ablate the layered network at small scale.")
    parser.add_argument("people", type=Path, help="clips of 128x128 to learn from")
    parser.add_argument("held", type=Path, help="clips of 128x128 of other people, to evaluate on")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the study")
    parser.add_argument("--vgg", type=Path, required=True, help="file of VGG-19's weights")
    parser.add_argument("--steps", type=int, default=300, help="of every run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--window", type=int, default=6, help="frames of a window")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--readers", type=int, default=0, help="processes that read ahead")
    parser.add_argument("--gpu", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
