"""The documents name things that exist: links, files, functions, return types, commands, layers."""

import ast
import contextlib
import importlib
import inspect
import io
import re
import shlex
import tomllib
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bdmm.cli.app import parse
from bdmm.config import DISCRIMINATOR_PRESETS, LOSS_PRESETS, PRESETS
from bdmm.metrics.published import OURS, TABLE_1_FASHION, TABLE_1_IPER

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "bdmm"
EQUATIONS = (ROOT / "docs" / "equations.md").read_text()
HISTORY = {"log.md", "CHANGELOG.md"}
"""Documents whose entries keep the names and commands of their day."""
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((PACKAGE / "assets" / "weights").glob("*.md")),
]
CURRENT = [path for path in DOCUMENTS if path.name not in HISTORY]
PROGRAMS = [*sorted((ROOT / "tools").glob("*.py")), *sorted((ROOT / "recipes").glob("*.py"))]
REFERENCE = re.compile(r"`([\w/.]+\.py)::([\w.]+)`")
REFERENCES = sorted({found for path in CURRENT for found in REFERENCE.findall(path.read_text())})


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _names(body: list[ast.stmt], prefix: str = "") -> set[str]:
    """Every function, class, method, attribute and constant of a module, dotted."""
    names = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(prefix + node.name)
        if isinstance(node, ast.ClassDef):
            names |= _names(node.body, f"{prefix}{node.name}.")
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names |= {prefix + target.id for target in targets if isinstance(target, ast.Name)}
    return names


@pytest.mark.parametrize(("path", "name"), REFERENCES, ids=["::".join(r) for r in REFERENCES])
def test_what_a_document_names_exists(path: str, name: str) -> None:
    assert name in _names(ast.parse((PACKAGE / path).read_text()).body)


# --- links and files


def _anchors(text: str) -> set[str]:
    """Return the anchors that headings get: lower case, no punctuation, hyphens for spaces."""
    titles = re.findall(r"^#+ (.+)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = path.parent / name if name else path
        assert goal.exists(), f"{target}: no such file"
        if anchor:
            assert anchor in _anchors(goal.read_text()), f"{target}: no such heading"


MEMBERS = re.compile(r"((?:`\w+`(?:, | and )?)+) of `src/bdmm/([\w/]+\.py)`")


@pytest.mark.parametrize("path", CURRENT, ids=_name)
def test_members_of_files_exist(path: Path) -> None:
    for names, module in MEMBERS.findall(path.read_text()):
        known = _names(ast.parse((PACKAGE / module).read_text()).body)
        assert set(re.findall(r"\w+", names.replace(" and ", " "))) <= known, module


@pytest.mark.parametrize("path", CURRENT, ids=_name)
def test_files_named_exist(path: Path) -> None:
    places = (ROOT, ROOT / "src", PACKAGE)
    for name in re.findall(r"`((?:\w+/)+[\w.]+\.py|docs/\w+\.md)`", path.read_text()):
        if not name[0].isupper():
            assert any((place / name).exists() for place in places), f"{name}: no such file"


# --- names of the package, and what calls return


CALL = re.compile(
    r"(?P<name>\bbdmm(?:_synth)?(?:\.\w+)+)(?P<calls>(?:\([^()`]*\)(?:\.\w+)?)*)`"
    r"(?: -> `(?P<type>\w+)`)?"
)


def _resolve(dotted: str) -> Any:
    """Import the longest module of a dotted name and walk the rest."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError as error:
            if error.name is None or not dotted.startswith(error.name):
                raise
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise AttributeError(dotted)


def _returned(found: Any, calls: str) -> Any:
    """Follow ``(...)``, ``.method(...)`` and ``(...)`` again by their annotations."""
    for method in re.findall(r"\([^()]*\)(\.\w+)?", calls):
        if inspect.isclass(found):
            result = found
        else:
            function = found if inspect.isroutine(found) else found.__call__
            result = typing.get_type_hints(function).get("return")
        found = result
        if method:
            found = getattr(found, method[1:])
        elif inspect.isclass(found) and found.__dict__.get("__call__"):
            found = _Instance(found)
    return found.kind if isinstance(found, _Instance) else found


class _Instance:
    """Something of a class whose instances can be called."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.__call__ = kind.__call__  # pyright: ignore


CALLS = [
    (path, match["name"], match["calls"], match["type"])
    for path in CURRENT
    for match in CALL.finditer(path.read_text())
]


@pytest.mark.parametrize(
    ("path", "name", "calls", "kind"), CALLS, ids=[f"{p.name}-{n}" for p, n, _, _ in CALLS]
)
def test_dotted_names_exist_and_return_what_is_said(
    path: Path, name: str, calls: str, kind: str | None
) -> None:
    found = _resolve(name)
    if kind is not None:
        returned = _returned(found, calls)
        assert kind in getattr(returned, "__name__", str(returned)), (
            f"{name}{calls} returns {returned}, not {kind}"
        )


# --- commands


def _fenced(text: str) -> Iterator[str]:
    """Yield the lines of code blocks without a language or of a shell, continuations joined."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.M | re.S):
        if language in ("", "bash", "sh", "console"):
            yield from block.replace("\\\n", " ").splitlines()


def _indented(text: str) -> Iterator[str]:
    """Yield the lines that are indented by four spaces, outside fences."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("    "):
            yield line


def _command(line: str) -> str | None:
    """Return the command of a line without its prompt, comment or explanation."""
    line = line.strip().removeprefix("$ ")
    line = re.split(r"\s+#|\s{3,}", line)[0]
    if not line.startswith(("bdmm ", "python tools/", "python recipes/")) or "[" in line:
        return None
    return line


def _commands() -> Iterator[tuple[str, str]]:
    for path in CURRENT:
        text = path.read_text()
        for line in (*_fenced(text), *_indented(text)):
            if command := _command(line):
                yield path.name, command
    for path in PROGRAMS:
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        for line in _indented(docstring):
            if command := _command(line):
                yield path.name, command


COMMANDS = sorted(set(_commands()))
INLINE = sorted(
    {
        (path.name, command)
        for path in CURRENT
        for command in re.findall(
            r"`(bdmm \w+[^`]*|python (?:tools|recipes)/[^`]*)`", path.read_text()
        )
    }
)


@cache
def _options(*command: str) -> frozenset[str]:
    """Return the options that a subcommand's help names."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as end:
        parse([*command, "--help"])
    assert end.value.code == 0, f"bdmm {' '.join(command)}: no such command"
    return frozenset(re.findall(r"(?<![\w-])--?[a-z][\w-]*", printed.getvalue()))


def _check_options(words: list[str]) -> None:
    """Check the options of a command of which parts may be left out."""
    if words[0] == "bdmm":
        known = _options(words[1])
        if len(words) > 2 and re.fullmatch(r"[a-z]+", words[2]):
            with contextlib.suppress(AssertionError):
                known |= _options(words[1], words[2])
    else:
        program = ROOT / words[1]
        assert program.exists(), f"{words[1]}: no such program"
        text = program.read_text()
        known = {word for word in words if word in text}
        known |= {w for w in words if re.search(rf"\b{w.strip('-').replace('-', '_')}\b", text)}
        if "animate" in words[1]:
            known |= _options("animate")
    unknown = [w.split("=")[0] for w in words if re.match(r"--?[a-z]", w)]
    assert [w for w in unknown if w not in known] == [], " ".join(words)


@pytest.mark.parametrize(("document", "command"), COMMANDS, ids=[" ".join(c) for c in COMMANDS])
def test_commands_parse(document: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(command)
    _check_options(words)
    if words[0] == "bdmm" and "..." not in command:
        try:
            parse(words[1:])
        except SystemExit:
            pytest.fail(f"{document}: {command}\n{capsys.readouterr().err}")


@pytest.mark.parametrize(("document", "command"), INLINE, ids=[" ".join(c) for c in INLINE])
def test_commands_in_the_text_have_their_options(document: str, command: str) -> None:
    _check_options(shlex.split(re.sub(r"\s+", " ", command)))


# --- layers


def test_the_table_of_layers_equals_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c for c in contracts["contracts"] if c["type"] == "layers")["layers"]
    enforced = [set(re.findall(r"\w+", layer)) for layer in layers]
    table = (ROOT / "CONTRIBUTING.md").read_text().split("| layer | modules |")[1]
    rows = re.findall(r"^\| \d+ \|(.*)\|$", table.split("\n\n")[0], flags=re.M)
    written = [set(re.findall(r"`(\w+)`", row)) for row in rows]
    assert written == enforced, "CONTRIBUTING.md's table and pyproject.toml's contract differ"
    on_disk = {p.stem for p in PACKAGE.iterdir() if p.is_dir() or p.suffix == ".py"}
    rooms = on_disk - {"__init__", "__main__", "__pycache__", "assets"}
    assert rooms == set().union(*written), "every room has its layer"


# --- the walks


@pytest.mark.parametrize(("walk", "most"), [("frame of `animate`", 8), ("training step", 5)])
def test_a_walk_passes_few_files(walk: str, most: int) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    passage = re.split(rf"\*\*One {walk} is read in these (?:\w+ )?files:\*\*", text)[1]
    passage = passage.split("\n\n")[0]
    named = re.findall(r"`([\w/]+\.py)`", passage)
    assert 0 < len(set(named)) <= most
    assert all((PACKAGE / name).exists() for name in named)


# --- figures


def _figures(text: str) -> set[str]:
    return set(re.findall(r"\d*\.\d+", text))


def test_figures_of_the_network_are_the_same_in_all_documents() -> None:
    readme = (ROOT / "README.md").read_text()
    table = readme.split("| | source copied | coarse warp | network |")[1].split("\n\n")[0]
    for path in (ROOT / "docs/measurements.md", PACKAGE / "assets/weights/layered.md"):
        assert _figures(table) <= _figures(path.read_text()), path.name


def test_published_figures_are_the_published_ones() -> None:
    readme = (ROOT / "README.md").read_text()
    for table, dataset in ((TABLE_1_FASHION, "FashionVideo"), (TABLE_1_IPER, "iPER")):
        values = table.rows[OURS]
        ssim, psnr = f"{values['SSIM'].mean:.3f}".lstrip("0"), f"{values['PSNR'].mean:.3f}"
        assert f"| BDMM, as printed | {dataset} test set | {ssim} | {psnr} | paper |" in readme


def test_the_citation_has_the_package_s_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()


# --- the paper


def test_every_equation_and_figure_has_its_place_in_the_code() -> None:
    rows = dict(re.findall(r"^\| (\d+) \|(.*)\|$", EQUATIONS, flags=re.M))
    assert list(rows) == [str(number) for number in range(1, 14)]
    without_code = {number for number, row in rows.items() if not REFERENCE.search(row)}
    assert without_code == {"7"}, "equation 7 is equation 6 backwards"
    for number in (1, 2, 3):
        assert f"| figure {number} |" in EQUATIONS
    for number in range(1, 6):
        assert f"| supplement, figure {number} |" in EQUATIONS


PAIR = ("paper", "released")


@pytest.mark.parametrize("name", PAIR)
def test_losses_are_set_as_the_document_says(name: str) -> None:
    config = LOSS_PRESETS[name]
    assert (
        f"| adversarial {config.spatial_adversarial:g} and {config.temporal_adversarial:g}, "
        f"L1 {config.reconstruction:g}, perceptual {config.perceptual:g}, "
        f"style {config.style:g}, contextual {config.contextual:g} | both: published"
    ) in EQUATIONS
    assert ", ".join(config.perceptual_layers) in EQUATIONS
    assert ", ".join(config.contextual_layers) in EQUATIONS


def test_networks_are_set_as_the_document_says() -> None:
    joints = {name: PRESETS[name].joints for name in PAIR}
    assert joints == {"paper": 18, "released": 25}
    assert "| joints of the pose | 18 | 25 (BODY-25) |" in EQUATIONS
    slopes = {name: (PRESETS[name].slope, DISCRIMINATOR_PRESETS[name].slope) for name in PAIR}
    assert slopes == {"paper": (0.2, 0.2), "released": (0.1, 0.1)}
    assert "| negative slope of the leaky ReLUs | 0.2 | 0.1," in EQUATIONS


def test_the_layered_preset_is_what_the_document_says() -> None:
    network, losses = PRESETS["layered"], LOSS_PRESETS["layered"]
    widths = "-".join(map(str, network.widths))
    assert f"widths {widths}, style code of {network.style_size}" in EQUATIONS
    for name, weight in (
        ("L1 of the person's colours", losses.person),
        ("alpha", losses.alpha),
        ("synthesised pixels", losses.synthesis),
        ("not copied though seen", losses.copy),
    ):
        assert f"{name} {weight:g}" in EQUATIONS
