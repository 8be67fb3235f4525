"""The pose networks: regions, filters and maps by hand, and the sample person by the networks."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from bdmm.perception.pose_network import (
    HandNetwork,
    OneEuroFilter,
    PoseNetwork,
    Region,
    _anchors,
    _laid_back,
    _refined,
    _region,
    _resample,
)
from bdmm.perception.tracking import crop, whole_frame

ASSETS = Path(__file__).resolve().parents[2] / "src/bdmm/assets"


@pytest.fixture(scope="module")
def network() -> PoseNetwork:
    return PoseNetwork()


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    photo = cv2.cvtColor(cv2.imread(str(ASSETS / "samples/person.jpg")), cv2.COLOR_BGR2RGB)
    return crop(photo, whole_frame(photo.shape), 448)


def test_the_networks_are_those_of_the_model_card():
    sums = re.findall(
        r"\| `(\w+\.tflite)` .* `([0-9a-f]{64})` \|", (ASSETS / "pose/pose.md").read_text()
    )
    assert len(sums) == 4
    for name, digest in sums:
        assert hashlib.sha256((ASSETS / "pose" / name).read_bytes()).hexdigest() == digest


def test_a_hand_is_told_from_a_pocket():
    """The sample person's hand, in place and painted over with the cloth beside it."""
    photo = cv2.cvtColor(cv2.imread(str(ASSETS / "samples/person.jpg")), cv2.COLOR_BGR2RGB)
    photo = cv2.resize(photo, (512, 682), interpolation=cv2.INTER_AREA)
    wrist, knuckles = np.array([370.6, 346.7]), np.array([376.0, 375.9])
    network = HandNetwork()
    assert network.score(photo, wrist, knuckles) > 0.9
    pocket = photo.copy()
    pocket[335:420, 340:410] = photo[335:420, 250:320]
    assert network.score(pocket, wrist, knuckles) < 0.5


def test_nothing_needs_a_graphics_library_or_the_network():
    """A bare server has neither libGL nor libEGL, and nobody is told that bdmm runs."""
    code = (
        "import sys\n"
        "def watch(event, arguments):\n"
        "    assert not event.startswith('socket.'), (event, arguments)\n"
        "sys.addaudithook(watch)\n"
        "import cv2\n"
        "from bdmm.perception.pose_network import PoseNetwork\n"
        "PoseNetwork()\n"
        "from pathlib import Path\n"
        "maps = Path('/proc/self/maps')\n"
        "loaded = maps.read_text() if maps.exists() else ''\n"
        "assert not any(name in loaded for name in ('libGL', 'libEGL', 'libmediapipe')), loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_region_is_centred_on_the_hips_and_turned_to_the_body():
    upright = _region(np.array([[0.5, 0.6], [0.5, 0.2]]))
    assert upright == pytest.approx((0.5, 0.6, 1.0, 0.0))
    lying = _region(np.array([[0.5, 0.6], [0.9, 0.6]]))
    assert lying.angle == pytest.approx(np.pi / 2)
    # The top of the region lies where the body's head is: to the right.
    assert lying.to_picture() @ (0.5, 0.0, 1.0) == pytest.approx((1.0, 0.6))


def test_a_region_of_the_picture_and_back():
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 256, (16, 16, 3), np.uint8), (128, 128))
    region = Region(0.5, 0.45, 0.4, 0.7)
    cut = _resample(picture, region, 256, cv2.BORDER_REPLICATE)
    back = _laid_back(np.ascontiguousarray(cut[..., 0]), region.to_picture(), 128)
    inside = _laid_back(np.ones((256, 256), np.float32), region.to_picture(), 128) == 1
    assert 0.1 < inside.mean() < 0.2
    assert np.abs(back - picture[..., 0] / 255.0)[inside].max() < 0.03
    assert back[0, 0] == 0


def test_heatmaps_refine_landmarks_only_where_they_are_sure():
    maps = np.zeros((64, 64, 2), np.float32)
    maps[20, 30, 0] = maps[20, 32, 0] = 0.6
    maps[20, 30, 1] = 0.4
    start = np.array([[0.47, 0.33], [0.47, 0.33]])
    moved = _refined(start, maps)
    assert moved[0] == pytest.approx((31 / 64, 20 / 64))
    assert moved[1] == pytest.approx(start[1])
    assert _refined(np.array([[1.2, -0.1]]), maps[..., :1]) == pytest.approx(
        np.array([[1.2, -0.1]])
    )


def test_the_filter_holds_still_what_trembles_and_follows_what_moves():
    steady = OneEuroFilter()
    tremble = [steady(np.array([0.5 + 0.0005 * (-1) ** i]), 0.5)[0] for i in range(60)]
    assert np.ptp(tremble[30:]) < 0.0003
    for i in range(30):
        moved = steady(np.array([0.5 + 0.02 * i]), 0.5)[0]
    assert moved == pytest.approx(0.5 + 0.02 * 29, abs=0.02)


def test_anchors_are_cells_of_three_levels():
    anchors = _anchors()
    assert anchors.shape == (2254, 2)
    assert anchors[0] == pytest.approx((4 / 224, 4 / 224))
    assert anchors[2] == pytest.approx((12 / 224, 4 / 224))
    assert anchors[-1] == pytest.approx((208 / 224, 208 / 224))


def test_the_person_is_found_wherever_and_however_turned(network, picture):
    upright = network.search(picture)
    assert upright is not None
    assert upright.landmarks[[0, 11, 12, 23, 24, 27, 28], 2].min() > 0.9
    turned = network.search(np.ascontiguousarray(np.rot90(picture)))
    assert turned is not None
    x, y = turned.landmarks[:, 0], turned.landmarks[:, 1]
    back = np.column_stack((1 - y, x))
    assert np.abs(back - upright.landmarks[:, :2]).mean() < 0.01
    assert ((turned.foreground > 0.5).mean() / (upright.foreground > 0.5).mean()) == pytest.approx(
        1, abs=0.05
    )


def test_tracking_starts_as_a_search_and_can_forget(network, picture):
    network.forget()
    first, second = network.track(picture), network.track(picture)
    found = network.search(picture)
    assert first is not None
    assert second is not None
    assert found is not None
    assert (first.landmarks == found.landmarks).all()
    assert np.abs(second.landmarks[:, :2] - first.landmarks[:, :2]).mean() < 0.005
    assert network.track(np.zeros_like(picture)) is None
    again = network.track(picture)
    assert again is not None
    assert (again.landmarks == first.landmarks).all()


def test_nobody_in_an_empty_picture(network):
    assert network.search(np.full((100, 100, 3), 128, np.uint8)) is None
