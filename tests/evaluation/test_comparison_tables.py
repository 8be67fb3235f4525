"""Reports side by side: the best in bold, published numbers apart."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from bdmm.errors import InputError
from bdmm.evaluation.jobs.scores import gather
from bdmm.evaluation.reports.comparison import compare, read_entry, save_tables
from bdmm.evaluation.reports.report_file import Report, save_report
from bdmm.evaluation.reports.tables import (
    Column,
    Row,
    Table,
    Value,
    best_rows,
    to_text,
)

COLUMNS = (Column("SSIM ↑", "higher", 2), Column("L1 ↓", "lower", 2), Column("own", "neither", 2))
ROWS = (
    Row("a_b", (Value(0.914, 0.1), Value(0.2), Value(1.0))),
    Row("x & y", (Value(0.911), Value(0.1), Value(2.0))),
    Row("none", (Value(math.nan), None, Value(0.0))),
)
TABLE = Table("t", COLUMNS, ROWS, (Row("paper", (Value(0.99), None, None)),), "published elsewhere")


def test_best_is_what_is_printed_as_best() -> None:
    assert best_rows(TABLE, 0) == {0, 1}, "they print alike"
    assert best_rows(TABLE, 1) == {1}
    assert best_rows(TABLE, 2) == set()
    assert best_rows(replace(TABLE, rows=ROWS[:1]), 0) == set(), "nothing to be better than"


def test_three_forms_say_the_same() -> None:
    markdown, latex, html = (to_text(TABLE, form) for form in ("md", "tex", "html"))
    assert "| a_b | **0.91 ± 0.10** | 0.20 | 1.00 |" in markdown
    assert "| none | undefined | - | 0.00 |" in markdown
    assert "| *paper* | 0.99 | - | - |" in markdown, "published numbers are never in bold"
    assert r"a\_b & \textbf{0.91 $\pm$ 0.10} & 0.20 & 1.00 \\" in latex
    assert r"x \& y & \textbf{0.91} & \textbf{0.10}" in latex
    assert r"\emph{published elsewhere}" in latex
    assert "<td class='best'>0.91 ± 0.10</td>" in html
    assert "<tr class='published'><th>paper</th><td>0.99</td>" in html


@pytest.fixture
def saved(report: Report, tmp_path: Path) -> Path:
    (tmp_path / "one").mkdir()
    save_report(tmp_path / "one", report)
    return tmp_path / "one"


def test_systems_of_reports_make_one_table(saved: Path, tmp_path: Path) -> None:
    tables = compare([f"still={saved}:copy", f"coarse={saved}"])
    assert [row.name for row in tables[0].rows] == ["still", "coarse"]
    assert best_rows(tables[0], 0) == {1}
    paths = save_tables(tmp_path / "table", tables)
    assert [path.name for path in paths] == ["table.md", "table.tex", "table.html"]
    assert "**" in paths[0].read_text()
    with pytest.raises(InputError, match=r"has the systems copy, coarse: name one"):
        read_entry(f"ours={saved}")
    with pytest.raises(InputError, match="has no system net, only copy, coarse"):
        read_entry(f"ours={saved}:net")
    with pytest.raises(InputError, match="not of the form NAME=REPORT"):
        read_entry(str(saved))


def test_what_cannot_stand_in_one_table_is_refused(
    report: Report, saved: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    both = [f"coarse={saved}", f"b={other}:copy"]
    save_report(other, replace(report, protocol={**report.protocol, "name": "paper"}))
    with pytest.raises(InputError, match="cannot stand in one table"):
        compare(both)
    shorter = [replace(one, frames=3) for one in report.results.clips]
    save_report(other, replace(report, results=gather(shorter, [])))
    with pytest.raises(InputError, match="score both on the same frames"):
        compare(both)
    renamed = [replace(one, clip="another") for one in report.results.clips]
    save_report(other, replace(report, results=gather(renamed, [])))
    with pytest.raises(InputError, match="no clip in common"):
        compare(both)


def test_published_rows_need_the_papers_protocol(
    report: Report, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="Published numbers follow the paper's protocol"):
        compare([f"coarse={saved}"], "table 1 iper")
    save_report(saved, replace(report, protocol={**report.protocol, "name": "paper"}))
    text = to_text(compare([f"coarse={saved}", f"copy={saved}"], "table 1 iper")[0], "md")
    assert "published, not measured here" in text
    assert "| *NTED* | 0.771 | 19.32 | 0.091 |" in text
    assert text.index("coarse") < text.index("published") < text.index("NTED")
