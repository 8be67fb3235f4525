import numpy as np
import pytest
import torch

from bdmm.config import NetworkConfig
from bdmm.media.image import read_image
from bdmm.media.video_reader import VideoReader
from bdmm.network.generator import Generator
from bdmm.network.weights import save_weights

SMALL = ("--size", "96", "--quiet")
PLAIN = NetworkConfig(joints=18, feeds_back=False, widths=(4, 6), style_widths=(4, 6, 8))
LAYERED = NetworkConfig(
    joints=18, feeds_back=False, widths=(4, 6), style_widths=(4, 6), head="layers", norm="pixel"
)
BLIND = NetworkConfig(
    joints=18, feeds_back=False, widths=(4, 6), style_widths=(4, 6), motion_modulation=False
)
MAPS = {
    f"{kind}_{branch}_2"
    for kind in ("offsets", "masks", "features", "units")
    for branch in ("forward", "backward")
}


def weights(name, config):
    torch.manual_seed(0)
    save_weights(name, Generator(config).state_dict(), config)
    return name


def refused(outcome, *words):
    assert outcome.code == 2
    for word in words:
        assert word in outcome.sentence
    assert outcome.new_files == set()


def test_explaining_writes_pictures_and_videos(bdmm, quick_photo, short_motion):
    net = weights("net.safetensors", LAYERED)
    options = ["--weights", net, "-o", "seen/", "--every", "6"]
    outcome = bdmm("explain", quick_photo, short_motion, *options, *SMALL)
    assert outcome.code == 0
    folders = MAPS | {"generated", "alpha", "copy", "copied", "synthesis"}
    videos = {"motion_2.mp4", "units_2.mp4", "layers.mp4"}
    files = {f"seen/{one}/{number:06d}.png" for one in folders for number in (1, 7)}
    files |= {f"seen/{one}" for one in videos | {"legend_2.png"}}
    assert outcome.new_files == files | {f"seen/{one}" for one in folders} | {"seen"}
    assert all(one in outcome.out for one in videos)
    for one in videos:
        assert VideoReader(f"seen/{one}").frame_count == 8
    assert read_image("seen/masks_forward_2/000007.png").shape == (144, 96, 3)
    assert (read_image("seen/offsets_backward_2/000001.png") == 255).all()
    refused(bdmm("explain", quick_photo, short_motion, *options, *SMALL), "seen", "not empty")


def test_mistakes_before_any_work(bdmm, quick_photo, short_motion, tmp_path):
    command = ["explain", quick_photo, short_motion, "-o", "seen"]
    blind = weights("blind.safetensors", BLIND)
    refused(bdmm(*command, "--weights", "none.safetensors"), "none.safetensors")
    refused(bdmm(*command, "--weights", blind), "no motion modulation")
    refused(bdmm(*command, "--weights", blind, "--every", "-1"), "-1")
    refused(bdmm(*command, "--weights", blind, "--motion", "turn"), "either a driver or --motion")
    (tmp_path / "seen").write_bytes(b"")
    refused(bdmm(*command, "--weights", blind), "is a file")
    missing = ["-o", "no/seen", "--weights", blind]
    refused(bdmm("explain", quick_photo, short_motion, *missing), "does not exist")


@pytest.mark.slow
def test_comparing_writes_one_video_of_all(bdmm, quick_photo, short_motion):
    a, b = weights("a.safetensors", PLAIN), weights("b.safetensors", LAYERED)
    options = ["--weights", f"ours={a}", b, "-o", "grid.mp4", "--background", "white"]
    outcome = bdmm("compare", quick_photo, short_motion, *options, *SMALL)
    assert outcome.code == 0
    assert "8 frames of source, driving, coarse, ours, b" in outcome.out
    video = VideoReader("grid.mp4")
    assert (video.frame_count, video.size) == (8, (144 + 14 + 4, 5 * 100))
    frames = np.stack(list(video)).astype(int)
    assert np.abs(np.diff(frames[:, 20:, 200:300], axis=0)).max() > 30
    assert np.abs(np.diff(frames[:, 20:, :96], axis=0)).max() < 30


def test_comparing_refuses(bdmm, quick_photo, short_motion):
    a = weights("a.safetensors", PLAIN)
    command = ["compare", quick_photo, short_motion, "-o"]
    refused(bdmm(*command, "grid.mp4", "--weights", a, a), "Two systems are called a")
    refused(bdmm(*command, "grid.mp4", "--weights", "no.safetensors"), "no.safetensors")
    refused(bdmm(*command, "grid.xyz", "--weights", a), "grid.xyz")
    refused(bdmm(*command, "grid.mp4", "--weights", a, "--size", "97"), "97")
    refused(bdmm("compare", quick_photo, "-o", "grid.mp4"), "either a driver or --motion")
