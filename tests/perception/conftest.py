"""People of known pose, as an estimator would see them."""

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import AnnyBody, load_body
from bdmm.body.rasterize import rasterize
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.perception.pose import Silhouette
from bdmm.records import BONE_NAMES, Landmarks, Motion

SIZE = (256, 256)
RATE = Fraction(25)


@pytest.fixture(scope="session")
def body() -> AnnyBody:
    return load_body()


@pytest.fixture(scope="session")
def overlap() -> Callable[..., Tensor]:
    """Return the measuring tool's intersection over union of bodies and silhouettes."""
    tools = str(Path(__file__).resolve().parents[2] / "tools")
    sys.path.insert(0, tools)
    try:
        from measure_fit import overlap

        return overlap
    finally:
        sys.path.remove(tools)


@pytest.fixture
def make_motion(body: AnnyBody) -> Callable[..., Motion]:
    """Return a function that makes a plausible moving person from angles of some bones."""

    def make(frames: int = 24, turn: float = 0.0, **bends: tuple[float, float, float]) -> Motion:
        phase = torch.linspace(0, 2 * torch.pi, frames)[:, None]
        angles = torch.zeros(frames, 24, 3)
        angles[:, 0, 1] = turn
        swings = {
            "left_shoulder": (0.2, 0.3, -0.5), "right_shoulder": (0.3, 0.2, 0.6),
            "left_elbow": (-0.4, -0.3, 0.0), "right_elbow": (-0.6, 0.3, 0.0),
            "left_hip": (-0.5, 0.0, 0.1), "right_hip": (-0.2, 0.0, -0.2),
            "left_knee": (0.6, 0.0, 0.0), "right_knee": (0.3, 0.0, 0.0),
            "spine2": (0.1, 0.15, 0.05), "head": (0.1, 0.3, 0.0),
        } | bends  # fmt: skip
        for name, swing in swings.items():
            amount = 0.75 + 0.25 * torch.sin(phase + len(name))
            angles[:, BONE_NAMES.index(name)] = amount * torch.tensor(swing)
        drift = torch.linspace(-10, 10, frames)
        return Motion(
            rotations=axis_angle_to_matrix(angles),
            scale=torch.full((frames,), 95.0),
            translation=torch.stack((128 + drift, torch.full((frames,), 125.0)), dim=1),
            shape=0.5 * torch.randn(body.shape_size),
            flagged=torch.zeros(frames, dtype=torch.bool),
            size=SIZE,
            fps=RATE,
        )

    return make


@pytest.fixture
def see(body: AnnyBody) -> Callable[..., Landmarks]:
    """Return a function that gives a motion's landmarks, with noise in pixels."""

    def landmarks(motion: Motion, noise: float = 0.0, flat: bool = False) -> Landmarks:
        points = body.keypoints(motion.shape, motion.rotations)
        seen = project(points, motion.scale, motion.translation)[..., :2]
        seen = seen + noise * torch.randn_like(seen)
        keypoints = torch.cat((seen, torch.ones_like(seen[..., :1])), dim=-1)
        deep = points - points[:, 8:9] + noise / 95 * torch.randn_like(points)
        found = torch.ones(len(points), dtype=torch.bool)
        return Landmarks(keypoints, None if flat else deep, found, motion.size, motion.fps)

    return landmarks


@pytest.fixture
def outline(body: AnnyBody) -> Callable[[Motion], list[Silhouette]]:
    """Return a function that draws a motion's silhouettes."""

    def draw(motion: Motion) -> list[Silhouette]:
        points = body.vertices(motion.shape, motion.rotations)
        faces = rasterize(
            project(points, motion.scale, motion.translation), body.faces, motion.size
        ).face
        drawn: Tensor = (faces >= 0).float()
        return [Silhouette(i, one[None], (0.0, 0.0), 1.0) for i, one in enumerate(drawn)]

    return draw
