"""`bdmm train`: prepared clips into trained weights."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from bdmm.cli.report import Report, say
from bdmm.cli.resources import keep_network_blocks

if TYPE_CHECKING:
    from bdmm.training.settings import TrainSettings
    from bdmm.training.start import Material

Loss = Literal[
    "reconstruction", "spatial_adversarial", "temporal_adversarial", "perceptual", "style",
    "contextual", "person", "alpha", "synthesis", "copy",
]  # fmt: skip


@dataclass(frozen=True)
class TrainingOptions:
    """How a network is trained."""

    steps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Training steps of a run; default: the preset's."""
    windows: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Consecutive windows of a step; default: the preset's."""
    batch: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Clips of a batch on each device."""
    learning_rate: Annotated[float | None, tyro.conf.arg(metavar="RATE")] = None
    """Learning rate of the generator; default: the preset's."""
    crop: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="HEIGHT WIDTH")] = None
    """Train on crops of this size around the person; default: whole frames."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Number type of the networks."""
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    """Kind of device."""
    no_augmentation: bool = False
    """Train without data augmentation."""
    vgg: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights of VGG-19; default: from PyTorch's own cache."""

    def settings(self, preset: str) -> "TrainSettings":
        """Return a preset's settings with these options.

        Raises:
            InputError: a value is out of its range.
        """
        from bdmm.training.settings import TRAIN_PRESETS

        names = ("steps", "windows", "learning_rate", "crop")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(TRAIN_PRESETS[preset], batch=self.batch, precision=self.precision, **given)

    def material(self, clips: tuple[Path, ...], split: str | None = "train") -> "Material":
        """Return what a run of these options learns from."""
        from bdmm.data.augment import Augmentation
        from bdmm.training.start import Material

        return Material(clips, split, self.vgg, None if self.no_augmentation else Augmentation())


@dataclass(frozen=True)
class Train:
    """Train the network on prepared clips.

    $ bdmm train --preset paper --data fashion_clips/ -o runs/fashion

    Rerun the same command to resume, after Ctrl-C too. The folder then serves as --weights of
    bdmm animate.
    """

    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")]
    """Folders that bdmm prepare or bdmm synth made."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of the run."""
    preset: Literal["paper", "paper-small", "released", "layered"] = "paper"
    """The network: as printed, as the authors' code runs, or the one whose weights ship."""
    init_weights: Annotated[str | None, tyro.conf.arg(metavar="WEIGHTS")] = None
    """Start from weights: a file, a run's folder, or layered (the ones that ship)."""
    without: tuple[Loss, ...] = ()
    """Losses to switch off."""
    accumulate: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Batches per update; their gradients are averaged."""
    devices: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Devices per machine."""
    nodes: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Number of machines, started by torchrun."""
    workers: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Data loading processes per device."""
    split: Literal["train", "val", "test", "all"] = "train"
    """Split of the clips to train on."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Seed of weights and samples."""
    save_every: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Steps between checkpoints; the default is the preset's."""
    training: TrainingOptions = field(default_factory=TrainingOptions)
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Train and report how far it came."""
        from bdmm.training.settings import check_packages

        check_packages()
        keep_network_blocks()
        from bdmm.cli.preview import TrainingPreview
        from bdmm.data.clip_store import PreparedClip, find_clips
        from bdmm.training.start import Machine, start, with_unit_features

        preset = self.training.settings(self.preset)
        settings = replace(
            preset,
            losses=replace(preset.losses, **dict.fromkeys(self.without, 0.0)),
            accumulate=self.accumulate,
            seed=self.seed,
            save_every=preset.save_every if self.save_every is None else self.save_every,
        )
        material = self.training.material(self.data, None if self.split == "all" else self.split)
        machine = Machine(self.training.accelerator, self.devices, self.nodes, self.workers)
        with Report(self.quiet, counts=False) as report:
            clip = PreparedClip(find_clips(self.data[0])[0])
            outcome = start(
                with_unit_features(settings, material),
                material,
                self.output,
                machine,
                report,
                self.init_weights,
                TrainingPreview(clip, self.output),
            )
        if not outcome.leads:
            return
        if outcome.finished:
            say(f"{self.output}: trained, {outcome.step} steps.")
        else:
            say(f"{self.output}: stopped after step {outcome.step}; rerun the command to resume.")
