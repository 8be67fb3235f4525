"""The report as JSON: all measured numbers, and all that they depend on."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bdmm.errors import InputError
from bdmm.evaluation.jobs.clip_job import clip_result, plain
from bdmm.evaluation.jobs.scores import DistributionDistance, Failure, Results, dump, gather
from bdmm.files.output_file import write_whole
from bdmm.files.outside import TEXT, read_json

FILE_NAME = "report.json"
FORMAT = 1
ROWS, PICTURES = "rows", "pictures"
"""Folders of a report: numbers frame by frame, and pictures of clips."""
_PROGRAMS = ("bdmm", "torch", "numpy", "opencv-contrib-python-headless", "av", "ai-edge-litert")


@dataclass(frozen=True)
class Report:
    """An evaluation, and all that its numbers depend on.

    Attributes:
        kind: ``reenactment`` of prepared clips, or ``frames`` of folders and videos.
        protocol: the rules, as JSON.
        settings: of this evaluation, as JSON.
        systems: name, place and SHA-256 of each.
        detectors: SHA-256 of every file of weights behind a metric, by a name for it.
        not_computed: metric -> why.
    """

    kind: str
    protocol: Mapping[str, Any]
    settings: Mapping[str, Any]
    systems: Sequence[Mapping[str, Any]]
    results: Results
    detectors: Mapping[str, str] = field(default_factory=dict)
    not_computed: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Return the systems' names, in the report's order."""
        return [str(one["name"]) for one in self.systems]


def program_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in _PROGRAMS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def save_report(folder: Path, report: Report) -> Path:
    """Write ``report.json`` into a folder, strict JSON, and return its path.

    Raises:
        InputError: the disk is full and the like.
    """
    content = {
        "format": FORMAT,
        "kind": report.kind,
        "protocol": report.protocol,
        "settings": report.settings,
        "versions": report.versions,
        "systems": report.systems,
        "detectors": report.detectors,
        "not_computed": report.not_computed,
        "clips_counted": len({one.clip for one in report.results.clips})
        - len(report.results.left_out),
        "left_out": report.results.left_out,
        "failures": [asdict(one) for one in report.results.failures],
        "groups": plain(report.results.groups),
        "sets": [asdict(one) for one in report.results.sets],
        "sets_missing": report.results.sets_missing,
        "clips": [asdict(one) for one in report.results.clips],
    }
    path = folder / FILE_NAME
    write_whole(path, dump(content, indent=1) + "\n")
    return path


def load_report(path: str | Path) -> Report:
    """Read a report back.

    Args:
        path: the file, or the folder that holds it.

    Raises:
        InputError: it is missing, damaged or of another version.
    """
    path = Path(path)
    path = path / FILE_NAME if path.is_dir() else path
    if not path.exists():
        raise InputError(f"{path} does not exist: give the folder of a report of bdmm evaluate.")
    trouble = f"{path} is damaged: evaluate again."
    content = read_json(path, TEXT, trouble)
    try:
        if content["format"] != FORMAT:
            raise InputError(f"{path} is of another version of bdmm: evaluate again.")
        return Report(
            kind=str(content["kind"]),
            protocol=dict(content["protocol"]),
            settings=_settings(content["settings"]),
            systems=tuple(dict(one) for one in content["systems"]),
            results=_results(content),
            detectors=dict(content["detectors"]),
            not_computed=dict(content["not_computed"]),
            versions=dict(content["versions"]),
        )
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(trouble) from error


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings; early reports call those of the reenactment ``casting``."""
    settings = dict(values)
    if "casting" in settings:
        casting = dict(settings.pop("casting"))
        casting["first"] = casting.pop("frames", None)
        settings["reenactment"] = casting
    return settings


def _results(content: Mapping[str, Any]) -> Results:
    clips = [clip_result(one) for one in content["clips"]]
    results = gather(clips, [Failure(**one) for one in content["failures"]])
    sets = tuple(DistributionDistance(**one) for one in content["sets"])
    return replace(results, sets=sets, sets_missing=dict(content["sets_missing"]))
