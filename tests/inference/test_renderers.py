from dataclasses import replace

import pytest
import torch

from bdmm.config import NetworkConfig
from bdmm.errors import InputError
from bdmm.inference.compositing import body_opacity
from bdmm.inference.person_box import pad_frames, padded_size
from bdmm.inference.render import Scene, window_slices
from bdmm.inference.renderers import CoarseRenderer, NetworkRenderer, load_network
from bdmm.kernels.pose_heatmaps import window_heatmaps
from bdmm.kernels.warp import warp
from bdmm.network.generator import Generator
from bdmm.network.weights import save_weights
from bdmm.records import BODY25, COCO18, Conditions, PixelState, Source, joints_of

SMALL = NetworkConfig(joints=25, feeds_back=True, widths=(4, 6, 8), style_widths=(4, 6, 8, 8))


def test_padding_keeps_what_every_pixel_samples():
    torch.manual_seed(0)
    image = torch.rand(3, 20, 14)
    grid = torch.rand(2, 20, 14, 2) * 2.4 - 1.2
    grid[0, :5] = -2.0
    size = (32, 32)
    before = warp(image.expand(2, -1, -1, -1), grid)
    conditions = Conditions(
        keypoints=torch.rand(1, 2, 29, 3) * 14,
        source_grid=grid[None],
        state=torch.zeros(1, 2, 20, 14, dtype=torch.long),
        fallback=torch.zeros(1, 2, 20, 14, dtype=torch.bool),
    )
    padded = conditions.pad(size).source_grid[0]
    after = warp(pad_frames(image[None], size).expand(2, -1, -1, -1), padded)
    inside = ((grid.abs() < 0.92).all(dim=-1)).unsqueeze(1).expand_as(before)
    assert torch.allclose(after[..., :20, :14][inside], before[inside], atol=1e-5)
    assert (padded[0, :5] == -2).all()
    assert (padded[:, 20:] == -2).all()
    assert (padded[:, :, 14:] == -2).all()
    assert (after[..., 20:, :] == 0).all()
    maps = window_heatmaps(conditions)
    grown = window_heatmaps(conditions.pad(size))
    assert torch.equal(grown[..., :20, :14], maps)
    assert torch.allclose(grown.sum(), maps.sum())


def test_sizes_are_padded_to_the_next_fit():
    assert padded_size((256, 342), 8, 128) == (256, 344)
    assert padded_size((90, 120), 32, 128) == (128, 128)
    assert padded_size((256, 256), 32, 128) == (256, 256)


def test_windows_carry_their_state_and_look_ahead(source, motion, conditioned):
    """The schedule by hand: state from window to window, the next window's first grid in view."""
    torch.manual_seed(0)
    network = NetworkRenderer(Generator(SMALL))
    windows = [conditioned(motion[frames], network.joints) for frames in window_slices(len(motion))]
    assert [window.frame_count for window in windows] == [6, 6, 1]
    made = [one.frames for one in network.render(Scene(source, windows))]

    size = padded_size(source.pose.size, 8, SMALL.least_size)
    photo, foreground = (pad_frames(p[None], size) for p in (source.image, source.foreground))
    state = None
    with torch.inference_mode():
        prepared = network.generator.prepare(photo, foreground)
        for i, window in enumerate(windows):
            after = None if i == 2 else windows[i + 1].frames(slice(0, 1))
            window = replace(window, after=after).pad(size)
            expected, state = network.generator(prepared, window, state)
            assert torch.allclose(made[i], expected[0, ..., :120, :90], atol=1e-5)
    alone = next(network.render(Scene(source, windows[1:]))).frames
    assert not torch.allclose(alone, made[1], atol=1e-4)
    last = next(network.render(Scene(source, windows[:1]))).frames
    assert not torch.allclose(last, made[0], atol=1e-4)


def test_opacity_covers_the_body_and_a_rim(motion, conditioned):
    conditions = conditioned(motion[:2])
    share = body_opacity(conditions.state[0])
    on_body = conditions.state[0, :, None] > 0
    assert (share[on_body] == 1).all()
    far = torch.nn.functional.max_pool2d(on_body.float(), 11, 1, 5) == 0
    assert (share[far] == 0).all()
    assert ((share > 0) & (share < 1)).any()


def test_weights_from_a_file_make_the_same_frames(tmp_path, source, motion, conditioned):
    torch.manual_seed(0)
    generator = Generator(SMALL)
    save_weights(tmp_path / "w.safetensors", generator.state_dict(), SMALL)
    network = load_network(tmp_path / "w.safetensors")
    assert network.joints == BODY25
    windows = [conditioned(motion[:3], network.joints)]
    made = next(network.render(Scene(source, windows))).frames
    expected = next(NetworkRenderer(generator).render(Scene(source, windows))).frames
    assert torch.allclose(made, expected, atol=6e-4)


def test_joints_follow_the_weights():
    assert joints_of(18) == COCO18
    with pytest.raises(InputError, match="17 joints"):
        joints_of(17)


@pytest.mark.parametrize(("side", "shrink"), [(96, 1), (256, 1), (512, 3), (1080, 6)])
def test_a_compositing_network_works_at_a_size_of_its_own(side: int, shrink: int) -> None:
    layered = NetworkRenderer(Generator(replace(SMALL, head="layers", feeds_back=False)))
    assert layered.shrink((side, 2 * side)) == shrink
    assert NetworkRenderer(Generator(SMALL)).shrink((side, side)) == 1


@pytest.mark.parametrize("size", [(119, 85), (120, 90), (97, 89)])
def test_sizes_that_no_network_divides(source, motion, person_conditions, size) -> None:
    """Frames are what the whole photo's are, but near the border that was cut off."""
    torch.manual_seed(0)
    config = replace(SMALL, joints=18, head="layers", feeds_back=False, norm="pixel")
    renderer = NetworkRenderer(Generator(config), network_side=45)
    place = (..., slice(size[0]), slice(size[1]))
    image, foreground, background = (
        one[place] for one in (source.image, source.foreground, source.background)
    )
    cut = Source(image, foreground, background, replace(source.pose, size=size))
    window = person_conditions(motion[:2])
    assert renderer.shrink(size) == 2
    windows = [window.crop(slice(0, size[0]), slice(0, size[1]))]
    made = next(renderer.render(Scene(cut, windows))).frames
    assert made.shape == (2, 3, *size)
    assert made.isfinite().all()
    whole = next(renderer.render(Scene(source, [window]))).frames[place]
    assert (made - whole).abs().mean() < 0.02


def test_a_smaller_network_keeps_every_pixel_of_the_photo(
    source, motion, geometry, conditioned
) -> None:
    torch.manual_seed(0)
    config = replace(SMALL, joints=18, head="layers", feeds_back=False, norm="pixel")
    generator, made = Generator(config), []
    window = conditioned(motion[:2], COCO18)
    for side in (256, 30):
        renderer = NetworkRenderer(generator, network_side=side)
        made.append(next(renderer.render(Scene(source, [window]))).frames)
    assert NetworkRenderer(generator, network_side=30).shrink(source.pose.size) == 3
    seen = (window.state[0] == PixelState.VISIBLE)[:, None].float()
    inside = -torch.nn.functional.max_pool2d(-seen, 9, stride=1, padding=4) > 0
    difference = (made[0] - made[1]).abs()
    assert difference.mean() < 0.01
    assert difference[inside.expand_as(difference)].max() < 0.05


@pytest.mark.parametrize("name", ["layered", "coarse"])
def test_a_cutout_over_a_background_is_the_frame_on_it(source, motion, conditioned, name):
    torch.manual_seed(0)
    layers = replace(SMALL, joints=18, feeds_back=False, head="layers")
    renderer = CoarseRenderer() if name == "coarse" else NetworkRenderer(Generator(layers))
    windows = [conditioned(motion[:2], renderer.joints)]
    behind = torch.linspace(-1, 1, 90).expand(2, 3, 120, 90)
    (opaque,) = renderer.render(Scene(source, windows, [behind]))
    (cutout,) = renderer.render(Scene(source, windows, [behind], transparent=True))
    assert opaque.alpha is None
    assert cutout.alpha is not None
    joined = cutout.alpha * cutout.frames + (1 - cutout.alpha) * behind
    clipped = (cutout.frames.abs() == 1) | (opaque.frames.abs() == 1)
    assert clipped.float().mean() < 0.1
    assert torch.allclose(joined[~clipped], opaque.frames[~clipped], atol=1e-5)
    nobody = cutout.alpha.expand_as(behind) == 0
    assert 0.3 < nobody.float().mean() < 0.95
    assert (cutout.alpha > 0.98).any()


def test_frames_without_layers_are_cut_out_around_the_body(source, motion, conditioned):
    torch.manual_seed(0)
    renderer = NetworkRenderer(Generator(SMALL))
    windows = [conditioned(motion[:2], renderer.joints)]
    behind = torch.full((2, 3, 120, 90), 0.25)
    (cutout,) = renderer.render(Scene(source, windows, [behind], transparent=True))
    assert cutout.alpha is not None
    assert torch.equal(cutout.alpha, body_opacity(cutout.state))
    outside = (cutout.alpha == 0).expand_as(behind)
    assert (cutout.frames[outside] == 0.25).all(), "nothing of the photo's background is left"
