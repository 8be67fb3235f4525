"""Build the wheel, install it into an environment of its own, and run it there.

    python tools/check_wheel.py

Every file of the packages is in the wheel and nothing else is. The new environment holds the wheel
and the packages that it declares as dependencies, with theirs: linked from the environment that
runs this, so that an undeclared one is missing. There a video is made of the sample person, with
the network, and a command's help of each kind is shown. Needs setuptools.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bdmm", "bdmm_synth")
SCRIPT = """
import sys
from importlib.resources import files
from bdmm.media.motion_file import load_shipped, save_motion
assert not sys.argv[1] in str(files("bdmm")), "the sources were imported, not the wheel"
save_motion("short.motion", load_shipped("wave")[:3])
print(files("bdmm.assets") / "samples" / "person.jpg")
"""


def main() -> None:
    """Check the wheel; a failure ends with an error."""
    with tempfile.TemporaryDirectory() as name:
        wheel = build(ROOT / "dist")
        check_contents(wheel)
        environment = Path(name) / "environment"
        venv.create(environment, with_pip=False, symlinks=True)
        linked = link_dependencies(environment, wheel)
        run(sys.executable, "-m", "pip", "--quiet", "--python", environment / "bin" / "python",
            "install", "--no-deps", "--no-index", wheel)  # fmt: skip
        print(f"Installed with {len(linked)} packages that it depends on.")
        animate(environment, Path(name))


def build(folder: Path) -> Path:
    """Build the wheel and return it."""
    for old in folder.glob("bdmm-*.whl"):
        old.unlink()
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # setuptools packs what it left there
    run(sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--no-build-isolation",
        "-w", folder, ROOT)  # fmt: skip
    (wheel,) = folder.glob("bdmm-*.whl")
    print(f"{wheel.name}: {wheel.stat().st_size / 2**20:.1f} MiB")
    return wheel


def check_contents(wheel: Path) -> None:
    """Compare the wheel's files with those of the packages."""
    packed = set(zipfile.ZipFile(wheel).namelist())
    notes = {name for name in packed if ".dist-info/" in name}
    sources = {str(path.relative_to(ROOT / "src")) for path in source_files()}
    assert sources == packed - notes, sorted(sources ^ (packed - notes))
    assert any(name.endswith("licenses/LICENSE") for name in notes), "the licence is missing"
    assets = [name for name in sources if "/assets/" in name]
    print(f"{len(sources)} files, {len(assets)} of them assets; none missing, none too many.")


def source_files() -> Iterator[Path]:
    """Yield the files of the packages."""
    for package in PACKAGES:
        for path in (ROOT / "src" / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def link_dependencies(environment: Path, wheel: Path) -> set[str]:
    """Link what the wheel depends on, and what that depends on; return the names."""
    stated = zipfile.ZipFile(wheel).read(f"{wheel.name.rsplit('-', 3)[0]}.dist-info/METADATA")
    waiting = [line.split(": ", 1)[1] for line in stated.decode().splitlines()
               if line.startswith("Requires-Dist: ")]  # fmt: skip
    place = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    linked: set[str] = set()
    while waiting:
        needed = Requirement(waiting.pop())
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        if needed.name in linked:
            continue
        try:
            found = distribution(needed.name)
        except PackageNotFoundError:
            sys.exit(f"{needed.name} is not installed here.")
        linked.add(needed.name)
        waiting += found.requires or []
        for name in {file.parts[0] for file in found.files or () if file.parts[0] != ".."}:
            if not (place / name).exists():
                (place / name).symlink_to(Path(str(found.locate_file(name))))
    return linked


def animate(environment: Path, folder: Path) -> None:
    """Make a video by the installed command, far from the sources."""
    bin_ = environment / "bin"
    photo = run(bin_ / "python", "-P", "-c", SCRIPT, ROOT, cwd=folder).strip()
    options = ("-o", "out.mp4", "--size", "96", "--sheet", "sheet.png", "--quiet")
    print(run(bin_ / "bdmm", "animate", photo, "short.motion", *options, cwd=folder).strip())
    assert (folder / "out.mp4").stat().st_size > 0
    for command in ("synth", "train", "evaluate", "serve"):
        run(bin_ / "bdmm", command, "--help", cwd=folder)


def run(*words: object, cwd: Path = ROOT) -> str:
    """Run a command that must succeed; return what it printed."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=clean, stdout=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"{Path(str(words[0])).name} {words[1]} failed with {done.returncode}.")
    return done.stdout


if __name__ == "__main__":
    main()
