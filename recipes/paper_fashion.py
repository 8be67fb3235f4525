"""FashionVideo from its published folder to the rows of the paper's Table 1.

    python recipes/paper_fashion.py FASHION/ -o runs/fashion --vgg VGG19 --detectors WEIGHTS/
    python recipes/paper_fashion.py FASHION/ -o runs/fashion --rehearse

FASHION holds ``fashion_train.txt`` and ``fashion_test.txt`` with the 600 videos, or the paper's cut
frames (docs/clips.md). Prepares the clips of both splits at 256, trains the preset ``paper`` for
50,000 steps, scores it by the paper's protocol on the test clips, and writes OUT/table/table.md:
our row, the baselines, and Table 1 as published. Every command is printed before it runs. Rerun to
resume. ``--vgg`` is VGG-19 for the losses, ``--detectors`` the folder of the networks behind LPIPS,
FID and FVD (`bdmm evaluate --download` fetches them).

``--rehearse`` goes through every stage with three clips of 128 pixels and two steps, without the
losses of VGG-19 where ``--vgg`` is missing, and estimates hours and memory of the whole from them.
"""

import argparse
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bdmm.cli.app import main as bdmm
from bdmm.training.run_folder import read_log

STEPS, WINDOWS, SIDE = 50_000, 5, 256
_SMALL, _FEW, _TWO = 128, 3, 2
_VGG_LOSSES = ("perceptual", "style", "contextual")


@dataclass(frozen=True)
class Experiment:
    """A data set of the paper's Table 1.

    Attributes:
        test: split that is scored.
        published: name of the printed table.
    """

    name: str
    test: str
    published: str


FASHION = Experiment("FashionVideo", "test", "table 1 fashion")


def main(experiment: Experiment = FASHION, words: Sequence[str] | None = None) -> int:
    """Run all commands of an experiment; return the first exit code that is not 0."""
    options = parse(experiment, words)
    options.output.mkdir(parents=True, exist_ok=True)
    for command in commands(experiment, options):
        print("bdmm", *command, flush=True)
        if code := bdmm(command):
            return code
    print(estimate(options))
    return 0


def parse(experiment: Experiment, words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=f"{experiment.name}: the rows of Table 1.")
    parser.add_argument("data", type=Path, help="the published folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="of clips, run and table")
    parser.add_argument("--vgg", type=Path, help="file of VGG-19's weights")
    parser.add_argument("--detectors", type=Path, help="folder of the metrics' weights")
    parser.add_argument("--steps", type=int, default=STEPS, help="of five windows each")
    parser.add_argument("--devices", type=int, default=1, help="GPUs")
    parser.add_argument("--cpu", action="store_true", help="do not look for a GPU")
    parser.add_argument("--workers", type=int, help="processes; default: one per core")
    parser.add_argument("--rehearse", action="store_true", help="three clips, two steps")
    return parser.parse_args(words)


def commands(experiment: Experiment, options: argparse.Namespace) -> list[list[str]]:
    """Return the words after ``bdmm`` of every command, in order."""
    out, small = options.output, options.rehearse
    workers = [] if options.workers is None else ["--workers", str(options.workers)]
    accelerator = "cpu" if options.cpu else "auto"
    vgg = [] if options.vgg is None else ["--vgg", str(options.vgg)]
    without = ["--without", *_VGG_LOSSES] if small and not vgg else []
    few = ["--limit", str(_FEW)] if small else []
    detectors = [] if options.detectors is None else ["--detectors", str(options.detectors)]
    prepare = [
        [
            *("prepare", str(options.data), "-o", str(out / split), "--split", split),
            *("--size", str(_SMALL if small else SIDE), *few, *workers),
        ]
        for split in ("train", experiment.test)
    ]
    train = [
        *("train", "--preset", "paper", "--data", str(out / "train"), "-o", str(out / "run")),
        *("--steps", str(_TWO if small else options.steps), "--accelerator", accelerator),
        *("--windows", str(1 if small else WINDOWS), "--devices", str(options.devices)),
        *vgg,
        *without,
    ]
    evaluate = [
        *("evaluate", "--weights", f"ours={out / 'run'}", "--data", str(out / experiment.test)),
        *("-o", str(out / "report"), "--protocol", "paper", "--real", str(out / "train")),
        *vgg,
        *detectors,
        *workers,
    ]
    table = [
        *("table", f"BDMM, trained here={out / 'report'}", f"coarse warp={out / 'report'}:coarse"),
        *("-o", str(out / "table"), "--published", experiment.published),
    ]
    return [*prepare, train, evaluate, table]


def estimate(options: argparse.Namespace) -> str:
    """Return hours and memory of the whole training, from the steps that this run took."""
    log = read_log(options.output / "run")
    if not log:
        return "No step was logged."
    seconds = log[-1]["seconds_per_step"]
    memory = log[-1].get("mebibytes", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)
    if options.rehearse:
        # Time and memory grow with the pixels; a step of the whole has five windows.
        seconds *= WINDOWS * (SIDE / _SMALL) ** 2
    hours = seconds * options.steps / 3600
    return (
        f"{options.steps} steps of {WINDOWS} windows at {SIDE} pixels on this machine: about "
        f"{hours:.0f} hours ({seconds:.1f} s a step, from {log[-1]['step']} steps); these steps "
        f"took {memory:.0f} MiB at most{f' at {_SMALL} pixels' if options.rehearse else ''}."
    )


if __name__ == "__main__":
    sys.exit(main())
