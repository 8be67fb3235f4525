"""From folders of prepared clips to a run: devices, samples and losses put together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from lightning_fabric import Fabric
from torch import Tensor

from bdmm.config import NetworkConfig
from bdmm.data.augment import Augmentation
from bdmm.data.batch import Batch
from bdmm.data.batch_loader import load_batches
from bdmm.data.clip_dataset import ClipDataset, Sampling
from bdmm.errors import InputError, Progress
from bdmm.network.weights import load_weights, shapes_of
from bdmm.records import joints_of
from bdmm.training.feature_extractor import load_features, with_measured_divisors
from bdmm.training.loop import Outcome, Preview, train
from bdmm.training.settings import UNIT_FEATURES, TrainSettings


@dataclass(frozen=True)
class Machine:
    """What a run is computed on.

    Attributes:
        accelerator: ``auto`` takes a GPU where there is one.
        devices: of each machine.
        nodes: machines; each of them runs the same command, as ``torchrun`` does it.
        workers: processes that read ahead for each device; 0 reads between the steps.
    """

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1
    nodes: int = 1
    workers: int = 0

    def __post_init__(self) -> None:
        if self.devices < 1 or self.nodes < 1 or self.workers < 0:
            raise InputError(
                f"A run needs 1 device, 1 machine and 0 workers at least, not {self.devices}, "
                f"{self.nodes} and {self.workers}."
            )


@dataclass(frozen=True)
class Material:
    """What a run learns from.

    Attributes:
        clips: folders that ``bdmm prepare`` or ``bdmm synth`` made, or single clips.
        split: only clips of this split; None for all.
        vgg: file of VGG-19's weights; None where no loss needs it.
        augmentation: changes to the samples; None for samples as they are.
    """

    clips: Sequence[Path]
    split: str | None = "train"
    vgg: Path | None = None
    augmentation: Augmentation | None = field(default_factory=Augmentation)


def start(
    settings: TrainSettings,
    material: Material,
    run: Path,
    machine: Machine | None = None,
    progress: Progress | None = None,
    init_weights: str | Path | None = None,
    preview: Preview | None = None,
) -> Outcome:
    """Begin a run, or go on with the one in the folder.

    Args:
        progress: is called after every step.
        init_weights: see `initial_weights`; fresh ones if None.
        preview: is called with every checkpoint.

    Raises:
        InputError: there are no clips, they or the weights do not fit the network, VGG-19 is
            missing, or see `loop.train`. All is checked before the first step.
    """
    machine = machine or Machine()
    dataset = open_clips(settings, material)
    vgg = load_features(material.vgg, settings.losses)
    tensors = None if init_weights is None else initial_weights(init_weights, settings.network)
    fabric = launch(machine, settings)

    def batches(first: int, rank: int, devices: int) -> Iterator[Batch]:
        return load_batches(
            dataset,
            settings.batch,
            machine.workers,
            first,
            pin=fabric.device.type == "cuda",
            rank=rank,
            devices=devices,
        )

    return train(settings, batches, run, fabric, vgg, progress, preview, tensors)


def with_unit_features(settings: TrainSettings, material: Material) -> TrainSettings:
    """Return settings whose VGG-19 layers are divided by their mean size, where the preset asks so.

    Raises:
        InputError: there are no clips, or VGG-19 is missing or damaged.
    """
    if settings.preset not in UNIT_FEATURES:
        return settings
    dataset = open_clips(settings, material)
    losses = with_measured_divisors(settings.losses, material.vgg, dataset)
    return replace(settings, losses=losses)


def initial_weights(weights: str | Path, network: NetworkConfig) -> dict[str, Tensor]:
    """Read the weights that a run starts from.

    Raises:
        InputError: they can't be read, or are those of another network.
    """
    _, tensors = load_weights(weights)
    needed = shapes_of(network)
    if any(name not in tensors or tensors[name].shape != needed[name] for name in needed):
        raise InputError(
            f"The weights {weights} are of another network than the one to be trained: start from "
            "weights of the same preset, or with none."
        )
    return {name: tensors[name].float() for name in needed}


def open_clips(settings: TrainSettings, material: Material) -> ClipDataset:
    """Open the clips and check that the network can take them.

    Raises:
        InputError: there are none, or their size or the network's joints are of another kind.
    """
    joints = joints_of(settings.network.joints)
    sampling = Sampling(
        frames=settings.frames,
        windows=settings.windows,
        joints=joints,
        augmentation=material.augmentation,
        crop=settings.crop,
        seed=settings.seed,
    )
    dataset = ClipDataset(material.clips, sampling, material.split)
    height, width = settings.crop or dataset.clips[0].info.size
    step, least = settings.network.size_step, settings.network.least_size
    if height % step or width % step or min(height, width) < least:
        raise InputError(
            f"The frames are {width}x{height} pixels; the network takes multiples of {step}, "
            f"{least} at least: prepare clips of such a size or cut out such parts."
        )
    return dataset


def launch(machine: Machine, settings: TrainSettings) -> Fabric:
    """Return the devices, ready for work; with several, one process for each is started.

    Raises:
        InputError: the machine lacks them.
    """
    several = machine.devices * machine.nodes > 1
    try:
        fabric = Fabric(
            accelerator=machine.accelerator,
            devices=machine.devices,
            num_nodes=machine.nodes,
            strategy="ddp" if several else "auto",
            precision=settings.precision,
        )
    except (RuntimeError, ValueError) as error:  # what Fabric says of missing devices
        raise InputError(
            f"This machine lacks {machine.devices} devices of the kind {machine.accelerator}."
        ) from error
    fabric.launch()
    return fabric
