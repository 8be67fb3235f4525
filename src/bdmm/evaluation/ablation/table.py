"""The tables of an ablation: means over seeds, and the paper's numbers in columns of their own."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from bdmm.evaluation.ablation.study import FULL, Ablation, Study, system_name
from bdmm.evaluation.config import ALL
from bdmm.evaluation.jobs.scores import GroupMean, dump
from bdmm.evaluation.reports.report_file import Report
from bdmm.evaluation.reports.tables import Column, Row, Table, table_of, to_text
from bdmm.evaluation.systems import BASELINES
from bdmm.files.output_file import write_whole
from bdmm.metrics.frame_metrics import WHOLE
from bdmm.metrics.published import METRICS, OURS, TABLE_2, TABLE_S1, PublishedTable, Value
from bdmm.metrics.regions import PERSON

Measured = Mapping[str, Mapping[str, GroupMean]]
"""Region -> metric -> mean."""
_TITLES = ((TABLE_2, "Parts of the network (the paper's Table 2)"), (TABLE_S1, "Losses (Table S1)"))
_DIGITS = {"SSIM": 3, "PSNR": 3, "L1": 4, "FID": 3, "LPIPS": 4}
_PUBLISHED = "published: "
_OF_TRUTH = "warping_true"


@dataclass(frozen=True)
class RowResult:
    """A row over its seeds.

    Attributes:
        seeds: seed -> region -> metric -> mean over all frames of all clips.
        means: the mean over the seeds, and their sample deviation (NaN for a single seed).
        differences: likewise of the difference to the full model of the same seed.
    """

    row: Ablation
    seeds: Mapping[int, Measured]
    means: Measured
    differences: Measured


def results_of(study: Study, report: Report) -> list[RowResult]:
    """Collect the runs' numbers, row by row."""
    full = _seeds(study, report, FULL)
    results = []
    for row in study.rows:
        seeds = _seeds(study, report, row)
        differences = {seed: _minus(seeds[seed], full[seed]) for seed in seeds}
        results.append(RowResult(row, seeds, _over(seeds), _over(differences)))
    return results


def tables_of(study: Study, report: Report) -> list[Table]:
    """Return the tables: for each of the paper's two, the measured numbers and the differences.

    Numbers that the paper prints stand in columns of their own, under headings that say so, and
    are never in bold.
    """
    results = results_of(study, report)
    notes = _notes(study, report)
    tables = []
    for published, title in _TITLES:
        rows = [one for one in results if one.row.table in (None, published)]
        if len(rows) < 2 and (len(results) > 1 or published is not TABLE_2):
            continue
        means = {one.row.name: one.means for one in rows}
        baselines = {name: _alone(_pooled(report, name)) for name in BASELINES}
        table = _with_published(_measured(title, baselines | means), published)
        tables.append(replace(table, notes=tuple(notes)))
        less = {one.row.name: one.differences for one in rows if one.row.table is not None}
        if less:
            title = f"{title}: difference to the full model"
            table = _with_published(_plain(_measured(title, less)), published, True)
            tables.append(table)
    return tables


def save_study(study: Study, report: Report) -> Path:
    """Write ``table.md`` and ``table.json`` into the study's folder; return the first.

    Raises:
        InputError: they cannot be written.
    """
    text = "\n".join(to_text(one, "md") for one in tables_of(study, report))
    content = {
        "preset": study.base.preset,
        "steps": study.base.steps,
        "seeds": list(study.seeds),
        "protocol": report.protocol,
        "settings": report.settings,
        "not_computed": report.not_computed,
        "failures": [f"{one.system}, {one.clip}: {one.reason}" for one in report.results.failures],
        "baselines": {name: _numbers(_pooled(report, name)) for name in BASELINES},
        "rows": [_row_record(one) for one in results_of(study, report)],
    }
    for name, body in (("table.json", dump(content, indent=1) + "\n"), ("table.md", text)):
        path = study.folder / name
        write_whole(path, body)
    return path


def _seeds(study: Study, report: Report, row: Ablation) -> dict[int, Measured]:
    return {seed: _pooled(report, system_name(row, seed)) for seed in study.seeds}


def _pooled(report: Report, system: str) -> Measured:
    """Return a system's means over all clips."""
    groups = report.results.groups[system]
    return groups[ALL] if ALL in groups else next(iter(groups.values()), {})


def _over(seeds: Mapping[int, Measured]) -> Measured:
    """Average over seeds; ± becomes the sample deviation between them."""
    return _each(
        next(iter(seeds.values())),
        lambda region, metric, _: _spread([one[region][metric] for one in seeds.values()]),
    )


def _spread(values: Sequence[GroupMean]) -> GroupMean:
    numbers = [one.mean for one in values]
    known = len(numbers) > 1 and all(map(math.isfinite, numbers))
    deviation = stdev(numbers) if known else math.nan
    return replace(values[0], mean=mean(numbers), deviation=deviation)


def _each(means: Measured, change: Callable[[str, str, GroupMean], Any]) -> dict[str, Any]:
    """Return region -> metric -> change(region, metric, mean)."""
    return {
        region: {metric: change(region, metric, one) for metric, one in metrics.items()}
        for region, metrics in means.items()
    }


def _minus(ours: Measured, full: Measured) -> Measured:
    return _each(
        ours, lambda region, metric, one: replace(one, mean=one.mean - full[region][metric].mean)
    )


def _alone(means: Measured) -> Measured:
    """Take the deviation between clips away, which is none between seeds."""
    return _each(means, lambda _region, _metric, one: replace(one, deviation=math.nan))


def _measured(title: str, means: Mapping[str, Measured]) -> Table:
    """Return the table of the frame's and the person's numbers, without the truth's own."""
    kept = {
        name: {
            region: {metric: one for metric, one in metrics.items() if metric != _OF_TRUTH}
            for region, metrics in of.items()
        }
        for name, of in means.items()
    }
    return table_of(title, kept, (WHOLE, PERSON))


def _plain(table: Table) -> Table:
    """Return a table without bold numbers."""
    return replace(table, columns=tuple(replace(one, better="neither") for one in table.columns))


def _with_published(table: Table, published: PublishedTable, less: bool = False) -> Table:
    """Put the paper's numbers, or their differences to its full model, into columns at the end."""
    columns = tuple(
        Column(_PUBLISHED + metric, "neither", _DIGITS.get(metric, 1)) for metric in METRICS
    )
    rows = []
    for row in table.rows:
        printed, whole = published.rows.get(row.name, {}), published.rows[OURS]
        values = []
        for metric in METRICS:
            value = printed.get(metric)
            if value is not None and less:
                value = Value(value.mean - whole[metric].mean)
            values.append(value)
        rows.append(Row(row.name, (*row.values, *values)))
    return replace(table, columns=table.columns + columns, rows=tuple(rows))


def _notes(study: Study, report: Report) -> list[str]:
    base, clips = study.base, len({one.clip for one in report.results.clips})
    notes = [
        f"Measured: preset {base.preset}, {base.steps} steps for every row, the same samples; "
        f"protocol {report.protocol['name']}, {clips} clips; mean over {len(study.seeds)} seeds, "
        "± their sample deviation. copy and coarse are not trained.",
        f"Columns headed *{_PUBLISHED.rstrip(': ')}* are printed in {TABLE_2.source.rsplit(',')[0]}"
        f" and were not measured here: {TABLE_2.dataset}, a longer training and the paper's "
        "own protocol. Compare signs and order, not sizes.",
    ]
    if report.results.left_out:
        notes.append(f"Left out, as not every run could make them: {report.results.left_out}.")
    return notes


def _row_record(result: RowResult) -> dict[str, Any]:
    row = result.row
    return {
        "key": row.key,
        "name": row.name,
        "leaves_out": [*row.network, *row.losses],
        "measured": _numbers(result.means, deviations=True),
        "difference_to_full": _numbers(result.differences, deviations=True),
        "by_seed": {str(seed): _numbers(one) for seed, one in result.seeds.items()},
        "published_not_measured_here": {
            metric: asdict(value) for metric, value in row.published().items()
        },
    }


def _numbers(means: Measured, deviations: bool = False) -> dict[str, Any]:
    def value(_region: str, _metric: str, one: GroupMean) -> Any:
        return {"mean": one.mean, "deviation": one.deviation} if deviations else one.mean

    return _each(means, value)
