"""Running the command line inside the test's own process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bdmm.cli.app import main


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
