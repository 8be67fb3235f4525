import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from bdmm.export.skeleton import Skeleton, skeleton_of
from bdmm.media.motion_file import load_shipped

TOOL = Path(__file__).parents[2] / "tools" / "measure_export.py"


@pytest.fixture(scope="session")
def readers() -> ModuleType:
    """What `tools/measure_export.py` reads files with: packages that are not ours."""
    specification = importlib.util.spec_from_file_location("measure_export", TOOL)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def walking() -> Skeleton:
    return skeleton_of(load_shipped("walk")[:20])
