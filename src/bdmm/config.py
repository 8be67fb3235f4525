"""Settings as frozen dataclasses, presets as rows of data; each setting is declared once, here."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bdmm.errors import InputError, require_within

HEADS = ("rgb", "layers")
"""What a generator ends in."""
NORMS = ("instance", "pixel")
"""How a generator's features are normalised."""
WINDOW = 6
"""Frames of the paper's windows."""


@dataclass(frozen=True)
class NetworkConfig:
    """The generator: what it is fed, how wide it is, and which of its parts are left out.

    Attributes:
        joints: pose heatmaps per frame: 18 (COCO) or 25 (BODY-25).
        feeds_back: whether the structural encoder also sees the previously generated frame (the
            source image before the first).
        slope: negative slope of the leaky ReLU in encoders and residual blocks. The modulated
            blocks always use 0.2.
        widths: channels at 1/2, 1/4, ... of the frame's size; the last is the bottleneck, at the
            others the warped features are propagated and modulated.
        style_widths: channels of the style encoder's blocks; the last is the style code's size.
        motion_modulation: False replaces the DMM blocks by plain styled convolutions.
        deformable: False holds the offsets of the taps at zero ("w/o DCN").
        style_weight: False leaves the DMM kernels unmodulated.
        feature_concat: False lets offsets and masks see the propagated features only.
        motion_mask: False holds the masks at one.
        forward_branch: False removes the forward propagation.
        backward_branch: False removes the backward propagation.
        structural_recurrence: False gives every frame its own features as structural state.
        head: ``rgb`` makes frames from features alone (the paper); ``layers`` mixes them from the
            warped source's own pixels, synthesised ones and the background.
        norm: ``instance`` as in the paper; ``pixel`` norms the channels of every pixel by itself:
            the rest of the frame plays no part.
        bounded_states: whether the states of recurrences are bounded (`layers.bounded`).
        unit_style: whether the style code is brought to unit size.
        demodulate_direct: whether the decoder's direct convolutions are demodulated (equation 4).
        tap_reach: how far motion offsets may move a tap, in pixels of their level; 0 for any
            distance, as in the paper.
        tap_slowdown: offsets and masks learn this many times slower than the rest; 1 as in the
            paper.
        window: frames that are generated at once. Training may use shorter windows.
    """

    joints: int = 25
    feeds_back: bool = True
    slope: float = 0.1
    widths: tuple[int, ...] = (64, 128, 256)
    style_widths: tuple[int, ...] = (64, 128, 256, 512, 512, 512)
    motion_modulation: bool = True
    deformable: bool = True
    style_weight: bool = True
    feature_concat: bool = True
    motion_mask: bool = True
    forward_branch: bool = True
    backward_branch: bool = True
    structural_recurrence: bool = True
    head: str = "rgb"
    norm: str = "instance"
    bounded_states: bool = False
    unit_style: bool = False
    demodulate_direct: bool = False
    tap_reach: float = 0.0
    tap_slowdown: float = 1.0
    window: int = WINDOW

    def __post_init__(self) -> None:
        for name, known in (("head", HEADS), ("norm", NORMS)):
            if (value := getattr(self, name)) not in known:
                raise InputError(f"The network's {name} is one of {known}, not {value!r:.40}.")
        if self.head == "layers" and self.feeds_back:
            raise InputError("A network with a head of layers has no frame to feed back.")
        require_within("taps' reach in pixels", self.tap_reach, 0, 64)
        require_within("taps' slowdown", self.tap_slowdown, 1, 1024)
        require_within("number of a window's frames", self.window, 1, 64)
        if self.joints < 1:
            raise InputError(f"The network needs at least one joint, not {self.joints}.")
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise InputError(
                f"The network's widths must be two or more positive numbers, not {self.widths}."
            )
        if not self.style_widths or min(self.style_widths) < 1:
            raise InputError(
                f"The style encoder's widths must be positive numbers, not {self.style_widths}."
            )

    @property
    def style_size(self) -> int:
        """Size of the style code."""
        return self.style_widths[-1]

    @property
    def size_step(self) -> int:
        """Both sides of a frame are multiples of this."""
        return 2 ** len(self.widths)

    @property
    def least_size(self) -> int:
        """The shorter side of a frame is at least this: no norm may see a single pixel."""
        return 2 ** (max(len(self.widths), len(self.style_widths)) + 1)


PRESETS: Mapping[str, NetworkConfig] = MappingProxyType(
    {
        "released": NetworkConfig(),
        "paper": NetworkConfig(joints=18, feeds_back=False, slope=0.2),
        "paper-small": NetworkConfig(
            joints=18,
            feeds_back=False,
            slope=0.2,
            widths=(16, 32, 64),
            style_widths=(16, 32, 64, 128, 128),
            tap_slowdown=16.0,
        ),
        "layered": NetworkConfig(
            joints=18,
            feeds_back=False,
            slope=0.2,
            widths=(24, 48, 96),
            style_widths=(24, 48, 96, 128, 128),
            backward_branch=False,
            head="layers",
            norm="pixel",
            bounded_states=True,
            unit_style=True,
            demodulate_direct=True,
            tap_reach=8.0,
            tap_slowdown=16.0,
        ),
    }
)
"""``paper``: as printed. ``paper-small``: the same machinery a quarter as wide, for frames of 64
pixels. ``released``: as the authors' published code runs. ``layered``: ours."""


def present_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's settings from an earlier file by the names that they have today.

    Once the norm ``pixel`` meant four things, and bounded offsets learned 16 times slower.
    """
    pixel, reach = settings.get("norm") == "pixel", settings.get("tap_reach", 0.0)
    meant = dict.fromkeys(("bounded_states", "unit_style", "demodulate_direct"), pixel)
    return {**meant, "tap_slowdown": 16.0 if reach else 1.0, "window": WINDOW, **settings}


ABLATIONS: Mapping[str, str] = MappingProxyType(
    {
        "DMM": "motion_modulation",
        "DCN": "deformable",
        "style weight": "style_weight",
        "feature concat": "feature_concat",
        "motion mask": "motion_mask",
        "forward propagation": "forward_branch",
        "backward propagation": "backward_branch",
        "recurrent structural flow": "structural_recurrence",
    }
)
"""The paper's Table 2: what a row leaves out -> the setting that turns it off."""


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Form and size of the spatial and the temporal discriminator.

    Attributes:
        paired: each frame is seen with a partner (the paper) or alone (the release).
        width: channels after the first block, doubled from block to block.
        max_width: where the doubling stops.
        frames: frames of a window, 5 at least: the temporal discriminator is built for this count.
        slope: of the leaky ReLUs.
    """

    paired: bool = False
    width: int = 32
    max_width: int = 128
    frames: int = WINDOW
    slope: float = 0.1

    def __post_init__(self) -> None:
        """Refuse a window that is over before the last block."""
        if self.frames < 5:
            raise InputError(
                f"A temporal discriminator needs windows of 5 frames or more, not {self.frames}."
            )


DISCRIMINATOR_PRESETS: Mapping[str, DiscriminatorConfig] = MappingProxyType(
    {
        "released": DiscriminatorConfig(),
        "paper": DiscriminatorConfig(paired=True, slope=0.2),
        "paper-small": DiscriminatorConfig(paired=True, slope=0.2, width=16, max_width=64),
        "layered": DiscriminatorConfig(slope=0.2, max_width=64),
    }
)


@dataclass(frozen=True)
class LossConfig:
    """Weights and VGG-19 layers of the objective (equation 9).

    A term is a mean over one frame's values, summed over the layers and over the window's frames;
    the adversarial terms are means over a map of logits. The weights are those that the paper's
    authors ran with: the printed row (5, 5, 2, 500, 0.5, 0.1) holds the same numbers at the
    wrong symbols.

    Attributes:
        reconstruction: weight of the L1 distance.
        spatial_adversarial: weight of the spatial discriminator's loss.
        temporal_adversarial: weight of the temporal discriminator's loss.
        perceptual: weight of the distance between features (equation 11).
        style: weight of the distance between Gram matrices (equation 12).
        contextual: weight of the contextual loss (equation 13).
        perceptual_layers: ``conv3_1`` is the value before, ``relu3_1`` the value after the ReLU.
        style_layers: likewise.
        contextual_layers: likewise.
        imagenet_input: give VGG-19 the statistics it was trained with, or frames in [-1, 1] as is.
        person: weight of the L1 distance of the person's colours inside the person. This and the
            next three are means over a window, and only a network with a head of layers has them.
        alpha: weight of the distance of alpha from the true foreground: L1, and a quarter of the
            cross-entropy.
        synthesis: weight of the L1 distance of the synthesised pixels inside the person.
        copy: weight of what is not copied although the source shows it.
        frames_seen: frames of a window, drawn at random, that VGG-19 looks at; 0 for all. What it
            says of them counts as if it had seen all.
        vgg_divisors: (layer, number) pairs: features are divided by the number, 1 where not
            named. For weights whose activations are not torchvision's size.
    """

    reconstruction: float = 5.0
    spatial_adversarial: float = 2.0
    temporal_adversarial: float = 2.0
    perceptual: float = 0.5
    style: float = 500.0
    contextual: float = 0.1
    perceptual_layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    style_layers: tuple[str, ...] = ("relu2_2", "relu3_4", "relu4_4", "relu5_2")
    contextual_layers: tuple[str, ...] = ("relu3_3", "relu4_2", "relu5_2")
    imagenet_input: bool = False
    person: float = 0.0
    alpha: float = 0.0
    synthesis: float = 0.0
    copy: float = 0.0
    frames_seen: int = 0
    vgg_divisors: tuple[tuple[str, float], ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that a term reads which is not switched off, each once."""
        read = (
            (self.perceptual, self.perceptual_layers),
            (self.style, self.style_layers),
            (self.contextual, self.contextual_layers),
        )
        return tuple(dict.fromkeys(name for weight, names in read if weight for name in names))


LOSS_PRESETS: Mapping[str, LossConfig] = MappingProxyType(
    {
        # The release calls the tap relu3_2 that it computes after conv3_3.
        "released": LossConfig(),
        "paper": LossConfig(
            perceptual_layers=("conv1_2",),
            style_layers=("relu1_2",),
            contextual_layers=("relu3_2", "relu4_2"),
            imagenet_input=True,
        ),
        # At 500 the Gram loss outweighs L1 throughout a training this short.
        "paper-small": LossConfig(
            style=50.0,
            perceptual_layers=("conv1_2",),
            style_layers=("relu1_2",),
            contextual_layers=("relu3_2", "relu4_2"),
            imagenet_input=True,
            frames_seen=1,
        ),
        "layered": LossConfig(
            reconstruction=1 / 6,
            spatial_adversarial=0.0,
            temporal_adversarial=0.0,
            perceptual=0.5 / 6,
            style=0.0,
            contextual=0.0,
            perceptual_layers=("relu1_1", "relu2_1", "relu3_1"),
            imagenet_input=True,
            person=3.0,
            alpha=4.0,
            synthesis=0.5,
            copy=0.05,
            frames_seen=2,
        ),
    }
)
"""``paper``: the layers as printed, with the weights that were really applied; ``paper-small``: a
tenth of its Gram loss."""
