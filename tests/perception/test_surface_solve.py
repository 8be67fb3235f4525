"""The surface solve: errors that vanish, outliers that hardly matter."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdmm.body.camera import project
from bdmm.body.model import AnnyBody, load_body
from bdmm.data.cached_sources import perturb_fit
from bdmm.media.motion_file import load_shipped
from bdmm.perception.surface_solve import DisplacementTargets, solve
from bdmm.records import Motion


@pytest.fixture(scope="module")
def body() -> AnnyBody:
    return load_body()


@pytest.fixture(scope="module")
def pose(body: AnnyBody) -> Motion:
    shape = 0.3 * torch.ones(body.shape_size)
    return replace(load_shipped("dance")[10:11], shape=shape)


def _points(body: AnnyBody, motion: Motion) -> torch.Tensor:
    posed = body.vertices(motion.shape, motion.rotations)
    return project(posed, motion.scale, motion.translation)[..., :2]


def missed(body: AnnyBody, motion: Motion, true: Motion) -> float:
    some = body.part(torch.arange(0, len(body.weights), 3))
    there = _points(some, motion) - _points(some, true)
    return float(there.norm(dim=-1).mean())


def pull_to(body: AnnyBody, motion: Motion, true: Motion) -> DisplacementTargets:
    vertices = torch.arange(5, len(body.weights), 23)
    some = body.part(vertices)
    shift = _points(some, true) - _points(some, motion)
    return DisplacementTargets(vertices, shift, torch.ones(shift.shape[:2], dtype=torch.bool))


def test_a_spoilt_fit_comes_back(body: AnnyBody, pose: Motion) -> None:
    spoilt = perturb_fit(pose, body, 6.0, np.random.default_rng(3))
    mended = solve(body, spoilt, pull_to(body, spoilt, pose), free_shape=True)
    assert missed(body, spoilt, pose) > 4
    assert missed(body, mended, pose) < 0.1 * missed(body, spoilt, pose)


def test_wild_points_hardly_matter(body: AnnyBody, pose: Motion) -> None:
    spoilt = perturb_fit(pose, body, 5.0, np.random.default_rng(4))
    targets = pull_to(body, spoilt, pose)
    shift = targets.shift.clone()
    shift[:, ::10] += 300
    mended = solve(body, spoilt, replace(targets, shift=shift), free_shape=True)
    assert missed(body, mended, pose) < 0.3 * missed(body, spoilt, pose)


def test_frames_are_solved_by_themselves_and_keep_the_shape(body: AnnyBody) -> None:
    motion = load_shipped("dance")[0:4]
    spoilt = replace(motion, translation=motion.translation + 4)
    targets = pull_to(body, spoilt, motion)
    whole = solve(body, spoilt, targets)
    alone = solve(
        body,
        spoilt[2:3],
        DisplacementTargets(targets.vertices, targets.shift[2:3], targets.known[2:3]),
    )
    assert torch.equal(whole.shape, motion.shape)
    torch.testing.assert_close(whole.rotations[2:3], alone.rotations, atol=1e-4, rtol=0)
    assert missed(body, whole, motion) < 0.5


def test_where_nothing_is_known_nothing_moves(body: AnnyBody, pose: Motion) -> None:
    targets = pull_to(body, pose, pose)
    nothing = replace(targets, shift=targets.shift + 50, known=torch.zeros_like(targets.known))
    assert missed(body, solve(body, pose, nothing, free_shape=True), pose) == 0
