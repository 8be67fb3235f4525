"""Print and plot quality against the strength of noise on the driving poses: the main claim.

    python tools/measure_noise.py --weights both=W forward-only=W2 --data CLIPS -o OUT

W is a bidirectional network and W2 one trained without the backward branch, such as the run
``no-backward/0`` of `bdmm ablate`. The coarse warp is always included. Kinds of noise and their
injection points are described in `noise_trials`.

Writes noise.json, and a plot of PSNR and of SSIM on the person (noise_psnr.png, noise_ssim.png).
Rerun to resume.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import matplotlib as mpl
import torch
import tyro
from matplotlib.figure import Figure
from noise_trials import POINTS, Point, Trial, list_trials, noisy_items
from pose_noise import FULL_STRENGTH

from bdmm.batch.distributor import Distributor
from bdmm.evaluation.config import ALL, EvalConfig
from bdmm.evaluation.evaluate import run
from bdmm.evaluation.jobs.reenactment import choose_clips
from bdmm.evaluation.jobs.scores import Results
from bdmm.evaluation.reports.plots import COLOURS, STYLE, Points, draw
from bdmm.evaluation.systems import COARSE, list_systems
from bdmm.metrics.regions import PERSON

Curves = dict[tuple[Point, str], dict[str, list[tuple[float, float]]]]
"""(injection point, kind) -> system -> (strength, quality), strengths rising."""
_AXES = {
    "drop": "strength (1: 40 % missing)",
    "jitter": "strength (1: 10 px at 256)",
    "swap": "strength (1: 40 % of frames)",
    "freeze": "strength (1: 60 % of frames)",
    "drop+jitter": "strength (1: 40 %, 10 px)",
}
_METRICS = {"psnr": "PSNR of the person [dB]", "ssim": "SSIM of the person"}


@dataclass
class Options:
    """What to measure."""

    weights: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=FILE")]
    """Weights files or folders of runs."""
    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")]
    """Prepared clips."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of the numbers and plots."""
    limit: int | None = 8
    """At most N clips, spread over all."""
    first: int | None = 24
    """Only the first N frames of each clip."""
    strengths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    """Of the noise; clean poses are always included."""
    kinds: tuple[str, ...] = tuple(FULL_STRENGTH)
    """Of noise."""
    points: tuple[Point, ...] = tuple(POINTS)
    """Of injection."""
    seed: int = 0
    """Decides what the noise perturbs."""
    device: str = "cpu"
    """Device of the networks."""
    workers: int = 0
    """Processes; 0 for none but this one."""


def main(options: Options) -> None:
    """Measure, print, write."""
    torch.set_num_threads(1)
    clips = choose_clips(options.data, limit=options.limit)
    systems = list_systems(options.weights, (COARSE,))
    trials = list_trials(options.strengths, options.kinds, options.points, options.seed)
    config = EvalConfig(
        device=options.device,
        features_every=10**6,
        distribution_metrics=False,
        first=options.first,
        distributor=Distributor(options.workers),
    )
    items = noisy_items(systems, trials, clips, config)
    results = run(items, config, options.output, show)
    for one in results.failures:
        print(f"{one.system}, {one.clip}: {one.reason}")
    curves = {metric: curves_of(results, list(systems), trials, metric) for metric in _METRICS}
    save(options, curves, systems)
    print_losses(curves["psnr"], options)


def show(stage: str, done: int, total: int | None) -> None:
    """Print progress now and then."""
    if done % 50 == 0 or done == total:
        print(f"{stage}: {done} of {total}", flush=True)


def curves_of(results: Results, systems: list[str], trials: list[Trial], metric: str) -> Curves:
    """Return the curves of the person, from clean poses on."""
    found: Curves = {}
    perturbed: dict[tuple[Point, str], None] = {
        (one.point, one.kind): None for one in trials if one.strength
    }
    for point, kind in perturbed:
        own = [
            one for one in trials if one.point == point and (not one.strength or one.kind == kind)
        ]
        for system in systems:
            for trial in sorted(own, key=lambda one: one.strength):
                groups = results.groups.get(f"{system}, {trial.label}", {})
                means = groups.get(ALL) or next(iter(groups.values()), {})
                mean = means.get(PERSON, {}).get(metric)
                if mean is not None:
                    lines = found.setdefault((point, kind), {})
                    lines.setdefault(system, []).append((trial.strength, mean.mean))
    return found


def save(options: Options, curves: dict[str, Curves], systems: dict[str, str]) -> None:
    """Write the numbers and the plots."""
    content = {
        "metrics": {
            metric: [
                {"point": point, "kind": kind, "curves": lines}
                for (point, kind), lines in found.items()
            ]
            for metric, found in curves.items()
        },
        "full_strength": {kind: vars(noise) for kind, noise in FULL_STRENGTH.items()},
        "systems": systems,
        "settings": {"seed": options.seed, "limit": options.limit, "first": options.first},
    }
    text = json.dumps(content, indent=1)
    (options.output / "noise.json").write_text(text + "\n", encoding="utf-8")
    for metric, title in _METRICS.items():
        found = curves[metric]
        rows = [
            [
                (f"{point}: {kind}", _AXES[kind], found[point, kind])
                for kind in kinds
                if (point, kind) in found
            ]
            for point, kinds in POINTS.items()
        ]
        path = options.output / f"noise_{metric}.png"
        save_panels(path, f"{title} against noise on the driving poses", [r for r in rows if r])


def save_panels(
    path: Path, title: str, panels: Sequence[Sequence[tuple[str, str, Mapping[str, Points]]]]
) -> None:
    """Write curves in rows of panels with one vertical scale and one legend, as PNG.

    Args:
        path: of the picture.
        title: says what the vertical axis is.
        panels: (title, label of the horizontal axis, name -> points); a name has one colour.
    """
    names = dict.fromkeys(name for row in panels for _, _, lines in row for name in lines)
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    columns = max(1, *(len(row) for row in panels))
    with mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(max(3 * columns, 5), 2.4 * len(panels) + 0.6), layout="constrained"
        )
        figure.suptitle(title)
        grid = figure.subplots(len(panels), columns, sharey=True, squeeze=False)
        for row, cells in zip(panels, grid, strict=True):
            for axes in cells[len(row) :]:
                axes.set_axis_off()
            for (name, label, lines), axes in zip(row, cells, strict=False):
                axes.set_title(name)
                axes.set_xlabel(label)
                for system, points in lines.items():
                    draw(axes, system, points, colours[system], marker="o")
        handles = {}
        for axes in grid.flat:
            found, labels = axes.get_legend_handles_labels()
            handles |= dict(zip(labels, found, strict=True))
        figure.legend(handles.values(), handles, loc="outside lower left", frameon=False)
        figure.savefig(path, dpi=100)


def print_losses(curves: Curves, options: Options) -> None:
    """Print the loss of PSNR at each strength, by kind of noise."""
    strengths = sorted({one for one in options.strengths if one > 0})
    print(f"\nPSNR of the person: clean, and lost at strength {strengths}")
    for (point, kind), lines in curves.items():
        for name, line in lines.items():
            clean = line[0][1]
            lost = "  ".join(f"{clean - y:6.2f}" for _, y in line[1:])
            print(f"{point:9s} {kind:12s} {clean:6.2f}  {lost}   {name}")


if __name__ == "__main__":
    main(tyro.cli(Options))
