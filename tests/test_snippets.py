"""The Python snippets of the documents run, one document after the other, in one process."""

import re
from importlib.resources import files
from itertools import islice
from pathlib import Path

import pytest

from bdmm.cli.app import main
from bdmm.media.image import read_image, resize_image, write_image
from bdmm.media.video_reader import VideoReader
from bdmm.media.video_writer import create_video

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPET = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^```python\n(?P<code>.*?)^```", re.M | re.S
)
"""A block of code; a comment on the line before it says why it is not run."""


def _snippets(path: Path) -> list[tuple[int, str]]:
    """Return (line number, code) of the blocks to run; each other one has its reason."""
    text = path.read_text()
    return [
        (text.count("\n", 0, found.start("code")), found["code"])
        for found in SNIPPET.finditer(text)
        if found["reason"] is None
    ]


WITH_CODE = [path for path in DOCUMENTS if _snippets(path)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the snippets name: a photo, a video, rendered clips."""
    place = tmp_path_factory.mktemp("snippets")
    samples = Path(str(files("bdmm.assets"))) / "samples"
    write_image(place / "photo.jpg", resize_image(read_image(samples / "person.jpg"), (240, 180)))
    sample = samples / "dance.mp4"
    video = VideoReader(sample)
    with create_video(place / "dance.mp4", video.fps, sound_from=sample) as short:
        for frame in islice(video, 4):
            short.write(frame)
    options = "--clips 1 --size 64 --frames 12 --sources 1 --no-truth --workers 0 --quiet"
    assert main(["synth", "-o", str(place / "people"), *options.split()]) == 0
    return place


@pytest.mark.parametrize("path", WITH_CODE, ids=lambda path: path.name)
def test_snippets_run(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    for line, code in _snippets(path):
        # Blank lines before the code give errors the document's line numbers.
        exec(compile("\n" * line + code, str(path), "exec"), names)


def test_the_readme_has_its_snippet() -> None:
    assert ROOT / "README.md" in WITH_CODE
