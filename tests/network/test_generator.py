import dataclasses
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bdmm.config import ABLATIONS, PRESETS, NetworkConfig
from bdmm.errors import InputError
from bdmm.network.generator import Generator, PreparedSource
from bdmm.network.propagation import Propagation, detached
from bdmm.records import Conditions, PropagationState

SMALL = {"joints": 5, "widths": (4, 6, 8), "style_widths": (4, 6, 8)}
HEIGHT, WIDTH = 40, 24


def _config(preset: str = "released", **changes: bool) -> NetworkConfig:
    return dataclasses.replace(PRESETS[preset], **SMALL, **changes)


def _generator(config: NetworkConfig) -> Generator:
    """Build a small network whose taps move and whose masks differ."""
    generator = Generator(config).double()
    for name, parameter in generator.named_parameters():
        if "offset" in name or "mask" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return generator.eval()


Clip = tuple[Tensor, Conditions]


def _clip(
    frames: int, batch: int = 1, size: tuple[int, int] = (HEIGHT, WIDTH), joints: int = 5
) -> Clip:
    """Source and conditions, which hold a frame more at either end."""
    count, (height, width) = frames + 2, size
    source = torch.rand(batch, 3, height, width, dtype=torch.float64) * 2 - 1
    keypoints = torch.rand(batch, count, 29, 3, dtype=torch.float64) * min(size)
    grids = torch.rand(batch, count, height, width, 2, dtype=torch.float64) * 2.4 - 1.2
    state = torch.ones(batch, count, height, width, dtype=torch.long)
    return source, Conditions(keypoints, grids, state, state > 1, joints=tuple(range(joints)))


def _alone(clip: Clip, i: int) -> Clip:
    """Take one clip out of a batch."""
    source, conditions = clip
    return source[i : i + 1], conditions.map(lambda value: value[i : i + 1])


def _prepared(generator: Generator, source: Tensor) -> PreparedSource:
    return generator.prepare(source, torch.ones_like(source[:, :1]))


def _window(
    generator: Generator, clip: Clip, start: int, end: int, state: PropagationState | None = None
) -> tuple[Tensor, PropagationState]:
    source, conditions = clip
    before = replace(conditions.frames(slice(start, start + 1)), after=None)
    window = replace(conditions.frames(slice(start + 1, end + 1)), before=before)
    return generator(_prepared(generator, source), window, state)


def _single(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


@pytest.mark.parametrize("preset", ["released", "paper"])
def test_without_the_look_ahead_a_clip_is_its_windows_joined(preset: str) -> None:
    generator, clip = _generator(_config(preset, backward_branch=False)), _clip(5)
    whole, whole_state = _window(generator, clip, 0, 5)
    first, state = _window(generator, clip, 0, 2)
    second, state = _window(generator, clip, 2, 5, state)
    torch.testing.assert_close(torch.cat((first, second), dim=1), whole)
    torch.testing.assert_close(vars(state), vars(whole_state))


def test_what_a_window_hands_on_does_not_depend_on_where_the_clip_is_cut() -> None:
    """Both recurrences that run forward in time, where no frame is fed back."""
    generator, clip = _generator(_config("paper")), _clip(5)
    _, whole = _window(generator, clip, 0, 5)
    _, state = _window(generator, clip, 0, 2)
    _, joined = _window(generator, clip, 2, 5, state)
    torch.testing.assert_close(joined.structural, whole.structural)
    torch.testing.assert_close(joined.forward, whole.forward)


def test_backward_propagation_reaches_from_the_end_to_the_cut() -> None:
    propagation = Propagation(_config(), backward=True)
    frames = [[torch.randn(1, width, 5, 4) for _ in range(5)] for width in (6, 4)]
    after = [torch.randn(1, width, 5, 4) for width in (6, 4)]
    whole = propagation(frames, after)
    last = propagation([scale[3:] for scale in frames], after)
    for whole_scale, last_scale in zip(whole, last, strict=True):
        torch.testing.assert_close(whole_scale[3:], last_scale)


def test_reversing_time_swaps_the_branches() -> None:
    config = _config("paper", structural_recurrence=False)
    generator, swapped = _generator(config), _generator(config)
    swap = {"forward_propagation": "backward_propagation", "forward_branch": "backward_branch"}
    swap |= {backward: forward for forward, backward in swap.items()}
    swapped.load_state_dict(
        {
            ".".join(swap.get(part, part) for part in name.split(".")): value
            for name, value in generator.state_dict().items()
        }
    )
    source, conditions = clip = _clip(4)
    frames, _ = _window(generator, clip, 0, 4)
    reversed_clip = source, conditions.map(lambda value: value.flip(1))
    reversed_frames, _ = _window(swapped, reversed_clip, 0, 4)
    torch.testing.assert_close(reversed_frames.flip(1), frames)


def test_a_small_window_is_decoded_at_once_as_frame_by_frame(monkeypatch) -> None:
    generator, clip = _generator(_config("paper")), _clip(4)
    together, left = _window(generator, clip, 0, 4)
    monkeypatch.setattr("bdmm.network.generator._TOGETHER", 0)
    one_by_one, state = _window(generator, clip, 0, 4)
    torch.testing.assert_close(together, one_by_one)
    torch.testing.assert_close(vars(left), vars(state))


def test_the_state_is_a_value() -> None:
    generator, clip = _generator(_config()), _clip(4)
    _, state = _window(generator, clip, 0, 2)
    kept = detached(state)
    assert kept.last_generated is not None
    copies = [value.clone() for value in (kept.structural, *kept.forward, kept.last_generated)]
    once, _ = _window(generator, clip, 2, 4, state)
    again, _ = _window(generator, clip, 2, 4, kept)
    assert torch.equal(once, again)
    for value, copy in zip(
        (kept.structural, *kept.forward, kept.last_generated), copies, strict=True
    ):
        assert not value.requires_grad
        assert torch.equal(value, copy)


def test_a_missing_neighbour_is_the_nearest_frames_own() -> None:
    generator, (source, conditions) = _generator(_config()), _clip(1)
    prepared = _prepared(generator, source)
    first, last = (conditions.frames(slice(i, i + 1)) for i in (0, 2))
    frames, _ = generator(prepared, replace(conditions, before=None, after=None))
    neighbours = {"before": replace(first, after=None), "after": last}
    given, _ = generator(prepared, replace(conditions, **neighbours))
    torch.testing.assert_close(frames, given)


def test_clips_of_a_batch_do_not_touch_each_other() -> None:
    generator, clip = _generator(_config()), _clip(3, batch=2)
    together, state = _window(generator, clip, 0, 2)
    later, _ = _window(generator, clip, 2, 3, state)
    for i in range(2):
        alone_clip = _alone(clip, i)
        alone, alone_state = _window(generator, alone_clip, 0, 2)
        torch.testing.assert_close(together[i : i + 1], alone)
        torch.testing.assert_close(
            later[i : i + 1], _window(generator, alone_clip, 2, 3, alone_state)[0]
        )


@pytest.mark.parametrize("preset", ["released", "paper"])
@pytest.mark.parametrize("switch", [None, *ABLATIONS.values()])
def test_every_ablation_runs_and_trains_all_that_it_has(preset: str, switch: str | None) -> None:
    config = _config(preset, **({switch: False} if switch else {}))
    generator, clip = _generator(config).float(), _clip(3)
    clip = clip[0].float(), clip[1].map(_single)
    frames, state = _window(generator, clip, 0, 2)
    more, _ = _window(generator, clip, 2, 3, detached(state))
    assert frames.shape == (1, 2, 3, HEIGHT, WIDTH)
    assert frames.abs().max() <= 1
    (frames.square().mean() + more.square().mean()).backward()
    unused = [name for name, value in generator.named_parameters() if value.grad is None]
    assert not unused


@pytest.mark.parametrize("preset", ["released", "paper"])
def test_a_fresh_network_starts_in_the_range_of_pictures(preset: str) -> None:
    generator = Generator(dataclasses.replace(PRESETS[preset], joints=5)).eval()
    source, conditions = _clip(2, size=(128, 128))
    with torch.inference_mode():
        frames, _ = generator(_prepared(generator, source.float()), conditions.map(_single))
    assert 0.1 < frames.std() < 0.6
    assert (frames.abs() > 0.99).float().mean() < 0.02


def test_fresh_recurrences_keep_their_size_over_a_long_clip() -> None:
    propagation = Propagation(_config())
    frames = [[torch.randn(1, width, 5, 4) for _ in range(60)] for width in (6, 4)]
    with torch.inference_mode():
        for scale in propagation(frames, [scale[0] for scale in frames]):
            assert 0.3 < scale[-1].std() < 6


def test_frames_and_poses_that_do_not_fit_are_refused() -> None:
    generator, (source, conditions) = _generator(_config()), _clip(1)
    prepared = _prepared(generator, source)
    with pytest.raises(InputError, match="takes 5 pose heatmaps, not 4"):
        generator(prepared, replace(conditions, joints=(0, 1, 2, 3)))
    with pytest.raises(InputError, match="multiples of 8 and at least 16 pixels, not 20x40"):
        generator(prepared, conditions.crop(slice(0, 40), slice(0, 20)))
    with pytest.raises(InputError, match="two or more positive"):
        dataclasses.replace(PRESETS["paper"], widths=(8,))
    assert PRESETS["released"].least_size == 128
