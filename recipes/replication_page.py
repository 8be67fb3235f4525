"""Write the page of `replicate.py`: tables next to the paper's, curves, and findings.

The page is made of numbers alone, whatever is there; what is missing is marked so. Text that says
why stands in docs/replication.md, by hand.
"""

import gzip
import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from scipy.stats import binomtest

from bdmm.errors import InputError
from bdmm.evaluation.ablation.study import FULL, ROWS, Ablation
from bdmm.evaluation.reports.plots import COLOURS, STYLE, draw
from bdmm.files.output_file import appearing, writing
from bdmm.metrics.published import TABLE_2, TABLE_S1
from bdmm.training.run_folder import read_log

PAGE, LOSSES, CURVE, NOISE = "replication.md", "losses.png", "curve.png", "noise.png"
PICTURES = {
    "frames.png": "Held-out people: photo, truth, and what each network draws",
    "blocks.png": "Offsets, masks, features and units of the full model (figures 7 and 8)",
}
NUMBERS = "replication_numbers.json.gz"
"""Next to the document: every system's numbers of every clip."""
MARK = "<!-- numbers: python recipes/replicate.py --stages page --docs -->"
"""The line of a document behind which `put_into` puts the numbers."""
_FRECHET = "frechet"
METRICS = (
    ("person.psnr", "PSNR person", 3, True),
    ("person.ssim", "SSIM person", 4, True),
    ("frame.psnr", "PSNR", 3, True),
    ("frame.ssim", "SSIM", 4, True),
    ("frame.l1", "L1", 4, False),
    ("person.vgg19", "VGG-19 person", 4, False),
    ("frame.warping", "warping error", 4, False),
    (_FRECHET, "Fréchet VGG-19", 3, False),
)
"""(key, heading, digits, whether more is better)."""
SETS = (
    ("noisy", "Held-out people, noisy poses as in training"),
    ("clean", "Held-out people, true poses"),
    ("real", "Real clips, estimated poses"),
)
PUBLISHED = {
    "frame.psnr": "PSNR",
    "frame.ssim": "SSIM",
    "frame.l1": "L1",
    "person.vgg19": "LPIPS",
}
"""Our metric -> the paper's that its sign is compared with."""
Clips = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Difference:
    """A row less the full model of the same seed.

    Attributes:
        mean: over seeds.
        deviation: sample deviation between seeds; NaN for one.
        seeds: how many.
    """

    mean: float
    deviation: float
    seeds: int

    @property
    def certain(self) -> bool:
        """Return whether it lies beyond twice its deviation."""
        return self.seeds > 1 and abs(self.mean) > 2 * self.deviation

    def text(self, digits: int) -> str:
        """Return mean ± deviation."""
        spread = "" if math.isnan(self.deviation) else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:+.{digits}f}{spread}"


@dataclass(frozen=True)
class Scores:
    """One evaluated set of clips: `replication_evaluation.numbers_of`."""

    clips: Mapping[str, Clips]
    frechet: Mapping[str, float]

    def value(self, system: str, key: str) -> float:
        """Return a system's number over all clips."""
        if key == _FRECHET:
            return self.frechet.get(system, math.nan)
        return mean(one.get(key, math.nan) for one in self.clips[system].values())

    def seeds(self, key: str) -> list[int]:
        """Return the seeds of a row that were evaluated."""
        parts = (name.rpartition("-") for name in self.clips)
        return sorted(int(seed) for row, _, seed in parts if row == key and seed.isdigit())

    def difference(self, row: Ablation, metric: str) -> Difference | None:
        """Return a row less the full model; None where no seed has both."""
        both = [seed for seed in self.seeds(row.key) if seed in self.seeds(FULL.key)]
        if not both:
            return None
        less = [
            self.value(f"{row.key}-{seed}", metric) - self.value(f"{FULL.key}-{seed}", metric)
            for seed in both
        ]
        return spread(less)

    def sign_test(self, row: Ablation, metric: str) -> tuple[int, int, float] | None:
        """Return in how many clips the row's seeds' mean is larger, of how many, and p."""
        both = [seed for seed in self.seeds(row.key) if seed in self.seeds(FULL.key)]
        if not both:
            return None
        names = self.clips[f"{FULL.key}-{both[0]}"]
        less = [
            mean(
                self.clips[f"{row.key}-{seed}"][clip][metric]
                - self.clips[f"{FULL.key}-{seed}"][clip][metric]
                for seed in both
            )
            for clip in names
        ]
        return sign_test(less)


def spread(values: Sequence[float]) -> Difference:
    """Return mean and sample deviation of values, one for each seed."""
    measured = len(values) > 1 and not any(map(math.isnan, values))
    deviation = stdev(values) if measured else math.nan
    return Difference(mean(values), deviation, len(values))


def sign_test(differences: Sequence[float]) -> tuple[int, int, float]:
    """Return how many are above 0, how many are not 0, and p of a two-sided sign test."""
    kept = [one for one in differences if one and not math.isnan(one)]
    above = sum(one > 0 for one in kept)
    return above, len(kept), float(binomtest(above, len(kept)).pvalue) if kept else 1.0


def write_page(folder: Path, results: Mapping[str, Any], planned: int, done: Sequence[str]) -> Path:
    """Write the page and its pictures.

    Args:
        folder: of the study.
        results: see `replication_evaluation.read_results`.
        planned: number of runs of the whole study.
        done: names of the runs that are finished.
    """
    lines = [
        "# The paper's claims in the small: numbers",
        "",
        f"{len(done)} of {planned} runs are finished"
        + (": PARTIAL, rerun `recipes/replicate.py` to go on." if len(done) < planned else "."),
        *hours(folder),
    ]
    for name, title in SETS:
        if name in results:
            lines += tables(Scores(**results[name]), title)
    lines += losses_plot(folder)
    if "curve" in results:
        lines += curve_plot(folder, Scores(**results["curve"]))
    if "noise" in results:
        lines += noise_part(folder, Scores(**results["noise"]))
    for name, text in PICTURES.items():
        if (folder / name).is_file():
            lines += ["", f"![{text}]({name})"]
    path = folder / PAGE
    with appearing(path) as part, writing(path):
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def put_into(document: Path, page: Path) -> None:
    """Put the page's numbers behind a document's mark, and its pictures next to the document.

    Raises:
        InputError: the document has no mark.
    """
    text = document.read_text(encoding="utf-8")
    if MARK not in text:
        raise InputError(f"{document} has no line {MARK}: numbers are put behind it.")
    numbers = page.read_text(encoding="utf-8").partition("\n")[2]
    for name in (LOSSES, CURVE, NOISE, *PICTURES):
        if f"({name})" in numbers:
            target = document.parent / "images" / f"replication_{name}"
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(page.parent / name, target)
            numbers = numbers.replace(f"({name})", f"(images/{target.name})")
    with appearing(document) as part, writing(document):
        part.write_text(f"{text.partition(MARK)[0]}{MARK}\n{numbers}", encoding="utf-8")


def put_numbers(path: Path, results: Mapping[str, Any]) -> None:
    """Write, rounded and compressed, the numbers of each clip that the page's are means of."""
    shown = [key for key, _, _, _ in METRICS]
    kept: dict[str, Any] = {}
    for name, found in results.items():
        clips = {
            system: {
                clip: {key: float(f"{values[key]:.5g}") for key in shown if key in values}
                for clip, values in clips.items()
            }
            for system, clips in found["clips"].items()
        }
        kept[name] = {"clips": clips, "frechet": found["frechet"]}
    with appearing(path) as part, writing(path):
        part.write_bytes(gzip.compress(json.dumps(kept).encode(), mtime=0))


def hours(folder: Path) -> list[str]:
    """Return what training took."""
    logs = [read_log(path.parent) for path in sorted(folder.glob("ablations/*/*/log.jsonl"))]
    seconds = [log[-1]["seconds_per_step"] for log in logs if log]
    steps = sum(log[-1]["step"] for log in logs if log)
    if not seconds:
        return []
    return [
        "",
        f"{steps} steps so far; {min(seconds):.2f} to {max(seconds):.2f} s a step of two windows "
        "by the clock, with other work.",
    ]


def tables(scores: Scores, title: str) -> list[str]:
    """Return the tables of one set: systems, differences, signs next to the paper's."""
    heads = [heading for _, heading, _, _ in METRICS]
    lines = ["", f"## {title}", "", row_text("system", "seeds", *heads)]
    lines.append(row_text(*["---"] * (len(heads) + 2)))
    for name in ("copy", "coarse"):
        if name in scores.clips:
            values = (f"{scores.value(name, key):.{n}f}" for key, _, n, _ in METRICS)
            lines.append(row_text(name, "", *values))
    for key, row in ROWS.items():
        if seeds := scores.seeds(key):
            means = (
                f"{mean(scores.value(f'{key}-{seed}', metric) for seed in seeds):.{n}f}"
                for metric, _, n, _ in METRICS
            )
            lines.append(row_text(row.name, str(len(seeds)), *means))
    if list(scored_rows(scores)):
        lines += differences(scores, heads) + signs(scores)
    return lines


def differences(scores: Scores, heads: Sequence[str]) -> list[str]:
    """Return the table of differences to the full model of the same seed, ± their deviation."""
    lines = ["", "Difference to the full model of the same seed, ± deviation between seeds:", ""]
    lines += [row_text("row", *heads, "clips above the full model, PSNR person")]
    lines.append(row_text(*["---"] * (len(heads) + 2)))
    for row in scored_rows(scores):
        values = (scores.difference(row, key) for key, _, _, _ in METRICS)
        texts = (
            "" if one is None else one.text(digits)
            for one, (_, _, digits, _) in zip(values, METRICS, strict=True)
        )
        test = scores.sign_test(row, METRICS[0][0])
        tested = "" if test is None else f"{test[0]} of {test[1]}, p = {test[2]:.2g}"
        lines.append(row_text(row.name, *texts, tested))
    return lines


def signs(scores: Scores) -> list[str]:
    """Return how many differences have the paper's sign, beyond twice their deviation or not."""
    lines = [
        "",
        "Signs next to the paper's (published, on FashionVideo, other metrics of features):",
    ]
    for table, title in ((TABLE_2, "Table 2"), (TABLE_S1, "Table S1")):
        for metric, theirs in PUBLISHED.items():
            same = certain = against = count = 0
            for row in scored_rows(scores):
                found = scores.difference(row, metric)
                printed = row.published().get(theirs)
                if row.table is not table or found is None or printed is None:
                    continue
                count += 1
                alike = found.mean * (printed.mean - table.rows["BDMM"][theirs].mean) > 0
                same += alike
                certain += alike and found.certain
                against += not alike and found.certain
            if count:
                lines.append(
                    f"- {title}, {theirs}: {same} of {count} with the paper's sign, {certain} of "
                    f"them beyond twice their deviation; {against} beyond it with the other sign."
                )
    return lines


def scored_rows(scores: Scores) -> Iterator[Ablation]:
    """Yield the rows that can be compared with the full model."""
    for row in ROWS.values():
        if row.table is not None and scores.difference(row, METRICS[0][0]) is not None:
            yield row


def losses_plot(folder: Path) -> list[str]:
    """Draw the full model's losses over steps, each relative to its first."""
    log = read_log(folder / "ablations" / "full" / "0")
    if len(log) < 2:
        return []
    names = ("reconstruction", "perceptual", "style", "contextual")
    lines = {
        name: [(one["step"], one["losses"][name] / log[0]["losses"][name]) for one in log]
        for name in names
    }
    plot(folder / LOSSES, [("full model, seed 0", "step", lines)], "loss, first line = 1")
    return ["", f"![Losses of the full model over steps]({LOSSES})"]


def curve_plot(folder: Path, scores: Scores) -> list[str]:
    """Draw held-out quality of the full model over steps, for each seed."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for system in scores.clips:
        name, _, step = system.rpartition(" ")
        if step.isdigit():
            value = scores.value(system, "person.psnr")
            lines.setdefault(name, []).append((float(step), value))
    if not lines:
        return []
    lines = {name: sorted(points) for name, points in lines.items()}
    plot(folder / CURVE, [("held-out people", "step", lines)], "PSNR of the person [dB]")
    return ["", f"![Held-out quality of the full model over steps]({CURVE})"]


def noise_part(folder: Path, scores: Scores) -> list[str]:
    """Return the table and draw the curves of both directions against forward alone."""
    found: dict[tuple[str, str], dict[float, dict[str, list[str]]]] = {}
    for system in scores.clips:
        name, _, trial = system.partition(", ")
        point, _, noise = trial.partition(" ")
        kind, _, strength = noise.partition(" ")
        at = float(strength or 0)
        key = name.rpartition("-")[0]
        found.setdefault((point, kind), {}).setdefault(at, {}).setdefault(key, []).append(system)
    panels = []
    lines = ["", "## Forward alone against both directions, under noise", ""]
    heads = ("poses perturbed", "noise", "strength", "both", "forward alone", "difference", "clips")
    lines += [row_text(*heads), row_text(*["---"] * len(heads))]
    for (point, kind), strengths in found.items():
        if kind == "clean":
            continue
        whole = {0.0: found.get((point, "clean"), {}).get(0.0, {})} | strengths
        drawn: dict[str, list[tuple[float, float]]] = {}
        for at, rows in sorted(whole.items()):
            for key, systems in rows.items():
                value = mean(scores.value(one, "person.psnr") for one in systems)
                drawn.setdefault(key, []).append((at, value))
            if {"full", "no-backward"} <= set(rows):
                lines.append(noise_row(scores, (point, kind, at), rows))
        panels.append((f"{point}: {kind}", "strength", drawn))
    plot(folder / NOISE, panels, "PSNR of the person [dB]")
    return [*lines, "", f"![Quality under noise]({NOISE})"]


def noise_row(
    scores: Scores, what: tuple[str, str, float], rows: Mapping[str, Sequence[str]]
) -> str:
    """Return a row: PSNR of the person of both, the difference over seeds, a sign test."""
    point, kind, at = what
    full, alone = (
        {one.partition(",")[0].rpartition("-")[2]: one for one in rows[key]}
        for key in ("full", "no-backward")
    )
    both = sorted(set(full) & set(alone))
    if not both:
        return row_text(point, kind, f"{at:.2f}", "", "", "", "")
    key = "person.psnr"
    less = spread([scores.value(alone[s], key) - scores.value(full[s], key) for s in both])
    clips = scores.clips[full[both[0]]]
    above, count, p = sign_test(
        [
            mean(scores.clips[alone[s]][c][key] - scores.clips[full[s]][c][key] for s in both)
            for c in clips
        ]
    )
    values = (f"{mean(scores.value(which[s], key) for s in both):.3f}" for which in (full, alone))
    tested = f"{above} of {count} better alone, p = {p:.2g}"
    return row_text(point, kind, f"{at:.2f}", *values, less.text(3), tested)


def plot(path: Path, panels: Sequence[tuple[str, str, Mapping[str, Any]]], label: str) -> None:
    """Write panels of curves as PNG.

    Args:
        path: of the picture.
        panels: (title, label of the horizontal axis, name -> points).
        label: of the vertical axis.
    """
    with mpl.rc_context(STYLE):
        columns = min(4, len(panels))
        rows = -(-len(panels) // columns)
        figure = Figure(figsize=(3.2 * columns + 1.2, 2.6 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        names = list(dict.fromkeys(name for _, _, lines in panels for name in lines))
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for (title, horizontal, lines), axes in zip(panels, grid.flat, strict=False):
            axes.set_title(title)
            axes.set_xlabel(horizontal)
            for name, points in lines.items():
                draw(axes, name, points, COLOURS[names.index(name) % len(COLOURS)], marker=".")
        for axes in grid[:, 0]:
            axes.set_ylabel(label)
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", frameon=False)
        figure.savefig(path, dpi=110)


def row_text(*cells: str) -> str:
    """Return a row of a Markdown table; what was not measured is empty."""
    return f"| {' | '.join('' if cell.endswith('nan') else cell for cell in cells)} |"
