"""Presets, and frames that never have more pixels than the photo."""

import warnings

import jaxtyping
import pytest

from bdmm.errors import InputError, Notice
from bdmm.inference.animate import choose_preset, choose_renderer, open_device
from bdmm.inference.presets import PRESETS, frame_size


def test_frames_have_at_most_what_the_photo_has() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert frame_size((1024, 768), 512, 512) == 512
        assert frame_size((1024, 768), None, 512) == 512
        assert frame_size((601, 401), None, 512) == 400
        assert frame_size((3000, 4000), None, 1080) == 1080
    with pytest.warns(Notice, match="The photo has 401 pixels .* frames get 400, not 512"):
        assert frame_size((601, 401), 512, 512) == 400
    assert frame_size((40, 60), None, 512) == 64


def test_a_preset_chooses_the_renderer_but_what_is_given_counts_more() -> None:
    device = open_device("cpu")
    assert choose_renderer(None, None, device, PRESETS["fast"]).name == "coarse"
    assert choose_renderer(None, None, device, PRESETS["standard"]).name == "layered"
    assert choose_renderer("network", None, device, PRESETS["fast"]).name == "layered"
    assert choose_renderer(None, "layered", device, PRESETS["fast"]).name == "layered"
    unchecked = jaxtyping.jaxtyped(choose_preset, typechecker=None)
    with pytest.raises((InputError, jaxtyping.TypeCheckError), match=r"fast.*standard.*fine"):
        unchecked("best")
