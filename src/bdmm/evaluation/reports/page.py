"""The report as one page of HTML; it opens from disk, without a network."""

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from bdmm.evaluation.jobs.pictures import SHEET, VIDEO, WORST
from bdmm.evaluation.jobs.scores import ClipResult, read_rows
from bdmm.evaluation.reports.plots import time_plot
from bdmm.evaluation.reports.report_file import PICTURES, ROWS, Report
from bdmm.evaluation.reports.tables import (
    column_of,
    group_tables,
    in_order,
    metric_of,
    number_text,
    templates,
    to_text,
)
from bdmm.evaluation.systems import BASELINES
from bdmm.files.output_file import write_whole
from bdmm.metrics.frame_metrics import WHOLE
from bdmm.metrics.regions import PERSON

FILE_NAME = "report.html"
EMBEDDED_BYTES = 24 * 2**20
"""Bytes of videos that the page embeds; further ones stay files."""
_TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4"}


_METRIC = "ssim"
"""Clips are ranked by it."""


def save_page(folder: Path, report: Report) -> Path:
    """Write ``report.html`` into the folder of a report and return its path.

    Raises:
        InputError: rows are damaged, or nothing can be written.
    """
    by_clip: dict[str, dict[str, ClipResult]] = {}
    for clip in sorted(report.results.clips, key=lambda one: one.clip):
        by_clip.setdefault(clip.clip, {})[clip.system] = clip
    counted = by_clip.keys() - set(report.results.left_out)
    regions = {region for clip in report.results.clips for region in clip.scores}
    region = PERSON if PERSON in regions else WHOLE
    ranked_by = next((one for one in report.names[::-1] if one not in BASELINES), report.names[-1])
    budget = _Budget(EMBEDDED_BYTES)
    groups = dict.fromkeys(name for of in report.results.groups.values() for name in of)
    shown = {name: _shown(folder, name, clips, region, budget) for name, clips in by_clip.items()}
    content = {
        "title": f"bdmm evaluate: {', '.join(report.names)}",
        "report": report,
        "frames": {one.clip: one.frames for one in report.results.clips if one.clip in counted},
        "tables": [
            Markup(to_text(table, "html"))
            for i, group in enumerate(groups)
            for table in group_tables(report.results, group, () if i else report.results.sets)
        ],
        "not_computed": dict(report.not_computed) | dict(report.results.sets_missing),
        "failures": report.results.failures,
        "systems": report.names,
        "headline": column_of(region, _METRIC).label,
        "ranked_by": ranked_by,
        "ranking": _ranking(report, by_clip, region, ranked_by, shown),
        "notes": [
            f"{one.system}, {one.clip}: {n}" for one in report.results.clips for n in one.notes
        ],
        "clips": [one for one in shown.values() if one is not None],
        "settings": _settings(report),
    }
    path = folder / FILE_NAME
    write_whole(path, templates().get_template("page.html").render(content))
    return path


@dataclass
class _Budget:
    """Bytes of videos that the page may still embed."""

    left: int

    def take(self, size: int) -> bool:
        fits = size <= self.left
        self.left -= size * fits
        return fits


def _shown(
    folder: Path, name: str, clips: Mapping[str, ClipResult], region: str, budget: _Budget
) -> dict[str, Any] | None:
    """Return the pictures, videos and plot of a clip; None where no pictures were made."""
    systems = []
    for clip in clips.values():
        place = folder / PICTURES / Path(clip.rows_file).stem
        video = place / VIDEO
        embeds = video.is_file() and budget.take(video.stat().st_size)
        linked = f"{PICTURES}/{place.name}/{VIDEO}" if video.is_file() else ""
        systems.append(
            {
                "name": clip.system,
                "value": f"{column_of(region, _METRIC).label} {_text(clip, region)}",
                "sheet": _data(place / SHEET),
                "worst": _data(place / WORST),
                "video": _data(video) if embeds else linked,
                "linked": not embeds,
            }
        )
    if not any(one["sheet"] for one in systems):
        return None
    lines = {
        system: [
            (row.frame, row.scores.get(region, {}).get(_METRIC, math.nan))
            for row in read_rows(folder / ROWS / clip.rows_file)
        ]
        for system, clip in clips.items()
    }
    plot = Markup(time_plot(lines))
    return {"name": name, "anchor": _anchor(name), "systems": systems, "plot": plot}


def _mean(clip: ClipResult | None, region: str) -> float:
    """Return a clip's mean of the ranking metric; NaN where there is none."""
    summary = None if clip is None else clip.scores.get(region, {}).get(_METRIC)
    return math.nan if summary is None else summary.mean


def _text(clip: ClipResult | None, region: str) -> str:
    return "-" if clip is None else number_text(_mean(clip, region), metric_of(_METRIC).digits)


def _data(path: Path) -> str:
    """Return a file as an address that holds it; nothing where there is none."""
    if not path.is_file():
        return ""
    coded = base64.b64encode(path.read_bytes()).decode()
    return f"data:{_TYPES[path.suffix]};base64,{coded}"


def _ranking(
    report: Report,
    by_clip: Mapping[str, Mapping[str, ClipResult]],
    region: str,
    ranked_by: str,
    shown: Mapping[str, object],
) -> list[dict[str, Any]]:
    def worst_first(name: str) -> tuple[bool, float]:
        value = _mean(by_clip[name].get(ranked_by), region)
        return math.isnan(value), value

    rows = []
    for name in sorted(by_clip, key=worst_first):
        one = next(iter(by_clip[name].values()))
        rows.append(
            {
                "clip": name,
                "anchor": _anchor(name),
                "shown": shown[name] is not None,
                "group": one.group,
                "frames": one.frames,
                "numbers": [_text(by_clip[name].get(system), region) for system in report.names],
            }
        )
    return rows


def _settings(report: Report) -> dict[str, dict[str, str]]:
    systems = {
        str(one["name"]): " ".join(filter(None, [str(one["where"]), str(one["sha256"])]))
        for one in report.systems
    }
    found = {m for clip in report.results.clips for of in clip.scores.values() for m in of}
    named = [metric_of(metric) for metric in in_order(found)]
    return {
        "Metrics": {one.label: one.meaning for one in named if one.meaning},
        "Systems (place, SHA-256)": systems,
        "Settings": _texts(report.settings),
        "Protocol": _texts(report.protocol),
        "Detectors (SHA-256)": dict(report.detectors),
        "Versions": dict(report.versions),
    }


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }


def _anchor(name: str) -> str:
    return "clip-" + "".join(one if one.isalnum() else "-" for one in name)
