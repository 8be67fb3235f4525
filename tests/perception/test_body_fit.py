import dataclasses
import itertools

import pytest
import torch

from bdmm.body.camera import project
from bdmm.body.rotations import angle_between, chain
from bdmm.errors import InputError
from bdmm.perception import body_fit
from bdmm.perception.body_fit import chunk_bounds, fit_motion, fit_photo, join, keypoint_errors
from bdmm.perception.pose import PointTrack
from bdmm.perception.pose_optimiser import Pose
from bdmm.records import Motion


@pytest.fixture
def cover(overlap):
    def mean(body, motion, silhouettes) -> float:
        points = body.vertices(motion.shape, motion.rotations)
        vertices = project(points, motion.scale, motion.translation)
        return float(overlap(vertices, body.faces, silhouettes).mean())

    return mean


def _mean_error(body, fitted: Motion, true: Motion) -> float:
    """Mean distance in pixels between where both put the body's vertices."""
    points = [
        project(body.vertices(m.shape, m.rotations), m.scale, m.translation)[..., :2]
        for m in (fitted, true)
    ]
    return float((points[0] - points[1]).norm(dim=-1).mean())


def _mean_angle(fitted: Motion, true: Motion, bones: list[int]) -> float:
    """Mean angle in degrees between the orientations of some bones."""
    between = angle_between(chain(fitted.rotations), chain(true.rotations))
    return float(between[:, bones].mean().rad2deg())


LARGE_BONES = [0, 1, 2, 4, 5, 9, 15, 16, 17, 18, 19]


@pytest.mark.parametrize("turn", [pytest.param(0.0, marks=pytest.mark.slow), 3.0])
def test_a_clean_motion_is_recovered(body, make_motion, see, turn):
    true = make_motion(turn=turn)
    fitted = fit_motion(see(true), body)
    assert keypoint_errors(fitted, see(true), body).nanmean() < 1.2
    assert _mean_error(body, fitted, true) < 2.5
    assert _mean_angle(fitted, true, LARGE_BONES) < 12
    assert not fitted.flagged.any()
    assert (fitted.size, fitted.fps, fitted.body) == (true.size, true.fps, body.name)


@pytest.mark.slow
def test_silhouettes_tell_the_shape(body, make_motion, see, outline, cover):
    true = make_motion(frames=12)
    true = dataclasses.replace(true, shape=1.2 * torch.randn(body.shape_size))
    without = fit_motion(see(true, noise=1.0), body)
    fitted = fit_motion(see(true, noise=1.0), body, outline(true))
    assert cover(body, fitted, outline(true)) > 0.9
    assert cover(body, fitted, outline(true)) > cover(body, without, outline(true))


@pytest.mark.slow
def test_noise_is_calmed(body, make_motion, see):
    true = make_motion(frames=40)
    noisy = see(true, noise=2.0)
    calm, raw = fit_motion(noisy, body), fit_motion(noisy, body, smoothing=0.0)
    assert _mean_error(body, calm, true) < 3.5
    assert _acceleration(body, calm) < 0.5 * _acceleration(body, raw)


def test_a_missing_second_is_bridged_and_flagged(body, make_motion, see):
    true = make_motion(frames=40)
    seen = see(true)
    found = torch.ones(40, dtype=torch.bool)
    found[10:22] = False
    keypoints = seen.keypoints * found[:, None, None]
    fitted = fit_motion(dataclasses.replace(seen, found=found, keypoints=keypoints), body)
    assert torch.equal(fitted.flagged, ~found)
    assert fitted.rotations.isfinite().all()
    assert _mean_error(body, fitted, true) < 4
    assert len(fitted) == 40


def test_a_long_gap_is_an_error_that_names_the_frames(body, make_motion, see):
    seen = see(make_motion(frames=40))
    found = torch.ones(40, dtype=torch.bool)
    found[5:35] = False
    with pytest.raises(InputError, match="5 to 34"):
        fit_motion(dataclasses.replace(seen, found=found), body)


def test_a_wild_frame_is_flagged(body, make_motion, see):
    true = make_motion(frames=24)
    seen = see(true)
    keypoints = seen.keypoints.clone()
    keypoints[12, :, :2] += 30 * torch.randn(29, 2)
    fitted = fit_motion(dataclasses.replace(seen, keypoints=keypoints), body)
    assert fitted.flagged[12]
    assert fitted.flagged.sum() <= 5  # the smoothing's reach
    assert _mean_error(body, fitted, true) < 5


def test_a_person_without_depth_is_lifted(body, make_motion, see):
    true = make_motion()
    fitted = fit_motion(see(true, flat=True), body)
    assert keypoint_errors(fitted, see(true), body).nanmean() < 1.5
    assert _mean_angle(fitted, true, LARGE_BONES) < 25


def test_a_photo_is_fitted_to_its_outline(body, make_motion, see, outline, cover):
    true = make_motion(frames=1, turn=0.4)
    fitted = fit_photo(see(true, noise=0.5), body, outline(true))
    assert len(fitted) == 1
    assert keypoint_errors(fitted, see(true), body).nanmean() < 1.5
    assert cover(body, fitted, outline(true)) > 0.93


@pytest.mark.slow
def test_size_in_the_frame_does_not_matter(body, make_motion, see):
    true = make_motion(frames=8)
    seen = see(true)
    tall = seen.keypoints * torch.tensor([4.0, 4.0, 1.0])
    tall = dataclasses.replace(seen, keypoints=tall, size=(1024, 1024))
    small, large = fit_motion(seen, body), fit_motion(tall, body)
    assert torch.allclose(4 * small.scale, large.scale, rtol=1e-3)
    assert torch.allclose(4 * small.translation, large.translation, atol=0.2)
    assert angle_between(small.rotations, large.rotations).max() < 0.02


@pytest.mark.slow
def test_chunks_join_without_a_jump(body, make_motion, see, monkeypatch):
    true = make_motion(frames=60)
    at_once = fit_motion(see(true), body)
    monkeypatch.setattr(body_fit, "CHUNK", 32)
    monkeypatch.setattr(body_fit, "OVERLAP", 8)
    joined = fit_motion(see(true), body)
    assert len(joined) == 60
    assert _mean_error(body, joined, at_once) < 0.5
    assert _acceleration(body, joined) < 1.2 * _acceleration(body, at_once) + 0.02


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 497, 1000, 10_000])
def test_chunks_cover_every_frame(count):
    bounds = chunk_bounds(count)
    assert bounds[0][0] == 0
    assert bounds[-1][1] == count
    for (_, end), (start, _) in itertools.pairwise(bounds):
        assert start < end - 1
    assert max(end - start for start, end in bounds) <= body_fit.CHUNK


def test_a_long_clip_looks_at_each_silhouette_and_track_once_or_twice(
    body, make_motion, see, outline, monkeypatch
):
    monkeypatch.setattr(body_fit, "CHUNK", 40)
    monkeypatch.setattr(body_fit, "OVERLAP", 4)
    true = make_motion(frames=400)
    (silhouette,) = outline(true[:1])
    points, moved = torch.full((8, 2), 128.0), torch.ones(8, 2)
    silhouettes = _Counted([dataclasses.replace(silhouette, frame=i) for i in range(400)])
    tracks = _Counted([PointTrack(end - 2, end, points, moved) for end in range(2, 400)])
    fit_motion(see(true), body, silhouettes, point_tracks=tracks)
    assert silhouettes.taken < 2 * len(silhouettes)
    assert tracks.taken < 2 * len(tracks)


class _Counted(list):
    """A list that counts how many of its items are asked for."""

    taken = 0

    def __getitem__(self, index):
        found = super().__getitem__(index)
        self.taken += len(found) if isinstance(index, slice) else 1
        return found

    def __iter__(self):
        raise AssertionError("all items at once")


def test_joined_chunks_cross_fade_and_keep_what_is_theirs_alone(make_motion):
    long = make_motion(frames=50)
    pieces = []
    for number, (start, end) in enumerate(((0, 20), (15, 35), (30, 50))):
        scale = torch.full((end - start,), float(number))
        pieces.append((start, Pose(long.rotations[start:end], scale, long.translation[start:end])))
    pose = join(pieces)
    torch.testing.assert_close(pose.rotations, long.rotations)
    torch.testing.assert_close(pose.translation, long.translation)
    fade = (torch.arange(5) + 1) / 6
    expected = [torch.zeros(15), fade, torch.ones(10), 1 + fade, torch.full((15,), 2.0)]
    torch.testing.assert_close(pose.scale, torch.cat(expected))


def test_one_frame_is_a_clip(body, make_motion, see):
    true = make_motion(frames=1)
    assert _mean_error(body, fit_motion(see(true), body), true) < 4


def test_keypoints_on_one_spot_are_nobodys(body, make_motion, see):
    seen = see(make_motion(frames=4))
    seen.keypoints[..., :2] = 100.0
    for flat in (None, seen.keypoints_3d):
        with pytest.raises(InputError, match="No body can be fitted to the keypoints: its scale"):
            fit_motion(dataclasses.replace(seen, keypoints_3d=flat), body)


@pytest.mark.parametrize("alone", [0, 1, 8, 28])
def test_all_keypoints_but_one_on_one_spot_give_rotations(body, make_motion, see, alone):
    seen = see(make_motion(frames=4), flat=True)
    seen.keypoints[..., :2] = 100.0
    seen.keypoints[:, alone, :2] = 200.0
    motion = fit_motion(seen, body)
    assert motion.flaw() is None
    identity = torch.eye(3).expand_as(motion.rotations)
    assert torch.allclose(motion.rotations @ motion.rotations.mT, identity, atol=1e-4)


@pytest.mark.slow
def test_a_frame_on_one_spot_among_good_ones_is_bridged(body, make_motion, see):
    true = make_motion(frames=12)
    seen = see(true)
    seen.keypoints[6, :, :2] = 100.0
    seen.keypoints[6, 0, :2] = 110.0
    fitted = fit_motion(seen, body)
    assert fitted.flagged[6]
    assert fitted.flagged.sum() <= 5  # the smoothing's reach
    assert _mean_error(body, fitted[:3], true[:3]) < 4


def _acceleration(body, motion) -> float:
    points = body.keypoints(motion.shape, motion.rotations)
    points = project(points, motion.scale, motion.translation)[..., :2]
    return float((points[2:] - 2 * points[1:-1] + points[:-2]).norm(dim=-1).mean())


@pytest.mark.slow
def test_followed_points_steady_the_surface(body, make_motion, see):
    true = make_motion(frames=24)
    frames = range(0, 20, 4)
    points = project(body.vertices(true.shape, true.rotations), true.scale, true.translation)
    front = points[..., 2] < points[..., 2].mean(dim=1, keepdim=True)
    tracks = [
        PointTrack(start, end, points[start, chosen, :2], (points[end] - points[start])[chosen, :2])
        for start in frames
        for end in (start + 2, start + 4)
        for chosen in [torch.nonzero(front[start]).flatten()[::40]]
    ]
    noisy = see(true, noise=3.0)
    alone, steadied = fit_motion(noisy, body), fit_motion(noisy, body, point_tracks=tracks)
    assert _flow_error(body, steadied, true) < 0.75 * _flow_error(body, alone, true)


def _flow_error(body, fitted: Motion, true: Motion) -> float:
    """Mean error in pixels of the vertices' displacements over four frames."""
    moved = []
    for m in (fitted, true):
        points = project(body.vertices(m.shape, m.rotations), m.scale, m.translation)[..., :2]
        moved.append(points[4:] - points[:-4])
    return float((moved[0] - moved[1]).norm(dim=-1).mean())
