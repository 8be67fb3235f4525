"""What was measured on the sliding person."""

from pathlib import Path

import pytest

from bdmm.evaluation.config import EvalConfig
from bdmm.evaluation.evaluate import evaluate_clips
from bdmm.evaluation.reports.report_file import Report


@pytest.fixture(scope="session")
def report_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="session")
def report(clip_folder: Path, report_folder: Path) -> Report:
    """Of the baselines on the clip."""
    return evaluate_clips((), [clip_folder], report_folder, EvalConfig(first=7))
