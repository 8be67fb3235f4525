"""A tiny prepared clip of a person who slides to the right, and what was measured on it."""

import runpy
from pathlib import Path

import pytest

from bdmm.data.clip_store import PreparedClip
from bdmm.evaluation.config import EvalConfig
from bdmm.evaluation.evaluate import evaluate_clips
from bdmm.evaluation.reports.report_file import Report

SLIDER = Path(__file__).parents[1] / "fixtures" / "sliding_person.py"


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "walk_1"
    runpy.run_path(str(SLIDER))["write_clip"](folder)
    return folder


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> PreparedClip:
    return PreparedClip(clip_folder)


@pytest.fixture(scope="session")
def report_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="session")
def report(clip_folder: Path, report_folder: Path) -> Report:
    """Of the baselines on the clip."""
    return evaluate_clips((), [clip_folder], report_folder, EvalConfig(first=7))
