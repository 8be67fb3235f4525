"""`bdmm train`: prepared clips into trained weights."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from bdmm.cli.report import Report, say
from bdmm.cli.resources import keep_network_blocks

Loss = Literal[
    "reconstruction", "spatial_adversarial", "temporal_adversarial", "perceptual", "style",
    "contextual", "person", "alpha", "synthesis", "copy",
]  # fmt: skip


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
    preset: Literal["paper", "released", "layered"] = "paper"
    """The network: as printed, as the authors' code runs, or the one whose weights ship."""
    init_weights: Annotated[str | None, tyro.conf.arg(metavar="WEIGHTS")] = None
    """Start from weights: a file, a run's folder, or layered (the ones that ship)."""
    vgg: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights of VGG-19; from PyTorch's own cache otherwise."""
    without: tuple[Loss, ...] = ()
    """Losses to switch off."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Number of steps; the default is the preset's."""
    windows: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Consecutive windows per step; the default is the preset's."""
    batch: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Clips per batch on each device."""
    accumulate: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Batches per update; their gradients are averaged."""
    learning_rate: Annotated[float | None, tyro.conf.arg(metavar="RATE")] = None
    """Learning rate of the generator; the default is the preset's."""
    crop: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="HEIGHT WIDTH")] = None
    """Crop frames around the person; by default whole frames are used."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Number type of the networks."""
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    """Kind of device."""
    devices: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Devices per machine."""
    nodes: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Number of machines, started by torchrun."""
    workers: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Data loading processes per device."""
    split: Literal["train", "val", "test", "all"] = "train"
    """Split of the clips to train on."""
    no_augmentation: bool = False
    """Do not augment samples."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Seed of weights and samples."""
    save_every: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Steps between checkpoints; the default is the preset's."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Train and report how far it came."""
        from bdmm.training.settings import check_packages

        check_packages()
        keep_network_blocks()
        from bdmm.cli.preview import TrainingPreview
        from bdmm.data.augment import Augmentation
        from bdmm.data.clip_store import PreparedClip, find_clips
        from bdmm.training.settings import TRAIN_PRESETS
        from bdmm.training.start import Machine, Material, start

        preset = TRAIN_PRESETS[self.preset]
        settings = replace(
            preset,
            losses=replace(preset.losses, **dict.fromkeys(self.without, 0.0)),
            batch=self.batch,
            accumulate=self.accumulate,
            precision=self.precision,
            seed=self.seed,
            **{
                name: getattr(self, name)
                for name in ("steps", "windows", "learning_rate", "crop", "save_every")
                if getattr(self, name) is not None
            },
        )
        material = Material(
            clips=self.data,
            split=None if self.split == "all" else self.split,
            vgg=self.vgg,
            augmentation=None if self.no_augmentation else Augmentation(),
        )
        machine = Machine(self.accelerator, self.devices, self.nodes, self.workers)
        with Report(self.quiet) as report:

            def notify(stage: str, done: int, total: int | None) -> None:
                # Without a bar the report says how many frames there are; these are steps.
                report(stage, done, total if sys.stderr.isatty() else None)

            clip = PreparedClip(find_clips(self.data[0])[0])
            outcome = start(
                settings,
                material,
                self.output,
                machine,
                notify,
                self.init_weights,
                TrainingPreview(clip, self.output),
            )
        if not outcome.leads:
            return
        if outcome.finished:
            say(f"{self.output}: trained, {outcome.step} steps.")
        else:
            say(f"{self.output}: stopped after step {outcome.step}; rerun the command to resume.")
