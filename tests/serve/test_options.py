import pytest

pytest.importorskip("pydantic", reason="needs the extra serve")

from bdmm.cli.animate import Animate
from bdmm.cli.app import parse
from bdmm.errors import InputError
from bdmm.inference import driving, prepare
from bdmm.inference.presets import PRESETS
from bdmm.inference.source_view import SIZES
from bdmm.serve.options import PRESET_SIZES, SEEDS, SMALLEST, SMOOTHEST, VIEWS, AnimationOptions
from bdmm.serve.settings import Limits

LIMITS = Limits()
ALL = AnimationOptions(
    size=128, background="#20a040", person=2, photo_person=1, smooth=0.5, root="fixed",
    sound="none", view=30, orbit=True, shadow="none", format="webm", model=True, seed=7,
)  # fmt: skip


@pytest.mark.parametrize("preset", PRESET_SIZES)
@pytest.mark.parametrize(("driver", "motion"), [("d.mp4", None), (None, "wave")])
def test_the_command_line_understands_every_option(preset, driver, motion):
    chosen = ALL.model_copy(update={"preset": preset})
    command = parse(chosen.words(["a.jpg"], driver, motion, LIMITS))
    assert isinstance(command, Animate)
    inputs = command.inputs
    assert (inputs.size, inputs.background, inputs.person) == (128, "#20a040", 2)
    assert (inputs.photo_person, inputs.smooth, inputs.root) == (1, 0.5, "fixed")
    assert (inputs.view, inputs.orbit, inputs.shadow) == (30, True, "none")
    assert (inputs.motion, command.sound, command.seed) == (motion, "none", 7)
    assert str(inputs.driver or "") == (driver or "")
    assert command.output.suffix == ".webm"
    assert str(command.export) == "result/model.glb"


def test_defaults_are_those_of_the_command_line():
    command = parse(AnimationOptions().words(["a.jpg"], None, "wave", LIMITS))
    bounds = ("--max-frames", str(LIMITS.frames))
    outputs = ("-o", "result/video.mp4", "--sheet", "result/sheet.jpg")
    assert command == parse(["animate", "a.jpg", "--motion", "wave", *outputs, *bounds])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"size": 65}, "The size is 65; it must be an even number from 64 to 1080."),
        ({"size": 2048}, "The size is 2048;"),
        ({"person": 0}, "The person is 0; people are counted from 1 on."),
        ({"photo_person": -1}, "The photo's person is -1;"),
        ({"view": float("inf")}, "The view is inf; it must lie between -360 and 360."),
        ({"smooth": 31}, "The smoothing is 31; it must lie between 0 and 30."),
        ({"smooth": float("nan")}, "The smoothing is nan;"),
        ({"seed": 2**64}, "The seed is 18446744073709551616; it must lie between"),
        ({"background": "/etc/passwd"}, "is no colour"),
        ({"background": "photo.jpg"}, "is no colour"),
        ({"background": "transparent"}, "video.mp4 cannot be transparent: use .webm (VP9), .mov"),
        ({"background": "white", "paste_back": True}, "excludes another background"),
    ],
)
def test_what_cannot_be_is_refused_at_once(wrong, said):
    with pytest.raises(InputError) as error:
        AnimationOptions(**wrong).check(LIMITS)
    assert said in str(error.value)


@pytest.mark.parametrize("form", ["webm", "mov", "gif"])
def test_transparent_videos_are_made_where_the_type_has_alpha(form):
    options = AnimationOptions(background="transparent", format=form)
    options.check(LIMITS)
    command = parse(options.words(["a.jpg"], None, "wave", LIMITS))
    assert isinstance(command, Animate)
    assert command.inputs.background == "transparent"


def test_bounds_are_those_of_the_command_line():
    assert SIZES[0] == SMALLEST
    assert {name: preset.size for name, preset in PRESETS.items()} == PRESET_SIZES
    assert driving.SMOOTHEST == SMOOTHEST
    assert prepare.VIEWS == VIEWS
    assert prepare.SEEDS == SEEDS


@pytest.mark.parametrize(("preset", "size"), [("fast", None), ("standard", 400), ("fine", 400)])
def test_a_preset_is_no_larger_than_the_limit(preset, size):
    words = AnimationOptions(preset=preset).words(["a.jpg"], None, "wave", Limits(size=400))
    command = parse(words)
    assert isinstance(command, Animate)
    assert command.inputs.size == size


def test_several_photos_are_one_person():
    command = parse(AnimationOptions().words(["a.jpg", "b.jpg", "c.jpg"], "d.mp4", None, LIMITS))
    assert isinstance(command, Animate)
    assert str(command.inputs.photo) == "a.jpg"
    assert [str(one) for one in command.inputs.more] == ["b.jpg", "c.jpg"]
    assert str(command.inputs.driver) == "d.mp4"
