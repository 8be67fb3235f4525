"""The paper's published generator weights: which of their names is which of ours.

Nothing of a published file is lost. What our networks have no use for (an encoder block whose
result is never read, constant blur kernels, the first of two biases that are only ever added) is
kept with our tensors under the prefix ``released/``; `network_tensors` leaves it out.
"""

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.config import PRESETS, NetworkConfig
from bdmm.errors import InputError
from bdmm.files.tensor_files import check_tensors
from bdmm.network.generator import Generator
from bdmm.network.layers import EncoderBlock

Tensors = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]

KEPT = "released/"
"""Prefix of what a converted file keeps of the published one though our networks don't use it."""

_NORMED = {"model.0": "norm1", "model.2": "conv1", "model.3": "norm2", "model.5": "conv2"}
_RESIDUAL = {**_NORMED, "shortcut.0": "skip"}
_STYLED = {"conv": "kernel", "conv.modulation": "kernel.scale"}
_MOTION = {**_STYLED, "flow_conv.0": "context", "offset_conv": "offset", "mask_conv": "mask"}

_BLOCKS = {
    "x_ref.block0": ("style_encoder.blocks.0", _NORMED),
    "x_ref.encoder0": ("style_encoder.blocks.1", _NORMED),
    "x_ref.encoder1": ("style_encoder.blocks.2", _NORMED),
    "x_ref.encoder2": ("style_encoder.blocks.3", _NORMED),
    "x_ref.encoder3": ("style_encoder.blocks.4", _NORMED),
    "x_ref.encoder4": ("style_encoder.blocks.5", _NORMED),
    "x_encoder.block0": ("structural_encoder.blocks.0", _NORMED),
    "x_encoder.encoder0": ("structural_encoder.blocks.1", _NORMED),
    "x_encoder.encoder1": ("structural_encoder.blocks.2", _NORMED),
    "x_rcnn1": ("structural_encoder.recurrence.0", _RESIDUAL),
    "x_rcnn2": ("structural_encoder.recurrence.1", _RESIDUAL),
    "warp_encoder.block0": ("warp_encoder.blocks.0", _NORMED),
    "warp_encoder.encoder0": ("warp_encoder.blocks.1", _NORMED),
    "for_rcnn64": ("forward_propagation.steps.0", _RESIDUAL),
    "for_rcnn128": ("forward_propagation.steps.1", _RESIDUAL),
    "back_rcnn64": ("backward_propagation.steps.0", _RESIDUAL),
    "back_rcnn128": ("backward_propagation.steps.1", _RESIDUAL),
    "conv1up": ("decoder.up.0", _STYLED),
    "conv2up": ("decoder.up.1", _STYLED),
    "conv3up": ("decoder.up.2", _STYLED),
    "directconv1": ("decoder.direct.0", _STYLED),
    "directconv2": ("decoder.direct.1", _STYLED),
    "directconv3": ("decoder.direct.2", _STYLED),
    "forconv1": ("decoder.forward_branch.0", _MOTION),
    "forconv2": ("decoder.forward_branch.1", _MOTION),
    "backconv1": ("decoder.backward_branch.0", _MOTION),
    "backconv2": ("decoder.backward_branch.1", _MOTION),
    "decoder256": ("head.to_rgb", _STYLED),
}
"""Published block -> our block, and the parts of the one -> the parts of the other."""
_UNUSED_BLOCK = "warp_encoder.encoder1"
_BLURS = tuple(f"conv{i}up.conv.blur.kernel" for i in (1, 2, 3))
_UNUSED_KERNELS = tuple(
    f"{side}conv{i}.upsample.kernel" for side in ("for", "back") for i in (1, 2)
)
_POSE_GAIN = "x_encoder.block0.model.0.weight"
"""Has one number for each joint and each colour of the frame that is fed back."""


def from_released(path: Path, state_dict: Mapping[str, Tensor]) -> tuple[NetworkConfig, Tensors]:
    """Rename the published generator's tensors to ours, any number of joints.

    Returns:
        The config that they belong to, and the tensors of its `Generator` with those that are only
        kept under ``released/`` (see `network_tensors`).

    Raises:
        InputError: a tensor is missing, added, of a wrong shape or not finite, or the blur is
            another one.
    """
    joints = state_dict[_POSE_GAIN].numel() - 3 if _POSE_GAIN in state_dict else 1
    if joints < 1:
        raise InputError(f"In {path} the tensor {_POSE_GAIN!r} leaves no channel for a pose.")
    check_tensors(path, state_dict, released_shapes(joints))
    for name in _BLURS:
        if not torch.allclose(state_dict[name].float(), _blur_kernel(), atol=1e-4):
            raise InputError(f"In {path} the tensor {name!r} is not the known blur.")

    ours = {our: _to_our_shape(state_dict[name], name) for name, our in _names().items()}
    for name, our in _added_biases().items():
        ours[our] = ours[our] + state_dict[name].flatten()
    kept = {f"{KEPT}{name}": state_dict[name] for name in _kept_names()}
    return _config(joints), {name: value.contiguous() for name, value in (ours | kept).items()}


def to_released(config: NetworkConfig, ours: Mapping[str, Tensor]) -> Tensors:
    """Rename our generator's tensors to the published ones: every name, every shape.

    Tensors kept under ``released/`` come back as they were; without them the unused block is zero
    and the whole bias stands in the second of the two places.

    Raises:
        InputError: the config is not the released network's, or a kept shape does not fit it.
    """
    if config != _config(config.joints):
        raise InputError("Only the preset 'released' has the shape of the released weights.")
    network = network_tensors(ours)
    kept = {name.removeprefix(KEPT): value for name, value in ours.items() if name not in network}
    theirs: Tensors = {}
    for name, shape in released_shapes(config.joints).items():
        if name in kept:
            if kept[name].shape != shape:
                raise InputError(f"The kept tensor {name!r} has not the released shape {shape}.")
            theirs[name] = kept[name]
        elif name in (*_BLURS, *_UNUSED_KERNELS):
            theirs[name] = _blur_kernel()
        elif name in _names():
            theirs[name] = network[_names()[name]].reshape(shape).clone()
        else:
            theirs[name] = torch.zeros(shape)
    for name, our in _added_biases().items():
        second = name.replace(".bias", ".activate.bias")
        theirs[second] = network[our] - theirs[name].flatten()
    return theirs


def network_tensors(ours: Mapping[str, Tensor]) -> Tensors:
    """Return what a `Generator` loads: everything but what is merely kept."""
    return {name: value for name, value in ours.items() if not name.startswith(KEPT)}


def released_shapes(joints: int) -> Shapes:
    """Return every name in the published file with its shape."""
    ours = _our_shapes(joints)
    shapes = {name: _to_their_shape(ours[our], name) for name, our in _names().items()}
    shapes |= {name: (1, *ours[our], 1, 1) for name, our in _added_biases().items()}
    shapes |= dict.fromkeys((*_BLURS, *_UNUSED_KERNELS), (4, 4))
    return shapes | _unused_shapes()


@cache
def _names() -> dict[str, str]:
    """Published name -> ours, of every tensor that is only renamed or reshaped."""
    names = {}
    for their_block, (our_block, parts) in _BLOCKS.items():
        for their_part, our_part in parts.items():
            kinds = ("weight",) if their_part == "conv" else ("weight", "bias")
            for kind in kinds:
                names[f"{their_block}.{their_part}.{kind}"] = f"{our_block}.{our_part}.{kind}"
        if "conv" in parts:
            activated = "" if our_block == "head.to_rgb" else ".activate"
            names[f"{their_block}{activated}.bias"] = f"{our_block}.bias"
    return names


@cache
def _added_biases() -> dict[str, str]:
    """Published name of a block's other bias, added to the first -> our only one."""
    return {
        f"{block}.bias": f"{ours}.bias"
        for block, (ours, parts) in _BLOCKS.items()
        if "conv" in parts and ours != "head.to_rgb"
    }


def _kept_names() -> tuple[str, ...]:
    return (*_unused_shapes(), *_added_biases(), *_BLURS, *_UNUSED_KERNELS)


def _config(joints: int) -> NetworkConfig:
    return dataclasses.replace(PRESETS["released"], joints=joints)


@cache
def _our_shapes(joints: int) -> Shapes:
    with torch.device("meta"):
        network = Generator(_config(joints))
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


@cache
def _unused_shapes() -> Shapes:
    with torch.device("meta"):
        block = EncoderBlock(128, 256, slope=0.1)
    theirs = {ours: name for name, ours in _NORMED.items()}
    return {
        f"{_UNUSED_BLOCK}.{theirs[part]}.{kind}": tuple(value.shape)
        for part, kind, value in (
            (*name.split("."), value) for name, value in block.state_dict().items()
        )
    }


def _to_our_shape(value: Tensor, name: str) -> Tensor:
    if name.endswith("conv.weight") and value.ndim == 5:
        return value[0]
    return value.flatten() if name.endswith(".bias") else value


def _to_their_shape(shape: tuple[int, ...], name: str) -> tuple[int, ...]:
    block = name.split(".")[0]
    if name.endswith(f"{block}.conv.weight"):
        return (1, *shape)
    return (1, *shape, 1, 1) if name == "decoder256.bias" else shape


def _blur_kernel() -> Float[Tensor, "4 4"]:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
    return torch.outer(taps, taps)
