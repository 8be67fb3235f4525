"""A tiny prepared clip of a person who slides to the right."""

import runpy
from pathlib import Path

import pytest

from bdmm.data.clip_store import PreparedClip

SLIDER = Path(__file__).parents[1] / "fixtures" / "sliding_person.py"


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "walk_1"
    runpy.run_path(str(SLIDER))["write_clip"](folder)
    return folder


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> PreparedClip:
    return PreparedClip(clip_folder)
