"""Fixtures that every test may use."""

import os
import runpy
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch

from bdmm.data.clip_store import PreparedClip

# Workers run side by side: more threads than cores make tests up to ten times slower.
torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parents[1]
CHECKED = {"tests", "body", "kernels", "losses", "metrics", "network"}
"""Folders of tests in which shapes are checked, of the packages that `pyproject.toml` names."""


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Return a function that finds research material beside the repository, or skips the test."""
    folder = Path(os.environ.get("BDMM_SHARED", ROOT.parent / "shared"))

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"needs the research material {name} (set BDMM_SHARED to its folder)")
        return path

    return find


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _shapes_checked(request: pytest.FixtureRequest) -> None:
    """Check shapes at run time where functions of tensors are tested one by one.

    In tests of whole clips and commands, checking takes two fifths of the time.
    """
    jaxtyping.config.update("jaxtyping_disable", request.path.parent.name not in CHECKED)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that mounts a file system of a size such as ``6m``; only root may."""
    place = tmp_path / "disk"

    def mounted(size: str) -> Path:
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("no file system may be mounted here")
        return place

    yield mounted
    if place.is_mount():
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny prepared clip of a person who slides to the right."""
    folder = tmp_path_factory.mktemp("clips") / "walk_1"
    runpy.run_path(str(ROOT / "tests/fixtures/sliding_person.py"))["write_clip"](folder)
    return folder


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> PreparedClip:
    """Return that clip."""
    return PreparedClip(clip_folder)
