"""The whole service: a process of its own, real jobs, kills and full disks."""

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("gradio") is None:
    pytest.skip("needs the extra serve", allow_module_level=True)
import av
import httpx

from bdmm.media.motion_file import load_motion, load_shipped, save_motion
from bdmm.media.video_reader import VideoReader
from bdmm.serve.settings import Limits

SAMPLE = Path(__file__).resolve().parents[2] / "src/bdmm/assets/samples/person.jpg"
SMALL = json.dumps({"preset": "fast", "size": 64})
ENDED = ("done", "failed", "cancelled")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen, str]]]:
    """Return a function that starts `bdmm serve` and returns its process and address."""
    servers = []

    def begin(*options: str) -> tuple[subprocess.Popen, str]:
        command = [sys.executable, "-m", "bdmm", "serve", "--port", "0"]
        command += ["--folder", str(tmp_path / "jobs"), *options]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        servers.append(server)
        assert server.stdout is not None
        return server, server.stdout.readline().split(": ")[0]

    yield begin
    for server in servers:
        server.kill()
        server.wait()


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**16))


def is_at_work(folder: Path) -> bool:
    """Return whether a process works in a folder."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (path / "cwd").readlink() == folder:
                return True
    return False


def ended(address: str, identity: str) -> dict:
    until = time.monotonic() + 280
    while time.monotonic() < until:
        job = httpx.get(f"{address}/v1/animations/{identity}", timeout=60).json()
        if job["state"] in ENDED:
            return job
        time.sleep(0.3)
    raise TimeoutError(job)


@pytest.mark.slow
def test_a_job_outlives_a_server_that_is_killed(start, tmp_path):
    save_motion(tmp_path / "short.motion", load_shipped("wave")[:6])
    files = [
        ("photos", ("me.jpg", SAMPLE.read_bytes())),
        ("driving", ("short.motion", (tmp_path / "short.motion").read_bytes())),
    ]
    server, address = start()
    sent = httpx.post(f"{address}/v1/animations", files=files, data={"options": SMALL}, timeout=60)
    identity = sent.json()["id"]
    time.sleep(2)
    server.send_signal(signal.SIGKILL)
    server.wait()
    again, address = start()
    job = ended(address, identity)
    assert (job["state"], job["message"]) == ("done", None)
    for name in ("video", "sheet", "motion"):
        (tmp_path / name).write_bytes(httpx.get(f"{address}{job['links'][name]}").content)
    video = VideoReader(tmp_path / "video")
    assert (video.frame_count, min(video.size)) == (6, 64)
    (tmp_path / "motion").rename(tmp_path / "again.motion")
    assert len(load_motion(tmp_path / "again.motion")) == 6
    peak = Path(f"/proc/{again.pid}/status").read_text().split("VmHWM:")[1].split()[0]
    assert int(peak) < 400 * 1024


@pytest.mark.slow
def test_two_servers_cannot_share_a_folder(start):
    start()
    second, address = start()
    assert (address, second.wait()) == ("", 2)


@pytest.mark.slow
def test_a_driver_that_is_too_long_and_a_result_that_is_too_large(serving, tmp_path):
    save_motion(tmp_path / "long.motion", load_shipped("wave")[:4])
    motion = (tmp_path / "long.motion").read_bytes()
    files = [("photos", ("me.jpg", SAMPLE.read_bytes())), ("driving", ("long.motion", motion))]
    for limits, said in (
        (Limits(frames=3), "long.motion has 4 frames; at most 3 are taken."),
        (Limits(file_bytes=1000), "could not be written: file too large"),
    ):
        folder = tmp_path / str(limits.frames)
        folder.mkdir()
        server = serving(folder=folder, limits=limits)
        sent = server.send(files=files, motion=[], options=SMALL)
        job = server.ended(sent.json()["id"])
        assert (job["state"], said in job["message"]) == ("failed", True), job
        server.stop()


@pytest.mark.slow
def test_a_disk_that_fills_up_while_a_job_runs(small_disk, serving):
    disk = small_disk("32m")
    server = serving(folder=disk)
    files = [("photos", ("me.jpg", SAMPLE.read_bytes()))]
    identity = server.send(files=files, options=SMALL).json()["id"]
    while not is_at_work(disk / "jobs" / identity):
        time.sleep(0.05)
    with pytest.raises(OSError, match="No space left"):
        fill(disk / "filler")
    until = time.monotonic() + 250
    while is_at_work(disk / "jobs" / identity) and time.monotonic() < until:
        time.sleep(0.2)
    (disk / "filler").unlink()
    job = server.ended(identity)
    assert job["state"] == "failed"
    assert "the disk is full" in job["message"]
    assert list((disk / "jobs" / identity / "result").iterdir()) == []
    server.stop()


@pytest.mark.slow
def test_a_full_disk_stops_nothing_but_what_needs_room(small_disk, serving):
    disk = small_disk("8m")
    server = serving(folder=disk)
    inspected = {"photo": ("me.jpg", b"\xff\xd8\xff and no more")}
    sent = server.client.post("/v1/inspections", files=inspected)
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        fill(filler)
    full = server.client.post("/v1/inspections", files=inspected)
    assert full.status_code == 507
    assert server.client.get("/healthz").status_code == 200
    filler.unlink()
    assert server.ended(sent.json()["id"], "inspections")["state"] == "failed"
    assert server.client.post("/v1/inspections", files=inspected).status_code == 202
    server.stop()


@pytest.mark.slow
def test_a_transparent_video_and_a_model(start):
    _, address = start()
    options = {"preset": "fast", "size": 64, "background": "transparent", "format": "webm"}
    sent = httpx.post(
        f"{address}/v1/animations",
        files=[("photos", ("me.jpg", SAMPLE.read_bytes()))],
        data={"motion": "walk", "options": json.dumps({**options, "model": True})},
        timeout=60,
    )
    job = ended(address, sent.json()["id"])
    assert job["state"] == "done", job["message"]
    video = httpx.get(address + job["links"]["video"], timeout=60)
    with av.open(io.BytesIO(video.content)) as container:
        said = {key.lower(): text for key, text in container.metadata.items()}
        marked = {key.lower(): text for key, text in container.streams.video[0].metadata.items()}
    assert "Generated media: made by bdmm" in said["comment"]
    assert marked["alpha_mode"] == "1"
    model = httpx.get(address + job["links"]["model"], timeout=60)
    assert model.headers["content-type"] == "model/gltf-binary"
    assert model.content.startswith(b"glTF")
