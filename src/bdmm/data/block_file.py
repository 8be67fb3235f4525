"""Named blocks of bytes in one safetensors file: read one by one, nothing in it is executed."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from bdmm.errors import InputError
from bdmm.files.output_file import writing

_KEY = "blocks"


def save_blocks(path: Path, blocks: Mapping[str, bytes], header: Mapping[str, Any]) -> None:
    """Write blocks.

    Args:
        path: the file; inside a folder that is not yet complete, so nothing is renamed.
        blocks: bytes by name.
        header: what JSON can hold.

    Raises:
        InputError: the disk is full and the like.
    """
    arrays = {name: np.frombuffer(block, np.uint8) for name, block in blocks.items()}
    data = save(arrays, {_KEY: json.dumps(dict(header), sort_keys=True)})
    with writing(path):
        path.write_bytes(data)


def load_header(path: Path) -> dict[str, Any]:
    """Return the header.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with safe_open(path, "numpy") as file:
            header = json.loads((file.metadata() or {})[_KEY])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged or missing: prepare the clip again.") from error
    if not isinstance(header, dict):
        raise InputError(f"{path} is damaged: prepare the clip again.")
    return header


def load_blocks(path: Path, names: Iterable[str]) -> list[bytes]:
    """Return some of the blocks.

    Raises:
        InputError: the file is damaged, or has no such block.
    """
    try:
        with safe_open(path, "numpy") as file:
            return [file.get_tensor(name).tobytes() for name in names]
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged or incomplete: prepare the clip again.") from error
