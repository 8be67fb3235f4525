"""The numbers that the paper prints, as data: published by its authors, not measured here.

Tables show them only under a heading that says so. The authors ran the other
systems again on their own machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PAPER = "Bidirectionally Deformable Motion Modulation for Video-based Human Pose Transfer"

METRICS = ("SSIM", "PSNR", "L1", "FID", "LPIPS", "FVD-Train128f", "FVD-Test128f")
"""Columns of every table, in its order."""
OURS = "BDMM"
"""The row of the paper's own system, which every table repeats."""


@dataclass(frozen=True)
class Value:
    """A number of a table; its deviation is None or NaN where there is none."""

    mean: float
    deviation: float | None = None


@dataclass(frozen=True)
class PublishedTable:
    """A printed table.

    Attributes:
        rows: system or variant -> metric -> number; metrics without a printed
            number are left out.
    """

    source: str
    dataset: str
    rows: Mapping[str, Mapping[str, Value]]


def _rows(text: str) -> dict[str, dict[str, Value]]:
    """Read lines of ``name: number number ...``, one per column of `METRICS`, - for none."""
    rows = {}
    for line in text.strip().splitlines():
        name, numbers = line.split(":")
        rows[name.strip()] = _values(numbers.split())
    return rows


def _values(numbers: Sequence[str]) -> dict[str, Value]:
    return {
        metric: Value(*map(float, number.split("±")))
        for metric, number in zip(METRICS, numbers, strict=True)
        if number != "-"
    }


_OURS_ON_FASHION = "BDMM: .918 24.071 .0302 14.083 .0478 168.275±2.564 148.253±6.781"

TABLE_1_FASHION = PublishedTable(
    f"{PAPER}, Table 1",
    "FashionVideo",
    _rows(f"""
        Impersonator: .870 21.094 .0498 18.220 .0799 333.951±2.054 374.034±6.749
        GFLA: .892 21.309 .0459 16.308 .0922 195.205±3.036 256.430±7.459
        Impersonator++: .873 21.434 .0502 22.363 .0761 197.668±2.309 175.663±5.857
        DPTN: .907 23.996 .0335 15.342 .0603 215.078±2.252 206.345±6.522
        NTED: .890 22.025 .0425 14.263 .0728 278.854±3.505 324.128±7.753
        {_OURS_ON_FASHION}
    """),
)
TABLE_1_IPER = PublishedTable(
    f"{PAPER}, Table 1",
    "iPER",
    _rows("""
        Impersonator: .714 17.001 .131 36.182 .230 1034.278±17.523 1178.021±48.840
        GFLA: .797 20.898 .085 25.075 .149 684.101±11.215 796.112±37.071
        Impersonator++: .755 18.689 .103 33.629 .173 714.519±13.813 742.394±30.208
        DPTN: .742 17.997 .110 34.204 .209 1003.598±14.715 1143.603±33.631
        NTED: .771 19.320 .091 20.164 .162 784.509±12.908 916.489±46.471
        BDMM: .803 21.797 .0724 22.291 .120 500.226±11.670 536.084±29.200
    """),
)
TABLE_2 = PublishedTable(
    f"{PAPER}, Table 2",
    "FashionVideo",
    _rows(f"""
        w/o DMM: .892 21.802 .0435 16.636 .0935 200.363±2.992 267.476±7.093
        w/o DCN: .916 23.849 .0317 14.358 .0484 187.390±2.617 167.529±7.566
        w/o style weight: .914 23.483 .0330 14.497 .0513 176.107±2.745 161.549±7.245
        w/o feature concat: .911 23.529 .0338 14.933 .0523 199.483±2.224 172.651±8.439
        w/o motion mask: .912 23.492 .0343 14.554 .0519 191.984±2.336 176.882±7.004
        w/o forward propagation: .914 23.715 .0327 15.794 .0510 208.354±2.833 188.869±9.678
        w/o backward propagation: .908 23.179 .0349 14.345 .0538 171.649±2.289 156.469±6.671
        w/o recurrent structural flow: .910 23.440 .0337 15.951 .0527 202.555±2.712 199.854±7.192
        {_OURS_ON_FASHION}
    """),
)
"""Rows are named as `config.ABLATIONS` names what they leave out."""
TABLE_S1 = PublishedTable(
    f"{PAPER}, supplement, Table 1",
    "FashionVideo",
    _rows(f"""
        w/o L1 loss: - 15.147 .117 379.232 .388 2575.616±14.795 2626.936±29.864
        w/o perceptual loss: .914 23.767 .0323 15.336 .0518 174.383±2.413 159.217±6.818
        w/o style loss: .905 22.933 .0373 14.956 .0569 180.374±2.169 172.143±15.127
        w/o CX loss: .908 23.179 .0349 14.345 .0538 171.824±2.143 155.876±7.937
        w/o spatial adv loss: .913 23.576 .0329 14.394 .0506 201.065±3.101 187.118±8.642
        w/o temporal adv loss: .916 23.892 .0312 14.466 .0487 178.727±2.317 165.524±7.654
        {_OURS_ON_FASHION}
    """),
)
"""Its row without the contextual loss has the same five picture metrics as Table 2's without the
backward propagation: so they are printed."""

PUBLISHED: Mapping[str, PublishedTable] = {
    "table 1 fashion": TABLE_1_FASHION,
    "table 1 iper": TABLE_1_IPER,
    "table 2": TABLE_2,
    "table s1": TABLE_S1,
}
