"""Print and plot how quality falls as the driving poses become worse: the paper's main claim.

    python tools/measure_noise.py --weights W [--weights-forward-only W2] --data CLIPS -o OUT

Joints are dropped (strength 1: 40 %), jittered (10 px at 256), left and right limbs swapped (in
40 % of the frames), poses frozen (60 % of the frames), and dropped and jittered together (strength
0.5: 20 % and 5 px). The noise enters at one of three injection points:

- heatmaps: the keypoints that the pose heatmaps are drawn from are corrupted, warps stay true;
- keypoints: the clip's keypoints are corrupted and the body is fitted to them as in use, smoothed
  over time; warps and heatmaps are those of that fit, the clean ones too;
- body: the body's motion is corrupted, and with it warps and heatmaps. Bones are turned and the
  body is moved until its joints are off by the pixels asked for; dropped frames are bridged from
  their neighbours as the estimator's are; frozen ones repeat a pose; nothing is swapped. The
  motion is *not* fitted anew to noisy keypoints, and not smoothed afterwards.

Forward only against bidirectional: with --weights-forward-only the curve is that of a network
trained without the backward branch. Without, the backward branch of W itself is left out; that is
NOT a network trained forward only, loses more, and its curve is named accordingly.

Writes noise.json, and a plot of PSNR and of SSIM on the person (noise_psnr.png, noise_ssim.png).
Rerun the same command to resume.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from bdmm.evaluation.ablation.noisy_poses import (
    DOORS,
    Door,
    Player,
    Trial,
    curves,
    list_subjects,
    open_player,
    trials,
)
from bdmm.evaluation.ablation.pose_noise import FULL_STRENGTH
from bdmm.evaluation.evaluate import ClipChoice, choose_clips
from bdmm.evaluation.jobs.clip_job import Plan
from bdmm.evaluation.jobs.feature_metrics import Detectors
from bdmm.evaluation.jobs.results import Results
from bdmm.evaluation.jobs.run import Workplace, run
from bdmm.evaluation.reports.curve_plot import Panel, draw_panels
from bdmm.evaluation.systems import COARSE, System, list_systems
from bdmm.media.image import write_image
from bdmm.metrics.regions import PERSON

_AXES = {
    "drop": "strength (1: 40 % missing)",
    "jitter": "strength (1: 10 px at 256)",
    "swap": "strength (1: 40 % of frames)",
    "freeze": "strength (1: 60 % of frames)",
    "drop+jitter": "strength (1: 40 %, 10 px)",
}
_METRICS = {"psnr": "PSNR of the person [dB]", "ssim": "SSIM of the person"}
_LEFT_OUT = "bidirectional weights, backward branch left out (not trained so)"


@dataclass
class Options:
    """What to measure."""

    weights: Path
    """Of a bidirectional network: a file or the folder of a run."""
    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")]
    """Prepared clips."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of the numbers and plots."""
    weights_forward_only: Path | None = None
    """Of a network that was trained without the backward branch."""
    limit: int | None = 8
    """At most so many clips, spread over all."""
    first: int | None = 24
    """Only the first frames of each."""
    strengths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    """Of the noise; clean poses are always there."""
    kinds: tuple[str, ...] = tuple(FULL_STRENGTH)
    """Of noise."""
    doors: tuple[Door, ...] = tuple(DOORS)
    """Through which it enters."""
    seed: int = 0
    """Decides what the noise hits."""
    device: str = "cpu"
    """Where the networks work."""
    workers: int = 0
    """Processes; 0 for none but this one."""


def main(options: Options) -> None:
    """Measure, print, write."""
    torch.set_num_threads(1)
    clips = choose_clips(ClipChoice(options.data, limit=options.limit))
    players, chosen = list_players(options), list_trials(options)
    for player in players:
        open_player(player, options.device)  # fails before the long work
    subjects = list_subjects(players, chosen, clips, options.first, options.device)
    plan = Plan("modern", Detectors(), features_every=10**6, sets=False)
    place = Workplace(options.output, options.workers, progress=tell)
    results = run(subjects, plan, place)
    for one in results.failures:
        print(f"{one.system}, {one.clip}: {one.reason}")
    save(options, results, players)
    report(results, players, options)


def list_players(options: Options) -> list[Player]:
    """Return the coarse warp, the network, and one without a backward branch."""
    coarse, ours = list_systems((f"bidirectional={options.weights}",), (COARSE,))
    if options.weights_forward_only is None:
        bereft = System(_LEFT_OUT, ours.where, ours.sha256)
        return [Player(coarse), Player(ours), Player(bereft, forward_only=True)]
    trained = list_systems((f"trained forward only={options.weights_forward_only}",), ())
    return [Player(coarse), Player(ours), Player(trained[0])]


def list_trials(options: Options) -> list[Trial]:
    """Return the grades of noise that were asked for."""
    return trials(options.strengths, options.kinds, options.seed, options.doors)


def tell(stage: str, done: int, total: int | None) -> None:
    """Say how far it came, now and then."""
    if done % 50 == 0 or done == total:
        print(f"{stage}: {done} of {total}", flush=True)


def save(options: Options, results: Results, players: list[Player]) -> None:
    """Write the numbers and the plots."""
    chosen = list_trials(options)
    content: dict = {"metrics": {}, "full_strength": {k: vars(v) for k, v in FULL_STRENGTH.items()}}
    content["systems"] = [vars(one.system) | {"left_out": one.forward_only} for one in players]
    content["settings"] = {"seed": options.seed, "limit": options.limit, "first": options.first}
    for metric, title in _METRICS.items():
        found = curves(results, players, chosen, PERSON, metric)
        content["metrics"][metric] = [
            {"door": door, "kind": kind, "curves": lines} for (door, kind), lines in found.items()
        ]
        rows = [
            [
                Panel(f"{door}: {kind}", _AXES[kind], found[door, kind])
                for kind in kinds
                if (door, kind) in found
            ]
            for door, kinds in DOORS.items()
        ]
        path = options.output / f"noise_{metric}.png"
        title = f"{title} against noise on the driving poses"
        write_image(path, draw_panels(title, rows, [one.system.name for one in players]))
    text = json.dumps(content, indent=1)
    (options.output / "noise.json").write_text(text + "\n", encoding="utf-8")


def report(results: Results, players: list[Player], options: Options) -> None:
    """Print the loss of PSNR at each strength, by kind of noise."""
    found = curves(results, players, list_trials(options), PERSON, "psnr")
    strengths = sorted({one for one in options.strengths if one > 0})
    print(f"\nPSNR of the person: clean, and lost at strength {strengths}")
    for (door, kind), lines in found.items():
        for name, line in lines.items():
            clean = line[0][1]
            lost = "  ".join(f"{clean - y:6.2f}" for _, y in line[1:])
            print(f"{door:9s} {kind:12s} {clean:6.2f}  {lost}   {name}")


if __name__ == "__main__":
    main(tyro.cli(Options))
