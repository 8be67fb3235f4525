"""`bdmm train`: each kind of bad input, one sentence, exit code 2."""

from pathlib import Path

import pytest

from bdmm.training.run_folder import open_run
from bdmm.training.settings import TRAIN_PRESETS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "nowhere"),
        (("--learning-rate", "nan"), "learning rate must be a number above 0, not nan"),
        (("--steps", "0"), "steps must be 1 or more"),
        (("--devices", "0"), "1 device"),
    ],
)
def test_options_that_no_run_can_have(bdmm, options: tuple[str, ...], words: str) -> None:
    outcome = bdmm("train", "--data", "nowhere", "-o", "run", *options)
    assert outcome.code == 2
    assert words in outcome.sentence
    assert outcome.new_files == set()


def test_no_clips(bdmm, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcome = bdmm("train", "--data", "empty", "-o", "run")
    assert outcome.code == 2
    assert "empty" in outcome.sentence
    assert not (tmp_path / "run").exists()


def test_a_missing_package_is_named(bdmm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bdmm.training.settings.find_spec", lambda name: None)
    outcome = bdmm("train", "--data", tmp_path, "-o", "run")
    assert outcome.code == 2
    assert "bdmm[train]" in outcome.sentence


def test_settings_of_every_preset_can_be_kept(tmp_path: Path) -> None:
    for name, settings in TRAIN_PRESETS.items():
        (tmp_path / name).mkdir()
        open_run(tmp_path / name, settings)
        open_run(tmp_path / name, settings)
