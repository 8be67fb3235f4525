"""Ablations: each row leaves out what its table says, all are trained alike, numbers add up."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bdmm.config import DiscriminatorConfig, NetworkConfig
from bdmm.errors import InputError
from bdmm.evaluation.ablation.study import (
    FULL,
    ROWS,
    Study,
    ablated,
    changes,
    check,
    choose_rows,
    is_finished,
    score_rows,
    system_name,
    train_rows,
)
from bdmm.evaluation.ablation.table import results_of, save_study, tables_of
from bdmm.evaluation.config import EvalConfig
from bdmm.evaluation.jobs.scores import ClipResult, gather
from bdmm.evaluation.reports.report_file import Report
from bdmm.evaluation.systems import BASELINES
from bdmm.metrics.published import TABLE_2, TABLE_S1
from bdmm.metrics.running import Summary
from bdmm.network.weights import shapes_of
from bdmm.training.settings import TRAIN_PRESETS, TrainSettings
from bdmm.training.start import Machine, Material


@pytest.fixture
def base() -> TrainSettings:
    """The paper's losses without VGG-19, and a tiny network."""
    paper = TRAIN_PRESETS["paper"]
    return replace(
        paper,
        network=NetworkConfig(
            joints=18, widths=(4, 6), style_widths=(4, 6), feeds_back=False, window=5
        ),
        discriminators=DiscriminatorConfig(width=4, max_width=8, frames=5),
        losses=replace(paper.losses, perceptual=0.0, style=0.0, contextual=0.0),
        steps=1,
        windows=1,
    )


@pytest.fixture
def study(base: TrainSettings, clip_folder: Path, tmp_path: Path) -> Study:
    shutil.copytree(clip_folder, tmp_path / "test" / "walk_2")
    return Study(
        base,
        choose_rows(base, ["no-backward"]),
        (0,),
        Material([clip_folder], augmentation=None),
        (tmp_path / "test",),
        tmp_path / "study",
    )


def test_rows_are_those_of_the_papers_tables() -> None:
    for table, count in ((TABLE_2, 8), (TABLE_S1, 6)):
        rows = [row for row in ROWS.values() if row.table is table]
        assert len(rows) == count
        assert {row.name for row in rows} == set(table.rows) - {FULL.name}
        assert all(row.published() == table.rows[row.name] for row in rows)
    assert FULL.published()["PSNR"].mean == 24.071


@pytest.mark.parametrize("preset", sorted(TRAIN_PRESETS))
def test_a_row_differs_in_what_it_leaves_out_alone(preset: str) -> None:
    base = TRAIN_PRESETS[preset]
    for row in choose_rows(base):
        settings = ablated(base, row, 3)
        assert settings.seed == 3
        for name in row.network:
            assert getattr(settings.network, name) is False
        for name in row.losses:
            assert getattr(settings.losses, name) == 0
        back = replace(
            settings,
            network=replace(settings.network, **dict.fromkeys(row.network, True)),
            losses=base.losses if row.losses else settings.losses,
            seed=base.seed,
        )
        assert back == base
        assert (settings == replace(base, seed=3)) is (row is FULL)


def test_rows_are_chosen_in_the_papers_order_and_never_twice_the_full_model() -> None:
    layered = TRAIN_PRESETS["layered"]
    assert [row.key for row in choose_rows(layered, ["no-dcn", "no-dmm"])] == [
        "full",
        "no-dmm",
        "no-dcn",
    ]
    assert len(choose_rows(TRAIN_PRESETS["paper"])) == 15
    assert not changes(layered, ROWS["no-cx"])
    assert "no-cx" not in {row.key for row in choose_rows(layered)}
    with pytest.raises(InputError, match="the row no-cx leaves out"):
        choose_rows(layered, ["no-cx"])
    with pytest.raises(InputError, match="no row 'no-luck'; choose from full, no-dmm"):
        choose_rows(layered, ["no-luck"])


@pytest.mark.parametrize("head", ["rgb", "layers"])
def test_every_row_has_a_network(base: TrainSettings, head: str) -> None:
    base = replace(base, network=replace(base.network, head=head))
    shapes = {
        row.key: shapes_of(ablated(base, row, 0).network)
        for row in ROWS.values()
        if row.network or row is FULL
    }
    assert len(shapes) == 9
    for key in shapes:
        alike = key in ("full", "no-structural-recurrence")  # the recurrence stays, its state goes
        assert (shapes[key] == shapes["full"]) is alike, key


def test_bad_input_is_said_before_anything_is_written(study: Study, clip_folder: Path) -> None:
    base, config = study.base, EvalConfig()
    learnt = replace(study, test=(clip_folder,))
    needy = replace(study.base, losses=TRAIN_PRESETS["paper"].losses)
    wrong = [
        (replace(study, seeds=(0, 0)), "seeds must be different"),
        (replace(study, seeds=()), "seeds must be different"),
        (learnt, "both in the training and in the test data"),
        (replace(study, test=(clip_folder,), split="test"), "of the split test"),
        (replace(study, base=replace(base, crop=(62, 62))), "takes multiples of 4"),
        (
            replace(study, base=needy, material=replace(study.material, vgg=Path("no.pth"))),
            "VGG-19",
        ),
        (replace(study, folder=clip_folder), "holds other files"),
        (replace(study, folder=clip_folder / "clip.json"), "is a file"),
    ]
    for one, words in wrong:
        with pytest.raises(InputError, match=words):
            check(one, config)
    assert not study.folder.exists()


@pytest.mark.slow
def test_a_study_is_trained_judged_and_taken_up_again(study: Study) -> None:
    config, cpu, told = EvalConfig(first=4), Machine("cpu"), []
    check(study, config)
    assert train_rows(study, cpu, lambda stage, done, total: told.append((stage, done, total)))
    assert told == [("1 of 2: full, seed 0", 1, 1), ("2 of 2: no-backward, seed 0", 1, 1)]
    assert all(is_finished(study.run_folder(*run)) for run in study.runs)
    told.clear()
    more = replace(study, seeds=(0, 1))
    check(more, config)
    assert train_rows(more, cpu, lambda stage, done, total: told.append((stage, done, total)))
    assert [stage for stage, _, _ in told] == [
        "3 of 4: full, seed 1",
        "4 of 4: no-backward, seed 1",
    ]
    report = score_rows(more, config)
    text = save_study(more, report).read_text()
    assert "| w/o backward propagation | " in text
    assert "published: PSNR" in text
    content = json.loads((more.folder / "table.json").read_text())
    assert content["rows"][1]["published_not_measured_here"]["PSNR"]["mean"] == 23.179
    with pytest.raises(InputError, match="an ablation with another steps"):
        check(replace(study, base=replace(study.base, steps=2)), config)
    with pytest.raises(InputError, match="an ablation with another augmentation"):
        check(replace(study, material=Material(study.material.clips)), config)


@pytest.fixture
def make_report() -> Callable[[dict[str, float]], Report]:
    """A report of systems whose person has some PSNR, on one clip."""

    def make(numbers: dict[str, float]) -> Report:
        clips = [
            ClipResult(name, "a1", "a", 9, 25.0, {"person": {"psnr": Summary(value, 0.0, 9, 0)}})
            for name, value in numbers.items()
        ]
        return Report("reenactment", {"name": "modern"}, {}, (), gather(clips))

    return make


def test_means_are_over_seeds_and_differences_are_paired(
    study: Study, make_report: Callable[[dict[str, float]], Report]
) -> None:
    study = replace(study, seeds=(0, 1))
    full, less = ROWS["full"], ROWS["no-backward"]
    report = make_report(
        {
            "copy": 10.0,
            "coarse": 15.0,
            system_name(full, 0): 20.0,
            system_name(full, 1): 22.0,
            system_name(less, 0): 19.0,
            system_name(less, 1): 20.0,
        }
    )
    results = {one.row.key: one for one in results_of(study, report)}
    mean = results["full"].means["person"]["psnr"]
    assert (mean.mean, mean.deviation) == (21.0, pytest.approx(math.sqrt(2)))
    away = results["no-backward"].differences["person"]["psnr"]
    assert (away.mean, away.deviation) == (-1.5, pytest.approx(math.sqrt(0.5)))
    measured, differences = tables_of(study, report)
    assert [row.name for row in measured.rows] == [*BASELINES, FULL.name, less.name]
    lines = save_study_text(study, report)
    assert "| BDMM | **21.00 ± 1.41** | 0.918 | 24.071 |" in lines
    assert "| w/o backward propagation | -1.50 ± 0.71 | -0.010 | -0.892 |" in lines
    assert all(one.label.startswith("published: ") for one in differences.columns[1:])


def save_study_text(study: Study, report: Report) -> str:
    study.folder.mkdir()
    return save_study(study, report).read_text()
