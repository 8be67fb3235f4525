"""Running the command line inside the test's own process, with or without looking at photos."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bdmm.cli.app import main
from bdmm.media.image import resize_image, write_image
from bdmm.media.motion_file import load_shipped, save_motion


@dataclass(frozen=True)
class Outcome:
    """What a command did: exit code, what it printed, and which files it left in its folder."""

    code: int
    out: str
    err: str
    new_files: set[str]

    @property
    def sentence(self) -> str:
        """The last line on standard error, checked to be the only complaint."""
        lines = self.err.strip().splitlines()
        assert "Traceback" not in self.err
        assert sum(line.startswith("bdmm: ") for line in lines) == 1
        return lines[-1].removeprefix("bdmm: ")


@pytest.fixture
def bdmm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run a command in the test's folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Outcome:
        before = {str(path) for path in tmp_path.rglob("*")}
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        printed = capsys.readouterr()
        after = {str(path) for path in tmp_path.rglob("*")}
        new = {str(Path(name).relative_to(tmp_path)) for name in after - before}
        return Outcome(code, printed.out, printed.err, new)

    return run


@pytest.fixture
def quick_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a picture that is taken to show a person without being looked at."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    from quick_source import find_quickly, prepare_all_quickly, prepare_quickly

    monkeypatch.setattr("bdmm.inference.source_view.prepare_source", prepare_quickly)
    monkeypatch.setattr("bdmm.inference.source_view.prepare_sources", prepare_all_quickly)
    monkeypatch.setattr("bdmm.inference.source_view.detect_photo", find_quickly)
    noise = np.random.default_rng(0).integers(0, 255, (30, 20, 3)).astype(np.uint8)
    write_image(tmp_path / "photo.png", resize_image(noise, (300, 200)))
    return tmp_path / "photo.png"


@pytest.fixture
def short_motion(tmp_path: Path) -> Path:
    """Return a motion of 8 frames: a window and a rest."""
    save_motion(tmp_path / "short.motion", load_shipped("wave")[:8])
    return tmp_path / "short.motion"
