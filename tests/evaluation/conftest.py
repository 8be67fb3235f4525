"""A tiny prepared clip of a person who slides to the right, and what was measured on it."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.body.camera import project
from bdmm.body.model import AnnyBody, load_body
from bdmm.body.rasterize import rasterize
from bdmm.conditioning import body_keypoints
from bdmm.data.clip_store import PreparedClip
from bdmm.data.synth import SynthOptions, store_rendered
from bdmm.evaluation.config import EvalConfig
from bdmm.evaluation.evaluate import evaluate_clips
from bdmm.evaluation.reports.report_file import Report
from bdmm.records import BONE_NAMES, Motion

SIDE, COUNT = 64, 8


@dataclass(frozen=True)
class Slider:
    """What `store_rendered` asks for; each bone has a colour, the person slides a pixel a frame."""

    frames_uint8: np.ndarray
    foregrounds: np.ndarray
    motion: Motion
    keypoints: torch.Tensor

    def flow(self, source: int) -> None:
        raise AssertionError("no truth is stored")


def slide(body: AnnyBody, count: int = COUNT) -> Slider:
    motion = Motion(
        rotations=torch.eye(3).expand(count, len(BONE_NAMES), 3, 3).clone(),
        scale=torch.full((count,), 28.0),
        translation=torch.tensor([26.0, 30.0]) + torch.arange(count)[:, None] * torch.eye(2)[0],
        shape=torch.zeros(body.shape_size),
        flagged=torch.zeros(count, dtype=torch.bool),
        size=(SIDE, SIDE),
        fps=Fraction(25),
    )
    vertices = body.vertices(motion.shape, motion.rotations)
    seen = project(vertices, motion.scale, motion.translation)
    face = rasterize(seen, body.faces, motion.size).face
    bones = body.vertex_bones[body.faces[face.clamp(min=0), 0]]
    colours = np.random.default_rng(5).integers(30, 220, (len(BONE_NAMES), 3))
    ramp = np.linspace(90, 160, SIDE)[None, None, :, None].repeat(3, 3)
    person = (face >= 0).numpy()
    frames = np.where(person[..., None], colours[bones.numpy()], ramp).astype(np.uint8)
    people = person.astype(np.uint8) * 255
    return Slider(frames, people, motion, body_keypoints(body, motion))


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "walk_1"
    body = load_body()
    options = SynthOptions(
        clips=1, size=SIDE, frames=COUNT, fps=Fraction(25), sources=1, truth=False
    )
    store_rendered(folder, slide(body), body, options, np.random.default_rng(1))
    return folder


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> PreparedClip:
    return PreparedClip(clip_folder)


@pytest.fixture(scope="session")
def report_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="session")
def report(clip_folder: Path, report_folder: Path) -> Report:
    """Of the baselines on the clip."""
    return evaluate_clips((), [clip_folder], report_folder, EvalConfig(first=7))
