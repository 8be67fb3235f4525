"""A clip as the network sees it: each generated frame with what its motion modulation did."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import load_body
from bdmm.inference.animate import Animation
from bdmm.inference.layered import Layered
from bdmm.inference.motion_pictures import feature_norm, mean_offset
from bdmm.inference.prepare import Inputs
from bdmm.inference.recorder import Block, Recorder, Recording, blocks_of
from bdmm.inference.renderers import Network
from bdmm.media.image import Picture
from bdmm.records import KEYPOINT_NAMES

UNITS = (
    "nose", "neck", "right_elbow", "right_wrist", "left_elbow", "left_wrist", "mid_hip",
    "right_knee", "right_ankle", "left_knee", "left_ankle",
)  # fmt: skip
"""Keypoints under which the units lie whose sampling points are shown."""
_ALMOST_ALL = 0.99
_LEAST_REACH = 0.1
"""Frame pixels that are full colour where nothing moves more."""


@dataclass(frozen=True)
class Ranges:
    """What the ends of the colour scales mean, the same for a whole clip.

    Attributes:
        offset: by shrink, the length in frame pixels of an offset in full colour.
        features: of each block, the norm of the features that are brightest.
    """

    offset: dict[int, float]
    features: dict[Block, float]


@dataclass(frozen=True)
class Look:
    """One frame, looked into.

    Attributes:
        number: of the frame, from 1.
        driving: the driver's frame, as large as the generated one.
        generated: the network's frame.
        recording: what its blocks did.
        points: ``n 2`` (x, y) of body parts, in pixels of the frame.
        corner: (top, left) in the frame of the part that the network looked at.
        ranges: of the clip.
    """

    number: int
    driving: Picture
    generated: Picture
    recording: Recording
    points: Float[Tensor, "n 2"]
    corner: tuple[int, int]
    ranges: Ranges


class Explanation:
    """Iterate over it once for one `Look` per frame; a window's recordings are held at a time.

    Attributes:
        inputs: photo and driver.
        blocks: of the network, coarse to fine.
        layered: whether the network has layers to show.

    Args:
        inputs: photo and driver.
        renderer: the network.

    Raises:
        InputError: the network has no motion modulation.
    """

    def __init__(self, inputs: Inputs, renderer: Network | Layered) -> None:
        self.inputs = inputs
        self.blocks = list(blocks_of(renderer.generator))
        self.layered = isinstance(renderer, Layered)
        self._renderer = renderer
        self._recorder = Recorder(renderer.generator)

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.inputs)

    def __iter__(self) -> Iterator[Look]:
        """Generate and look on."""
        points = body_points(self.inputs)
        driving = self.inputs.driving_frames()
        ranges = None
        with self._recorder as recorder:
            frames = Animation(self.inputs, self._renderer)
            for i, (generated, driver) in enumerate(zip(frames, driving, strict=True)):
                ranges = ranges or ranges_of(recorder.waiting())
                recording, corner = recorder.take(), _corner(self._renderer)
                yield Look(i + 1, driver, generated, recording, points[i], corner, ranges)


def ranges_of(recordings: Sequence[Recording]) -> Ranges:
    """Choose the colour scales by the first frames of a clip: almost all lies within."""
    offset: dict[int, float] = {}
    features: dict[Block, float] = {}
    for block in recordings[0].blocks:
        seen = [one.blocks[block] for one in recordings]
        moved = _high([mean_offset(one, block.shrink).norm(dim=0) for one in seen])
        offset[block.shrink] = max(offset.get(block.shrink, _LEAST_REACH), round_up(moved))
        features[block] = round_up(_high([feature_norm(one) for one in seen])) or 1.0
    return Ranges(offset, features)


def round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20 and so on, or 0.1, 0.2, ...; 0 for what has none."""
    if not 0 < value < math.inf:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1, 2, 5) if value <= step * power), 10 * power)


def body_points(inputs: Inputs) -> Float[Tensor, "t n 2"]:
    """Return where the moved person's `UNITS` are, in pixels of the frames."""
    motion = inputs.motion
    keypoints = load_body(motion.body).keypoints(motion.shape, motion.rotations)
    seen = project(keypoints, motion.scale, motion.translation)[..., :2]
    return seen[:, [KEYPOINT_NAMES.index(name) for name in UNITS]]


def _corner(renderer: Network | Layered) -> tuple[int, int]:
    box = renderer.box if isinstance(renderer, Layered) else None
    return (0, 0) if box is None else (box.top, box.left)


def _high(maps: Sequence[Float[Tensor, "h w"]]) -> float:
    values = torch.stack(list(maps)).flatten().nan_to_num()
    return values.kthvalue(max(round(_ALMOST_ALL * len(values)), 1)).values.item()
