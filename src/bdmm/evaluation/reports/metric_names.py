"""What metrics are called in tables, which way is better, and how many digits tell something."""

from dataclasses import dataclass
from typing import Literal

from bdmm.metrics.frame_metrics import WHOLE

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class MetricName:
    """A metric in a table.

    Attributes:
        label: heading of its column.
        better: which way.
        digits: after the point.
        meaning: for a legend.
    """

    label: str
    better: Better
    digits: int
    meaning: str = ""

    @property
    def arrow(self) -> str:
        """Return an arrow towards what is better."""
        return {"higher": "↑", "lower": "↓", "neither": ""}[self.better]


METRIC_NAMES = {
    "ssim": MetricName("SSIM", "higher", 4, "structural similarity"),
    "psnr": MetricName("PSNR", "higher", 2, "decibels, per frame and then averaged"),
    "l1": MetricName("L1", "lower", 4, "mean absolute difference in the protocol's scale"),
    "lpips_alex": MetricName("LPIPS", "lower", 4, "LPIPS 0.1 with AlexNet"),
    "lpips_vgg": MetricName("LPIPS-VGG", "lower", 4, "LPIPS 0.1 with VGG-16"),
    "vgg19": MetricName(
        "VGG-19 L1",
        "lower",
        4,
        "difference of VGG-19's features relative to the true frame's; no published metric",
    ),
    "warping": MetricName(
        "warping error",
        "lower",
        5,
        "squared difference between neighbouring frames along the true video's flow",
    ),
    "keypoint_pixels": MetricName(
        "keypoint error",
        "lower",
        2,
        "pixels at 256 between driving and found keypoints",
    ),
    "pck": MetricName("PCK", "higher", 3, "share of keypoints within a tenth of the torso"),
    "keypoints_found": MetricName("found", "higher", 3, "share of keypoints found again"),
    "warping_true": MetricName("… of the truth", "neither", 5, "the true video's own such error"),
}
"""In the order of a table's columns."""


_UNSAID = (WHOLE, "pose")
"""Regions that headings do not name."""


def metric_name(metric: str) -> MetricName:
    """Return how a metric is shown; one that is not known under its own name."""
    return METRIC_NAMES.get(metric, MetricName(metric, "neither", 4))


def column_label(region: str, metric: str) -> str:
    """Return the heading of a metric of a region."""
    name = metric_name(metric)
    where = "" if region in _UNSAID else f" {region}"
    return f"{name.label}{where} {name.arrow}".rstrip()


def in_order(metrics: set[str]) -> list[str]:
    """Return metrics in the order of a table's columns, unknown ones last."""
    known = [one for one in METRIC_NAMES if one in metrics]
    return known + sorted(metrics - set(known))
