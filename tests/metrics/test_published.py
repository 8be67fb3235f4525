"""The paper's tables: golden entries and their form."""

import pytest

from bdmm.config import ABLATIONS
from bdmm.metrics.published import (
    METRICS,
    OURS,
    PUBLISHED,
    TABLE_1_FASHION,
    TABLE_1_IPER,
    TABLE_2,
    TABLE_S1,
)


@pytest.mark.parametrize(
    ("table", "row", "metric", "mean", "deviation"),
    [
        (TABLE_1_FASHION, OURS, "SSIM", 0.918, None),
        (TABLE_1_FASHION, OURS, "FVD-Test128f", 148.253, 6.781),
        (TABLE_1_FASHION, "GFLA", "LPIPS", 0.0922, None),
        (TABLE_1_FASHION, "Impersonator++", "FVD-Train128f", 197.668, 2.309),
        (TABLE_1_IPER, "Impersonator", "FVD-Test128f", 1178.021, 48.840),
        (TABLE_1_IPER, "NTED", "FID", 20.164, None),
        (TABLE_1_IPER, OURS, "L1", 0.0724, None),
        (TABLE_2, "w/o DMM", "FVD-Test128f", 267.476, 7.093),
        (TABLE_2, "w/o backward propagation", "PSNR", 23.179, None),
        (TABLE_2, "w/o recurrent structural flow", "FID", 15.951, None),
        (TABLE_S1, "w/o L1 loss", "FID", 379.232, None),
        (TABLE_S1, "w/o temporal adv loss", "FVD-Train128f", 178.727, 2.317),
    ],
)
def test_golden_entries(table, row, metric, mean, deviation) -> None:
    value = table.rows[row][metric]
    assert (value.mean, value.deviation) == (mean, deviation)


def test_every_row_is_whole_but_for_what_the_paper_lacks() -> None:
    for table in PUBLISHED.values():
        for name, row in table.rows.items():
            lacking = {"SSIM"} if name == "w/o L1 loss" else set()
            assert set(METRICS) - set(row) == lacking
            assert all((row[m].deviation is not None) == m.startswith("FVD") for m in row)
        assert OURS in table.rows
    sizes = [len(table.rows) for table in PUBLISHED.values()]
    assert sizes == [6, 6, 8 + 1, 6 + 1]


def test_ours_is_the_same_in_every_table_of_fashion_video() -> None:
    assert TABLE_1_FASHION.rows[OURS] == TABLE_2.rows[OURS] == TABLE_S1.rows[OURS]
    assert all("Table" in table.source for table in PUBLISHED.values())


def test_rows_of_table_2_are_the_ablations_that_can_be_run() -> None:
    named = [f"w/o {name}" for name in ABLATIONS]
    assert sorted(name for name in TABLE_2.rows if name != OURS) == sorted(named)
