"""Named tensors in files, from anyone: nothing in a file is ever run, and no file is half-written.

Reads safetensors, and PyTorch's ``.pth`` through its restricted unpickler, which knows tensors and
plain containers and refuses everything else.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from bdmm.errors import InputError
from bdmm.files.output_file import write_whole
from bdmm.files.outside import WEIGHTS, reading

Shape = tuple[int, ...]


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read (metadata, tensors) on the CPU.

    Raises:
        InputError: missing, truncated or not safetensors.
    """
    trouble = f"{path} is not a whole safetensors file: it is damaged or of another kind."
    with reading(path, WEIGHTS, trouble), safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def read_pth(path: Path) -> dict[str, Tensor]:
    """Read a ``.pth`` that holds one flat table of tensors, on the CPU, running nothing in it.

    Raises:
        InputError: missing, damaged, not such a table, or holding anything that could run code.
    """
    trouble = (
        f"{path} is not a plain PyTorch weights file: it is damaged, or holds more than "
        "tensors and was not opened, since such a file can run code."
    )
    with reading(path, WEIGHTS, trouble):  # the unpickler's own advice is to trust the file
        _check_archive(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, Mapping) or not all(map(_is_entry, content.items())):
        raise InputError(f"{path} does not hold one flat table of named tensors.")
    return {name: value.detach() for name, value in content.items()}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read named tensors from safetensors or ``.pth``; their first bytes decide.

    Raises:
        InputError: as `read_safetensors` and `read_pth`, or a name cannot be printed.
    """
    with reading(path, WEIGHTS), path.open("rb") as file:
        start = file.read(9)
    tensors = read_safetensors(path)[1] if start[8:9] == b"{" else read_pth(path)
    if not all(name.isprintable() for name in tensors):
        raise InputError(f"{path} names its tensors with characters that cannot be printed.")
    return tensors


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors and metadata; the file appears whole or not at all.

    Raises:
        InputError: the path cannot be written.
    """
    ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_whole(path, save(ready, metadata))


def write_pth(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a table of tensors as PyTorch does; the file appears whole or not at all.

    Raises:
        InputError: the path cannot be written.
    """
    content = io.BytesIO()
    torch.save({name: value.detach().cpu() for name, value in tensors.items()}, content)
    write_whole(path, content.getvalue())


def check_tensors(path: Path, tensors: Mapping[str, Tensor], shapes: Mapping[str, Shape]) -> None:
    """Check that a file holds exactly these floating-point tensors, all of them finite.

    Raises:
        InputError: naming the file and the first tensor that is missing, added, of another shape
            or type, or not finite.
    """
    for problem, names in (
        ("lacks", sorted(set(shapes) - set(tensors))),
        ("adds", sorted(set(tensors) - set(shapes))),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise InputError(f"{path} {problem} the tensor {names[0]!r:.99}{more}.")
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tuple(tensor.shape) != shape:
            raise InputError(
                f"In {path} the tensor {name!r} has shape {_times(tensor.shape)} "
                f"and should have {_times(shape)}."
            )
        if not tensor.is_floating_point():
            raise InputError(f"In {path} the tensor {name!r} does not hold real numbers.")
        if not bool(tensor.isfinite().all()):
            raise InputError(f"In {path} the tensor {name!r} holds values that are not finite.")


def _check_archive(path: Path) -> None:
    """Refuse a zip archive that unpacks to more than its own size; PyTorch never compresses.

    Raises:
        ValueError: it is one.
    """
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return
    with ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
            raise ValueError("a compressed archive")


def _is_entry(entry: tuple[object, object]) -> bool:
    name, value = entry
    if not (isinstance(name, str) and isinstance(value, Tensor)):
        return False
    plain = value.layout == torch.strided and not value.is_quantized and value.device.type == "cpu"
    return plain and value.nbytes <= value.untyped_storage().nbytes()


def _times(shape: Shape | torch.Size) -> str:
    return "x".join(map(str, shape)) or "scalar"
