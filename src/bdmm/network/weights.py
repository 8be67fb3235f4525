"""Our weights file: the generator's tensors and the settings that it was built with, in one file.

safetensors, never a pickle. The metadata has one key, ``bdmm``, whose value is JSON: format
version, the settings by name, and a SHA-256 over names, types, shapes and numbers.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bdmm.config import NetworkConfig, present_settings
from bdmm.errors import InputError
from bdmm.files.hub import hub_file, is_hub_reference
from bdmm.files.outside import parse_json
from bdmm.files.tensor_files import (
    Shape,
    check_tensors,
    read_safetensors,
    read_tensors,
    write_pth,
    write_safetensors,
)
from bdmm.network.generator import Generator
from bdmm.network.released import from_released, network_tensors, to_released

VERSION = 1
"""Format version that this code writes and the only one that it reads."""
FILE_NAME = "weights.safetensors"
"""Name of the weights inside the folder of a run."""
SHIPPED = ("layered",)
"""Networks whose trained weights come with the package; `weights_file` takes their names."""

_RENAMED = {
    "core.": "",
    "mix.": "head.mix.",
    "layers.": "head.layers.",
    "decoder.to_rgb.": "head.to_rgb.",
}
"""How names of tensors began in earlier files, and how they begin today."""
_MOST_BLOCKS = 6
"""More would pad every frame to at least 256 pixels a side."""
_MOST_CHANNELS = 2**14


def weights_file(weights: str | Path) -> Path:
    """Return where weights are.

    Args:
        weights: a file, the folder of a run, one of `SHIPPED` where no file is called so, or
            ``hf://OWNER/NAME@REVISION`` (`hub_file`).

    Raises:
        InputError: they are to come from a hub and cannot.
    """
    if is_hub_reference(weights):
        return hub_file(weights, FILE_NAME)
    path = Path(weights)
    if str(weights) in SHIPPED and not path.exists():
        return Path(str(files("bdmm.assets"))) / "weights" / f"{weights}.safetensors"
    return path / FILE_NAME if path.is_dir() else path


def save_weights(path: str | Path, state_dict: Mapping[str, Tensor], config: NetworkConfig) -> None:
    """Write a generator's weights and settings; the file appears whole or not at all.

    Args:
        path: where to write; an existing file is replaced.
        state_dict: of a `Generator` of this config, and what a conversion keeps with it.

    Raises:
        InputError: the path cannot be written.
    """
    network = network_tensors(state_dict)
    assert {name: tuple(value.shape) for name, value in network.items()} == shapes_of(config)
    description = {
        "version": VERSION,
        "config": dataclasses.asdict(config),
        "sha256": digest(state_dict),
    }
    metadata = {"bdmm": json.dumps(description, sort_keys=True)}
    write_safetensors(Path(path), state_dict, metadata)


def load_weights(path: str | Path) -> tuple[NetworkConfig, dict[str, Tensor]]:
    """Read a generator's settings and weights and check everything in the file.

    Args:
        path: a file that `save_weights` wrote, or what else `weights_file` knows.

    Returns:
        The settings, and the state dict that a `Generator` of them loads; on the CPU.

    Raises:
        InputError: the file is missing, not ours, damaged, of another version, or its tensors are
            not those of its settings; the sentence names the file and the first wrong tensor.
    """
    config, tensors = load_all(path)
    return config, network_tensors(tensors)


def load_all(path: str | Path) -> tuple[NetworkConfig, dict[str, Tensor]]:
    """Read as `load_weights` does, with the other tensors that a conversion kept."""
    path = weights_file(path)
    metadata, tensors = read_safetensors(path)
    description = _description(path, metadata)
    config = _config(path, description.get("config"))
    renamed = with_present_names(tensors)
    check_tensors(path, network_tensors(renamed), _shapes(path, config))
    if description.get("sha256") != digest(tensors):
        raise InputError(f"{path} is damaged: its numbers do not match its checksum.")
    return config, renamed


def with_present_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of a generator by the names that they have today."""
    return {_present_name(name): value for name, value in tensors.items()}


def _present_name(name: str) -> str:
    for old, new in _RENAMED.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def read_released(path: str | Path) -> tuple[NetworkConfig, dict[str, Tensor]]:
    """Read the paper's released generator, running nothing in its file.

    Args:
        path: a ``.pth`` or safetensors of the published names, with or without the ``module.``
            that multi-GPU training puts before each.

    Returns:
        The settings, and our tensors with those that a conversion keeps; for `save_weights`.

    Raises:
        InputError: the file is missing, damaged or hostile, or does not hold exactly the released
            generator; the sentence names the file and the wrong tensors.
    """
    path = Path(path)
    tensors = read_tensors(path)
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    try:
        return from_released(path, tensors)
    except InputError as error:
        raise InputError(f"This is not the paper's released generator: {error}") from error


def write_released(path: str | Path, config: NetworkConfig, tensors: Mapping[str, Tensor]) -> None:
    """Write a generator under the published names, as a ``.pth``.

    Raises:
        InputError: the generator is of another form, or the path cannot be written.
    """
    write_pth(Path(path), to_released(config, tensors))


def shapes_of(config: NetworkConfig) -> dict[str, Shape]:
    """Return the name and shape of every tensor of a generator, without making the numbers."""
    tensors = meta_generator(config).state_dict()
    return {name: tuple(value.shape) for name, value in tensors.items()}


def meta_generator(config: NetworkConfig) -> Generator:
    """Return a generator without numbers, on the meta device: tensors can be assigned to it."""
    with torch.device("meta"), _Undrawn():
        return Generator(config)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of a table of tensors: names, types, shapes and numbers."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()


class _Undrawn(TorchFunctionMode):
    """Leaves random numbers undrawn, for which the meta device would load a compiler for 2 s."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call everything but ``normal_`` and the initialisers that are named after it."""
        kwargs = kwargs or {}
        if func.__name__.endswith("normal_"):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _refuse(path: Path, reason: str) -> NoReturn:
    raise InputError(f"{path} is not a usable bdmm weights file: {reason}.")


def _description(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    if "bdmm" not in metadata:
        _refuse(path, "it lacks our description; for the paper's released weights, `bdmm convert`")
    try:
        description = parse_json(metadata["bdmm"])
    except ValueError:
        description = None
    if not isinstance(description, dict):
        _refuse(path, "its description is damaged")
    if description.get("version") != VERSION:
        version = description.get("version")
        _refuse(path, f"its format version is {version!r:.20} and this bdmm reads {VERSION}")
    return description


def _config(path: Path, settings: object) -> NetworkConfig:
    """Build the settings; one that a file does not name has its default."""
    if not isinstance(settings, dict):
        _refuse(path, "it holds no settings")
    defaults = {field.name: field.default for field in dataclasses.fields(NetworkConfig)}
    values = {}
    for name, value in present_settings(settings).items():
        if name not in defaults:
            _refuse(path, f"it has the setting {name!r:.40}, which this bdmm does not know")
        value = tuple(value) if isinstance(value, list) else value
        if not _is_like(value, defaults[name]):
            _refuse(path, f"its setting {name!r} is {value!r:.40}")
        values[name] = value
    try:
        return NetworkConfig(**values)
    except InputError as error:
        raise InputError(f"{path} is not a usable bdmm weights file: {error}") from error


def _is_like(value: object, default: object) -> bool:
    """Return whether a stranger's value has the default's type and a believable size."""
    if isinstance(default, tuple) and isinstance(value, tuple):
        return len(value) <= _MOST_BLOCKS and all(_is_like(item, 1) for item in value)
    if type(value) is not type(default):
        return False
    if isinstance(value, (int, float)):
        return abs(value) <= _MOST_CHANNELS  # also false for NaN
    return True


def _shapes(path: Path, config: NetworkConfig) -> dict[str, Shape]:
    """`shapes_of` for a stranger's settings."""
    try:
        return shapes_of(config)
    except (RuntimeError, ValueError):
        _refuse(path, "no network has its settings")
