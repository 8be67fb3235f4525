"""`bdmm ablate`: each kind of bad input, one sentence, exit code 2, nothing written."""

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "nowhere"),
        (("--rows", "no-luck"), "There is no row 'no-luck'"),
        (("--preset", "layered", "--rows", "no-cx"), "the row no-cx leaves out"),
        (("--steps", "0"), "steps must be 1 or more"),
        (("--learning-rate", "nan"), "learning rate must be a number above 0"),
        (("--seeds", "1", "1"), "seeds must be different numbers"),
        (("--limit", "0"), "The limit is 0"),
        (("--workers", "-1"), "number of workers is -1"),
    ],
)
def test_options_that_no_study_can_have(bdmm, options: tuple[str, ...], words: str) -> None:
    outcome = bdmm("ablate", "--data", "nowhere", "-o", "study", *options)
    assert outcome.code == 2
    assert words in outcome.sentence
    assert outcome.new_files == set()


def test_a_missing_package_is_named(bdmm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bdmm.training.settings.find_spec", lambda name: None)
    outcome = bdmm("ablate", "--data", tmp_path, "-o", "study")
    assert outcome.code == 2
    assert "bdmm[train]" in outcome.sentence
