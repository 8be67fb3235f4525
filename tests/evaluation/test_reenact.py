"""A clip plays photo, driver and truth; every renderer is asked for the same frames."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig
from bdmm.evaluation.jobs.reenactment import Reenactment
from bdmm.evaluation.systems import Copy, list_systems, open_system, split_name, weights_hash
from bdmm.inference.person_box import Box
from bdmm.inference.render import Rendered, Scene
from bdmm.media.pixels import to_pictures
from bdmm.network.weights import FILE_NAME
from bdmm.records import Conditions, PixelState


class Watching(Copy):
    """Copies the source and keeps the conditions that it was given."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.seen: list[Conditions] = []
        self.value = value

    def render(self, scene: Scene) -> Iterator[Rendered]:
        for conditions in scene.windows:
            self.seen.append(conditions)
            frames = scene.source.image.expand(conditions.frame_count, -1, -1, -1) + self.value
            yield Rendered(frames, conditions.state[0], Box.whole(conditions.size))


@pytest.fixture(scope="module")
def watched(clip: PreparedClip) -> Watching:
    renderer = Watching()
    list(Reenactment(clip, EvalConfig(first=7)).frames(renderer))
    return renderer


def test_every_frame_but_the_source_is_paired_with_its_true_one(clip: PreparedClip) -> None:
    stage = Reenactment(clip, EvalConfig(source_frame=2, first=7))
    pairs = list(stage.frames(Copy()))
    assert [one.number for one in pairs] == [0, 1, 3, 4, 5, 6]
    truth = to_pictures(clip.frames())
    for one in pairs:
        assert np.array_equal(one.pair.target_uint8, truth[one.number])
        assert np.array_equal(one.pair.generated_uint8, truth[2])
        assert one.pair.regions["person"].max() == 1


def test_all_frames_are_driven_by_their_own_motion(clip: PreparedClip, watched: Watching) -> None:
    assert [one.frame_count for one in watched.seen] == [6, 1]
    visible = torch.cat([one.state[0] == PixelState.VISIBLE for one in watched.seen])
    people = clip.foregrounds()[:7, 0] > 0.5
    assert visible[people].float().mean() > 0.6
    assert not visible[~people].any()
    middle = visible.float().sum(1) @ torch.arange(64.0) / visible.float().sum((1, 2))
    assert (middle.diff() - 1).abs().max() < 0.3, "the person slides a pixel in every frame"


def test_stored_warps_take_the_place_of_new_geometry(clip: PreparedClip, watched: Watching) -> None:
    renderer = Watching()
    stage = Reenactment(clip, EvalConfig(cached=True, first=7))
    assert stage.source_frame == clip.info.sources[0].frame
    list(stage.frames(renderer))
    stored = clip.warps(0, 0, 6)
    ours, new = renderer.seen[0], watched.seen[0]
    assert torch.equal(ours.source_grid[0], stored.source_grid)
    assert torch.equal(ours.state[0], stored.state)
    assert torch.equal(ours.keypoints, new.keypoints)
    assert not torch.equal(ours.source_grid, new.source_grid)
    assert ours.segment is not None
    assert new.segment is not None
    body = (stored.state == PixelState.VISIBLE) | (stored.state == PixelState.HIDDEN)
    assert torch.equal(ours.segment[0] >= 0, body), "no outline better than the warps'"
    both = body & (new.segment[0] >= 0)
    assert torch.equal(ours.segment[0][both], new.segment[0][both])


def test_background_is_the_clips_or_what_the_source_tells(clip: PreparedClip) -> None:
    assert torch.equal(Reenactment(clip, EvalConfig()).inputs.source.background, clip.background())
    filled = Reenactment(clip, EvalConfig(background="source")).inputs.source
    away = filled.foreground[0] < 0.01
    difference = (filled.background - filled.image).abs().mean(0)
    assert difference[away].median() == 0
    assert difference[filled.foreground[0] > 0.9].mean() > 0.05


def test_frames_that_are_no_numbers_are_told_of(clip: PreparedClip) -> None:
    with pytest.raises(InputError, match=r"walk_1 frame 1 holds values that are not finite"):
        list(Reenactment(clip, EvalConfig(first=3)).frames(Watching(torch.nan)))


def test_source_must_be_there(clip: PreparedClip) -> None:
    with pytest.raises(InputError, match=r"has 8 frames, so none has the number 8"):
        Reenactment(clip, EvalConfig(source_frame=8))
    other = (clip.info.sources[0].frame + 1) % 8
    with pytest.raises(InputError, match=r"no stored warps of frame"):
        Reenactment(clip, EvalConfig(source_frame=other, cached=True))


def test_source_is_the_first_frame_that_can_be_trusted(clip_folder: Path) -> None:
    clip = PreparedClip(clip_folder)
    assert Reenactment(clip, EvalConfig()).source_frame == 0
    clip.info = replace(clip.info, flagged=(0, 1, 2))
    assert Reenactment(clip, EvalConfig()).source_frame == 3
    clip.info = replace(clip.info, flagged=tuple(range(8)))
    with pytest.raises(InputError, match="No frame of the clip"):
        Reenactment(clip, EvalConfig())


def test_systems_are_the_baselines_and_named_weights(tmp_path: Path) -> None:
    run = tmp_path / "run_7"
    run.mkdir()
    (run / FILE_NAME).write_bytes(b"weights")
    systems = list_systems([str(run), f"ours={run}"])
    assert list(systems) == ["copy", "coarse", "run_7", "ours"]
    assert len(weights_hash(systems["ours"])) == 64
    assert weights_hash(systems["coarse"]) == ""
    assert open_system("coarse").name == "coarse"
    assert split_name("a=b.safetensors") == ("a", Path("b.safetensors"))
    with pytest.raises(InputError, match="Two systems are called run_7"):
        list_systems([str(run), str(run)])
    with pytest.raises(InputError, match="no weights at nowhere"):
        list_systems(["nowhere"])
