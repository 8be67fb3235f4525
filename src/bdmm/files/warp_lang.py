"""Starts warp-lang, the compiler of our CPU and GPU kernels."""

import contextlib
import functools
import os
import tempfile
from pathlib import Path

import torch
import warp as wp

from bdmm.files.native_output import silent_stderr


@functools.cache
def start_warp() -> None:
    """Start warp-lang without its messages; do nothing from the second call on.

    Kernels are compiled at their first use (seconds). They are kept in ``WARP_CACHE_PATH``, in
    warp-lang's own cache folder, or, where neither can be written, in a private folder among the
    temporary files.
    """
    for name, value in {"quiet": True, "log_level": 40}.items():
        if hasattr(wp.config, name):
            setattr(wp.config, name, value)
    with contextlib.nullcontext() if torch.cuda.is_available() else silent_stderr():
        try:
            wp.init()
            writable = os.access(str(wp.config.kernel_cache_dir), os.W_OK)
        except OSError:
            writable = False
        if not writable:
            wp.config.kernel_cache_dir = str(_private_folder())
            wp.init()


def split_rows(
    shape: tuple[int, int, int], device: torch.device
) -> tuple[tuple[int, int, int], int]:
    """Return threads of a kernel over ``t h w``, and how many pixels of a row each works on.

    On a CPU whole rows: a thread copies all its arguments, which takes longer than most pixels.
    """
    count, rows, columns = shape
    return (shape, 1) if device.type == "cuda" else ((count, rows, min(columns, 1)), columns)


def _private_folder() -> Path:
    """Return a folder for kernels that nobody else can have put code into."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"bdmm-kernels-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if status.st_uid == user and not status.st_mode & 0o077 and not folder.is_symlink():
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="bdmm-kernels-"))
