import subprocess
import sys
from pathlib import Path

import pytest

import bdmm as package
from bdmm.cli.rates import as_rate
from bdmm.errors import InputError


def test_help_needs_no_heavy_import():
    """Help comes at once: torch takes seconds to import."""
    code = (
        "import sys\n"
        "from bdmm.cli.app import main\n"
        "try:\n    main(['animate', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'ai_edge_litert', 'cv2', 'av', 'scipy', 'warp'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--paste-back" in done.stdout


@pytest.mark.parametrize("command", ["animate", "motion", "inspect", "convert", "version"])
def test_every_command_explains_itself(bdmm, command):
    outcome = bdmm(command, "--help")
    assert outcome.code == 0
    assert "usage: bdmm" in outcome.out


def test_the_version(bdmm):
    for arguments in (["version"], ["--version"]):
        outcome = bdmm(*arguments)
        assert (outcome.code, outcome.out) == (0, f"bdmm {package.__version__}\n")


def test_the_package_is_a_command_too():
    command = [sys.executable, "-m", "bdmm", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"bdmm {package.__version__}\n")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_standard_output_that_is_full_or_closed(arguments):
    command = [sys.executable, "-m", "bdmm", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    sentence = "bdmm: The result cannot be written to standard output: no space left on device.\n"
    assert (done.returncode, done.stderr) == (2, sentence)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read().endswith("standard output: it is closed.\n")
    assert process.wait() == 2


def test_examples_stand_on_lines_of_their_own(bdmm):
    lines = [line.strip() for line in bdmm("animate", "--help").out.splitlines()]
    assert "$ bdmm animate photo.jpg dance.mp4 -o out.mp4" in lines
    assert "$ bdmm animate photo.jpg --motion turn -o out.mp4" in lines


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Expected one of"),
        (["anmate"], "Available subcommands: animate"),
        (["animate", "a.jpg", "b.mp4"], "--output"),
        (["animate", "a.jpg", "b.mp4", "-o", "c.mp4", "--renderer", "corse"], "'coarse'"),
        (["animate", "a.jpg", "b.mp4", "-o", "c.mp4", "--root", "up"], "'relative'"),
        (["animate", "a.jpg", "b.mp4", "-o", "c.mp4", "--siz", "9"], "Perhaps you meant"),
        (["animate", "a.jpg", "b.mp4", "-o", "c.mp4", "--size", "big"], "--size"),
    ],
)
def test_unknown_options_and_values_end_with_2_and_a_hint(bdmm, arguments, words):
    outcome = bdmm(*arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert "Traceback" not in outcome.err


def test_rates_are_meant_exactly():
    assert [str(as_rate(rate)) for rate in (29.97, 23.976, 25.0, 59.94, 12.5, 30.0)] == [
        "30000/1001", "24000/1001", "25", "60000/1001", "25/2", "30"
    ]  # fmt: skip
    with pytest.raises(InputError):
        as_rate(float("nan"))
