"""The page in a real browser: Debian's chromium, driven by playwright."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image as Pillow

if find_spec("gradio") is None:
    pytest.skip("needs the extra serve", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra dev")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium"),
]
SECOND = 1000
LONG = 240 * SECOND
"""Milliseconds until something that takes work must have happened, on a busy machine."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-m", "bdmm", "serve", "--port", "0", "--folder", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield server.stdout.readline().split(": ")[0]
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: "playwright.Browser", address: str) -> Iterator["playwright.Page"]:
    """Return the page on a phone; nothing may be fetched from anywhere else, and nothing fail."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(60 * SECOND)
    foreign, errors = [], []
    page.on(
        "request",
        lambda one: one.url.startswith((address, "data:", "blob:")) or foreign.append(one.url),
    )
    page.on("pageerror", lambda one: errors.append(str(one)))
    page.goto(address, wait_until="domcontentloaded")
    page.wait_for_selector("#start")
    page.wait_for_selector("#motion input")
    yield page
    assert (foreign, errors) == ([], [])
    context.close()


def choose(page: "playwright.Page", group: str, name: str) -> None:
    page.locator(f"#{group} input[value='{name}']").check(force=True)


def make_small(page: "playwright.Page") -> None:
    page.get_by_label("Fast").check()
    page.get_by_role("button", name="More options").click()
    page.get_by_role("spinbutton", name="Size").fill("64")


def test_a_sample_photo_and_a_shipped_motion_become_a_video(page):
    choose(page, "sample", "person.jpg")
    choose(page, "motion", "walk")
    make_small(page)
    page.click("#start")
    page.wait_for_selector("#status progress")
    page.wait_for_selector("#seen img", timeout=LONG)
    page.wait_for_selector("#result video.made", timeout=LONG)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.pair video')].every(one => one.duration > 0)"
    )
    page.evaluate("() => { document.querySelector('video.made').currentTime = 1.5; }")
    page.wait_for_function("() => document.querySelector('video.driving').currentTime === 1.5")
    made, driving = page.evaluate(
        "() => ['made', 'driving'].map(name => document.querySelector('video.' + name).duration)"
    )
    assert made == pytest.approx(driving, abs=0.05)
    sheet = page.locator("#result .sheet img")
    assert sheet.evaluate("one => one.complete && one.naturalWidth") > 100
    with page.expect_download() as download:
        page.get_by_role("link", name="Video (.mp4)").click()
    assert Path(download.value.path()).read_bytes()[4:8] == b"ftyp"
    assert page.locator("#cancel").is_disabled()

    page.reload()  # the last result is shown again
    page.wait_for_selector("#result video.made")


def test_cancel_cancels(page):
    choose(page, "sample", "person2.jpg")
    choose(page, "motion", "dance")
    page.click("#start")
    page.wait_for_selector("#status progress")
    assert page.locator("#start").is_disabled()
    page.click("#cancel")
    page.wait_for_selector("#status >> text=Cancelled.")
    assert page.locator("#result video").count() == 0
    assert page.locator("#start").is_enabled()


def test_mistakes_are_told_where_they_were_made(page, tmp_path):
    page.click("#start")
    page.wait_for_selector("#seen >> text=Choose a photo first.")
    wall = tmp_path / "wall.png"
    Pillow.new("RGB", (200, 300), "grey").save(wall)
    page.locator("#photos input[type=file]").set_input_files(wall)
    page.wait_for_selector("#seen .mistake >> text=Nobody is seen in the photo", timeout=LONG)
    choose(page, "sample", "person.jpg")
    page.wait_for_selector("#seen .mistake", state="detached")
    fake = tmp_path / "dance.mp4"
    fake.write_bytes(b"\0\0\0 ftypisom" + bytes(100))
    page.locator("#driving input[type=file]").set_input_files(fake)
    page.wait_for_selector("#driving >> text=dance")
    make_small(page)
    page.click("#start")
    page.wait_for_selector("#driving-note .mistake", timeout=LONG)
    assert "dance.mp4" in page.locator("#driving-note .mistake").inner_text()


def test_the_keyboard_reaches_everything(page):
    page.locator("#sample input").first.focus()
    page.keyboard.press("Space")
    assert page.locator("#sample input").first.is_checked()
    page.locator("#motion input").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    assert page.locator("#motion input").nth(1).is_checked()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.closest('[id]')?.id"))
    assert "start" in reached


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_sticks_out_sideways(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
