"""`bdmm train`: prepared clips into trained weights."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from bdmm.cli.report import Report, say
from bdmm.cli.resources import keep_network_blocks

Loss = Literal[
    "reconstruction",
    "spatial_adversarial",
    "temporal_adversarial",
    "perceptual",
    "style",
    "contextual",
    "person",
    "alpha",
    "synthesis",
    "copy",
]


@dataclass(frozen=True)
class Train:
    """Train the network on prepared clips.

    bdmm train --preset paper --data fashion_clips/ -o runs/fashion

    Stopped in the middle, by Ctrl-C too, the same command goes on where it was. The folder then
    serves as --weights of bdmm animate.
    """

    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")]
    """Folders that bdmm prepare or bdmm synth made."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of the run."""
    preset: Literal["paper", "released", "layered"] = "paper"
    """The network: as printed, as the authors' code runs, or the one whose weights ship."""
    begin: Annotated[str | None, tyro.conf.arg(metavar="WEIGHTS")] = None
    """Weights to begin with: a file, a run's folder, or layered (the ones that ship)."""
    vgg: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights of VGG-19; from PyTorch's own cache otherwise."""
    without: tuple[Loss, ...] = ()
    """Losses to switch off."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Steps in all; the preset's otherwise."""
    windows: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Consecutive windows of a step; the preset's otherwise."""
    batch: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Clips at once on each device."""
    accumulate: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Batches whose gradients make one update."""
    learning_rate: Annotated[float | None, tyro.conf.arg(metavar="RATE")] = None
    """Of the generator; the preset's otherwise."""
    crop: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="HEIGHT WIDTH")] = None
    """Cut frames down to such a part around the person; whole frames otherwise."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Of the networks' arithmetic."""
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    """What it is computed on."""
    devices: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Devices of each machine."""
    nodes: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Machines, started by torchrun."""
    workers: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Processes that read ahead for each device."""
    split: Literal["train", "val", "test", "all"] = "train"
    """Which clips are used."""
    no_augmentation: bool = False
    """Use samples as they are."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Another seed, another run."""
    save_every: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Steps between checkpoints; the preset's otherwise."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Train and say how far it came.

        Raises:
            InputError: a mistake of the user's, a loss that is not finite, or a full disk.
        """
        from bdmm.training.extra import require

        require()
        keep_network_blocks()
        from bdmm.data.augment import Augmentation
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

            def tell(stage: str, done: int, total: int | None) -> None:
                # Without a bar the report says how many frames there are; these are steps.
                report(stage, done, total if sys.stderr.isatty() else None)

            outcome = start(settings, material, self.output, machine, tell, self.begin)
        if not outcome.leads:
            return
        if outcome.finished:
            say(f"{self.output}: trained, {outcome.step} steps.")
        else:
            say(f"{self.output}: stopped after step {outcome.step}; the same command goes on.")
