"""The documents name things that exist."""

import ast
import re
from pathlib import Path

import pytest

from bdmm.config import DISCRIMINATOR_PRESETS, LOSS_PRESETS, PRESETS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "bdmm"
EQUATIONS = (ROOT / "docs" / "equations.md").read_text()
REFERENCE = re.compile(r"`([\w/.]+\.py)::([\w.]+)`")
REFERENCES = sorted(
    {
        found
        for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for found in REFERENCE.findall(path.read_text())
    }
)


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


@pytest.mark.parametrize(("path", "name"), REFERENCES, ids="::".join)
def test_what_a_document_names_exists(path: str, name: str) -> None:
    assert name in _names(ast.parse((PACKAGE / path).read_text()).body)


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
