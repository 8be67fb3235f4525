"""The house's rules that a machine can check."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src"
PACKAGE = SOURCES / "bdmm"
MODULES = sorted([*PACKAGE.rglob("*.py"), *(SOURCES / "bdmm_synth").rglob("*.py")])
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".yaml", ".json", ""}


def _tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    return [ROOT / name for name in listing if (ROOT / name).is_file()]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCES)))
def test_a_file_holds_one_concept(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= 500, f"{path.name} has {lines} lines: split it"
    assert path.stem not in {"utils", "util", "common", "base", "helpers", "misc"}


def test_init_files_are_empty_but_the_root_one() -> None:
    filled = [
        p for p in MODULES if p.name == "__init__.py" and p.parent != PACKAGE and p.read_text()
    ]
    assert filled == []


def test_importing_the_package_is_free_and_exports_its_names() -> None:
    code = (
        "import sys, bdmm; assert not {'torch', 'ai_edge_litert'} & set(sys.modules);"
        "assert set(bdmm.__all__) == {'InputError', 'Person', 'animate'}; bdmm.InputError"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_grid_sample_has_one_caller_and_corners_are_never_aligned() -> None:
    callers = [p for p in MODULES if "grid_sample(" in p.read_text()]
    assert [p.name for p in callers] == ["warp.py"]
    for path in MODULES:
        assert not re.search(r"align_corners\s*=\s*True", path.read_text()), path


def test_nothing_is_unpickled_freely() -> None:
    for path in MODULES:
        text = path.read_text()
        assert not re.search(r"pickle\.loads?\(", text), path
        assert not re.search(r"allow_pickle\s*=\s*True", text), path
        for call in re.findall(r"torch\.load\([^)]*\)", text):
            assert "weights_only=True" in call, (path, call)


def test_public_functions_of_kernels_have_a_reference_twin() -> None:
    text = (PACKAGE / "kernels" / "modulated_deform_conv.py").read_text()
    names = {n.name for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)}
    assert {"modulated_deform_conv", "modulated_deform_conv_ref"} <= names


def test_readme_tree_equals_disk() -> None:
    readme = (ROOT / "README.md").read_text()
    block = readme.split("<!-- tree -->")[1].split("```")[1]
    named = set(re.findall(r"^    (\w+)(?:/|\.py)", block, flags=re.M))
    on_disk = {
        p.stem
        for p in PACKAGE.iterdir()
        if (p.is_dir() and p.name != "__pycache__") or p.suffix == ".py"
    } - {"__init__"}
    assert named == on_disk


def test_repository_speaks_of_the_project_alone() -> None:
    forbidden = re.compile(r"/(wor[k]|roo[t]|hom[e])/[a-z.]|/tm[p]/[a-z]")
    for path in _tracked():
        if path.suffix in TEXT_SUFFIXES and path.name != "LICENSE":
            match = forbidden.search(path.read_text(errors="ignore"))
            assert match is None, f"{path}: a path of one machine ({match})"


def test_shipped_files_are_small() -> None:
    for path in _tracked():
        size = path.stat().st_size
        assert size <= 7 * 2**20, f"{path} has {size / 2**20:.1f} MiB"
