from dataclasses import replace
from fractions import Fraction

import jaxtyping
import numpy as np
import pytest
import torch

import bdmm
from bdmm.body.retarget import retarget
from bdmm.conditioning import condition
from bdmm.config import NetworkConfig
from bdmm.errors import InputError, Notice
from bdmm.inference.animate import Animation, animate
from bdmm.inference.prepare import Inputs, open_background
from bdmm.inference.renderers import CoarseRenderer, NetworkRenderer
from bdmm.media.motion_file import load_shipped
from bdmm.network.generator import Generator

SMALL = NetworkConfig(joints=18, feeds_back=True, widths=(4, 6, 8), style_widths=(4, 6, 8, 8))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return NetworkRenderer(Generator(SMALL))


def animation(source_view, motion, renderer, background=None) -> Animation:
    return Animation(Inputs(source_view, motion, motion, background), renderer)


def test_the_photos_own_pose_gives_the_photo(source_view, source, body):
    still = retarget(replace(source.pose, fps=Fraction(30)), source.pose, body=body)
    (frame,) = animation(source_view, still, CoarseRenderer())
    inside = source.foreground[0].bool().numpy()
    away = np.abs(frame.astype(int) - source_view.photo).mean(axis=2)
    assert np.median(away[inside]) < 3  # but for the rims of the bones, a pixel wide
    assert np.median(away[~inside]) == 0


@pytest.mark.parametrize("renderer", ["coarse", "network"])
def test_as_many_frames_as_the_motion_has(source_view, motion, network, renderer):
    maker = network if renderer == "network" else CoarseRenderer()
    clip = animation(source_view, motion, maker)
    frames = list(clip)
    assert clip.renderer == renderer
    assert len(frames) == len(clip) == clip.frame_count == 13
    assert {frame.shape for frame in frames} == {(120, 90, 3)}
    assert {frame.dtype for frame in frames} == {np.dtype(np.uint8)}
    assert (clip.size, clip.fps) == ((120, 90), motion.fps)
    assert len({frame.tobytes() for frame in frames}) == 13
    with pytest.raises(StopIteration):
        next(clip)


def test_a_frame_does_not_depend_on_how_the_clip_is_cut(source_view, motion):
    whole = list(animation(source_view, motion, CoarseRenderer()))
    part = list(animation(source_view, motion[4:], CoarseRenderer()))
    assert all(np.array_equal(a, b) for a, b in zip(whole[4:], part, strict=True))


@pytest.mark.parametrize("renderer", ["coarse", "network"])
def test_the_same_call_gives_the_same_frames(source_view, motion, network, renderer):
    maker = network if renderer == "network" else CoarseRenderer()
    first, second = (list(animation(source_view, motion[:8], maker)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_frames_are_made_as_they_are_asked_for(source_view, network, monkeypatch):
    made = []

    def watched(body, geometry, part, joints):
        made.append(len(part))
        return condition(body, geometry, part, joints)

    monkeypatch.setattr("bdmm.inference.render.condition", watched)
    long = retarget(load_shipped("walk"), source_view.source.pose)[:48]
    clip = animation(source_view, long, network)
    assert made == []
    next(clip)
    assert len(made) <= 6  # the window, the next one, and those that threads work ahead at
    list(clip)
    assert made == 8 * [6]


def test_another_background_replaces_the_photos_own(source_view, motion):
    clip = animation(source_view, motion[:2], CoarseRenderer(), open_background("#102030"))
    frames = list(clip)
    for corner in ((2, 2), (2, -3), (-3, 2)):
        assert frames[0][corner].tolist() == [0x10, 0x20, 0x30]
    usual = next(animation(source_view, motion[:2], CoarseRenderer()))
    middle = np.s_[40:60, 38:50]
    assert np.abs(frames[0][middle].astype(int) - usual[middle]).mean() < 3


def test_a_network_is_put_before_another_background_too(source_view, motion, network):
    frame = next(animation(source_view, motion[:2], network, open_background("#102030")))
    assert frame[2, 2].tolist() == [0x10, 0x20, 0x30]
    middle = np.s_[40:60, 38:50]
    plain = next(animation(source_view, motion[:2], network))
    assert np.array_equal(frame[middle], plain[middle])


def test_pasting_back_touches_only_the_surroundings_of_the_person(pasted_view, motion):
    clip = animation(pasted_view, motion[:3], CoarseRenderer())
    assert clip.size == (320, 300)
    for frame in clip:
        changed = (frame != pasted_view.photo).any(axis=2)
        assert changed[150:250, 120:160].mean() > 0.5
        rows, columns = changed.nonzero()
        assert (rows.min(), columns.min()) >= (30, 50)
        assert rows.max() < 270
        assert columns.max() < 230
        assert changed.mean() < 0.35


def test_progress_is_told(source_view, motion):
    told = []
    inputs = Inputs(source_view, motion, motion)
    list(Animation(inputs, CoarseRenderer(), lambda *step: told.append(step)))
    assert told == [("Rendering", i, 13) for i in range(1, 14)]


def test_the_package_exports_it():
    assert bdmm.animate is animate


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 0}, "The size is 0"),
        ({"size": 255}, "even number"),
        ({"renderer": "corse"}, "network, coarse"),
        ({"renderer": "coarse", "weights": "w.safetensors"}, "takes no weights"),
        ({"weights": "missing.safetensors"}, "missing.safetensors"),
        ({"root": "sideways"}, "relative, absolute, fixed"),
        ({"smooth": -1.0}, "smoothing is -1"),
        ({"smooth": float("nan")}, "smoothing is nan"),
        ({"person": 0}, "counted from 1"),
        ({"photo_person": 0}, "counted from 1"),
        ({"fps": Fraction(0)}, "0 frames per second"),
        ({"background": "no such colour"}, "neither a file nor a colour"),
        ({"background": "white", "paste_back": True}, "excludes another background"),
        ({"device": "abacus"}, "abacus cannot be used"),
        ({"motion": "no_such_motion"}, "there is no file .* dance, squat"),
        ({"source": "missing.jpg"}, "missing.jpg does not exist"),
        ({"source": np.zeros((1, 1, 3), np.uint8)}, "1 x 1 pixels"),
        ({"source": np.zeros((9, 9), np.uint8)}, "uint8 h w 3"),
        ({"source": np.zeros((64, 400, 3), np.uint8)}, "at most 4 times"),
    ],
)
def test_mistakes_are_told_before_the_work(options, words, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # users have no type checker
    monkeypatch.setattr("bdmm.inference.source_view.prepare_source", None)
    monkeypatch.setattr("bdmm.inference.source_view.detect_photo", None)
    given = {"source": np.zeros((300, 300, 3), np.uint8), "motion": "turn", **options}
    with pytest.raises(InputError, match="(?i)" + words):
        animate(**given)


@pytest.mark.parametrize("value", [6e4, -6e4, float("inf")])
def test_weights_that_give_nothing_visible_are_told(source_view, motion, value):
    generator = Generator(SMALL)
    with torch.no_grad():
        for weights in generator.parameters():
            weights.fill_(value)
    with pytest.warns(Notice, match="these weights give no pictures"):
        next(animation(source_view, motion, NetworkRenderer(generator)))


@pytest.mark.parametrize("scale", [0.011, 9.9e5])
@pytest.mark.parametrize("root", ["relative", "absolute", "fixed"])
def test_motions_at_their_bounds_give_frames(source_view, source, motion, body, scale, root):
    count = len(motion)
    jumps = torch.where(torch.arange(count) % 2 == 0, scale, 100.0)
    for scales in (torch.full((count,), scale), jumps):
        odd = replace(motion, scale=scales, translation=torch.full((count, 2), 9.9e5))
        assert odd.flaw() is None
        moved = retarget(odd, source.pose, root, body)
        assert bool(moved.scale.isfinite().all() & moved.translation.isfinite().all())
    assert len(list(animation(source_view, moved[:2], CoarseRenderer()))) == 2
