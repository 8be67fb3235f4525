"""A small made-up rendered clip, and the prepared clip made of it."""

from fractions import Fraction
from functools import partial
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
from bdmm.records import BONE_NAMES, Motion
from bdmm_synth.clip import RenderedClip
from bdmm_synth.render.truth import TrueFlow

SIDE, COUNT = 96, 20


def sliding_flow(foregrounds: np.ndarray, source: int) -> TrueFlow:
    person = torch.from_numpy(foregrounds > 127)
    shift = source - torch.arange(float(len(person)))
    flow = torch.full((*person.shape, 2), torch.nan)
    flow[..., 0] = torch.where(person, shift[:, None, None], torch.nan)
    flow[..., 1] = torch.where(person, 0.0, torch.nan)
    return TrueFlow(flow, person)


@pytest.fixture(scope="session")
def body() -> AnnyBody:
    return load_body()


@pytest.fixture(scope="session")
def sliding(body: AnnyBody) -> RenderedClip:
    """A person, each bone of another colour, who slides a pixel to the right in every frame."""
    motion = Motion(
        rotations=torch.eye(3).expand(COUNT, len(BONE_NAMES), 3, 3).clone(),
        scale=torch.full((COUNT,), 42.0),
        translation=torch.tensor([38.0, 44.0]) + torch.arange(COUNT)[:, None] * torch.eye(2)[0],
        shape=torch.zeros(body.shape_size),
        flagged=torch.zeros(COUNT, dtype=torch.bool),
        size=(SIDE, SIDE),
        fps=Fraction(25),
    )
    vertices = body.vertices(motion.shape, motion.rotations)
    face = rasterize(
        project(vertices, motion.scale, motion.translation), body.faces, motion.size
    ).face
    bones = body.vertex_bones[body.faces[face.clamp(min=0), 0]]
    colours = np.random.default_rng(5).integers(30, 220, (len(BONE_NAMES), 3))
    ramp = np.linspace(90, 160, SIDE)[None, None, :, None].repeat(3, 3)
    person = (face >= 0).numpy()
    frames = np.where(person[..., None], colours[bones.numpy()], ramp).astype(np.uint8)
    foregrounds = person.astype(np.uint8) * 255
    flow = partial(sliding_flow, foregrounds)
    return RenderedClip(frames, foregrounds, motion, body_keypoints(body, motion), flow)


@pytest.fixture(scope="session")
def options() -> SynthOptions:
    return SynthOptions(clips=1, size=SIDE, frames=COUNT, fps=Fraction(25), sources=3)


@pytest.fixture(scope="session")
def clip_folder(
    tmp_path_factory: pytest.TempPathFactory,
    sliding: RenderedClip,
    body: AnnyBody,
    options: SynthOptions,
) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "slider"
    store_rendered(folder, sliding, body, options, np.random.default_rng(1))
    return folder


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> PreparedClip:
    return PreparedClip(clip_folder)
