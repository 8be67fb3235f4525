from pathlib import Path

import pytest
import torch

from bdmm.body.model import AnnyBody, load_body
from bdmm.body.rotations import angle_between
from bdmm.errors import InputError
from bdmm.media.motion_file import load_shipped
from bdmm.media.shipped_motions import shipped_motions
from bdmm.media.video_reader import VideoReader
from bdmm.records import BONE_NAMES, Motion

NAMES = ("dance", "squat", "star_jump", "turn", "walk", "wave")
FOLDER = Path(__file__).resolve().parents[2] / "src/bdmm/assets/motions"


@pytest.fixture(scope="module")
def body() -> AnnyBody:
    return load_body()


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def motion(name: str) -> Motion:
    return load_shipped(name)


@pytest.fixture(scope="module")
def feet(motion: Motion, body: AnnyBody) -> torch.Tensor:
    """Vertices of both feet, ``t v 3`` metres: x right, y down from the first frame's lowest."""
    bones = [
        BONE_NAMES.index(f"{side}_{bone}")
        for side in ("left", "right")
        for bone in ("ankle", "foot")
    ]
    indices = torch.nonzero(torch.isin(body.vertex_bones, torch.tensor(bones)))[::8, 0]
    points = body.vertices(motion.shape, motion.rotations, indices)
    place = torch.nn.functional.pad(motion.translation / motion.scale[:, None], (0, 1))
    points = points + place[:, None]
    return points - torch.stack((torch.tensor(0.0), points[0, :, 1].max(), torch.tensor(0.0)))


def test_the_library_is_what_the_docs_say() -> None:
    assert shipped_motions() == NAMES


def test_each_has_a_small_video_of_as_many_frames(name: str, motion: Motion) -> None:
    video = VideoReader(FOLDER / f"{name}.mp4")
    assert (video.frame_count, video.fps) == (len(motion), motion.fps)


def test_an_unknown_name_gets_the_list() -> None:
    with pytest.raises(InputError, match=r"no shipped motion 'moonwalk'; there are dance, .*wave"):
        load_shipped("moonwalk")
    with pytest.raises(InputError):
        load_shipped("../body")


def test_lengths_rates_and_sizes(name: str, motion: Motion) -> None:
    assert motion.fps == 30
    assert 90 <= len(motion) <= 180
    assert motion.body == "anny24"
    assert not motion.flagged.any()
    assert (FOLDER / f"{name}.motion").stat().st_size < 12_000


def _speeds(motion: Motion) -> torch.Tensor:
    """Angular speed of each bone between frames, the last one back to the first, ``t n`` rad/s."""
    following = motion.rotations.roll(-1, dims=0)
    return angle_between(motion.rotations.double(), following.double()) * float(motion.fps)


def test_no_joint_turns_faster_than_a_body_can(motion: Motion) -> None:
    assert _speeds(motion).max() < 15


def test_it_loops_without_a_jolt(motion: Motion) -> None:
    change = _speeds(motion).diff(dim=0, append=_speeds(motion)[:1]).abs()
    assert change[-2:].max() < 1.2 * change[:-2].max()
    path = motion.translation / motion.scale[:, None]
    steps = (path.roll(-1, 0) - path).norm(dim=-1)
    assert steps[-1] < 1.2 * steps[:-1].max() + 1e-4


def test_something_moves(motion: Motion) -> None:
    assert _speeds(motion).mean(dim=0).topk(4).values.min() > 0.15


def test_feet_stay_on_or_above_the_ground(motion: Motion, feet: torch.Tensor) -> None:
    lowest = feet[..., 1].amax(dim=1)
    assert lowest.max() < 0.02
    grounded = (lowest > -0.02).float().mean()
    assert grounded > 0.6


def test_what_stands_does_not_skate(name: str, feet: torch.Tensor) -> None:
    """What carries weight in two frames running keeps its x; the camera does not see z.

    Under a walker the ground itself moves, at one speed for all that stands on it.
    """
    down = feet[:-1, :, 1] > -0.004
    down &= feet[1:, :, 1] > -0.004
    slide = (feet[1:] - feet[:-1])[..., 0][down]
    assert len(slide) > 100
    ground = slide.median()
    assert abs(ground) < (0.01 if name == "walk" else 1e-3)
    assert (slide - ground).abs().quantile(0.95) < 0.008
    assert (slide - ground).abs().mean() < 0.003


def test_turn_goes_all_the_way_round() -> None:
    orientation = load_shipped("turn").rotations[:, 0]
    facing = orientation[:, :, 2]
    angle = torch.atan2(facing[:, 0], facing[:, 2])
    steps = (angle.roll(-1) - angle + torch.pi) % (2 * torch.pi) - torch.pi
    assert abs(abs(steps.sum().item()) - 2 * torch.pi) < 0.01


def test_every_motion_stays_within_its_frame(motion: Motion, body: AnnyBody) -> None:
    points = body.keypoints(motion.shape, motion.rotations)[..., :2]
    pixels = points * motion.scale[:, None, None] + motion.translation[:, None]
    height, width = motion.size
    assert pixels.min() > 0
    assert pixels[..., 0].max() < width
    assert pixels[..., 1].max() < height
