"""Try a server of `bdmm serve` by real HTTP clients, and print what came of it.

    python tools/measure_service.py --clients 50 --queue 20 --kills 10

Load: all clients send a job at the same time; those that were accepted are followed to their end.
One job in four is a real one (the sample photo, a motion of two frames, the coarse renderer at 64
pixels), the others hold a picture that cannot be decoded. "other answers" counts whatever is
neither 202 nor 429; "lost" counts accepted jobs without an end.
Kills: the server is killed by SIGKILL at random moments after jobs were sent, and started again in
the same folder. "survived" counts processes of jobs that lived on.
Bomb: a picture of 49 million pixels in 50 kB under a limit of memory that it breaks, then a job
that is none.
Exits with 1 if a job was lost, a process survived, or an answer was neither 202 nor 429.
"""

import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import tyro
from PIL import Image
from rich.console import Console
from rich.table import Table

from bdmm.media.motion_file import load_shipped, save_motion

SAMPLE = Path(__file__).resolve().parents[1] / "src" / "bdmm" / "assets" / "samples" / "person.jpg"
ENDED = ("done", "failed", "cancelled")
BROKEN = b"\xff\xd8\xff\xe0 and nothing that can be decoded"
REAL_EVERY = 4
BOMB_SIDE = 7000
BOMB_GIB = "0.6"


@dataclass
class Options:
    """How much to try."""

    clients: int = 50
    """Clients that send at the same time."""
    queue: int = 20
    """Places in the queue."""
    kills: int = 10
    """Kills of the server."""
    seed: int = 0
    """Decides the moments of the kills."""


class Served:
    """A server in a process of its own, in a folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "bdmm", "serve", "--port", "0", "--folder", str(folder)]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split(": ")[0]
        if not self.address:
            sys.exit("The server did not start.")

    def peak_mib(self) -> float:
        """Return the most memory that the server's own process has held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024

    def jobs(self) -> list[int]:
        """Return the processes of jobs."""
        children = f"/proc/{self.process.pid}/task"
        found = []
        for path in Path(children).glob("*/children"):
            with suppress(OSError):
                found += [int(one) for one in path.read_text().split()]
        return found

    def send(self, files: Sequence[tuple], size: int = 64) -> httpx.Response:
        """Send a job."""
        options = json.dumps({"preset": "fast", "size": size})
        url = f"{self.address}/v1/animations"
        return httpx.post(url, files=list(files), data={"options": options}, timeout=120)

    def follow(self, identities: Sequence[str], seconds: float = 1500) -> dict[str, dict]:
        """Return the jobs when all have ended, or the time is over."""
        until = time.monotonic() + seconds
        jobs: dict[str, dict] = {}
        with httpx.Client(base_url=self.address, timeout=60) as client:
            while len(jobs) < len(identities) and time.monotonic() < until:
                for one in identities:
                    if one not in jobs:
                        job = client.get(f"/v1/animations/{one}").json()
                        if job.get("state") in ENDED:
                            jobs[one] = job
                time.sleep(0.5)
        return jobs


@contextmanager
def served(folder: Path, *options: str) -> Iterator[Served]:
    """Run a server in a ``with`` statement."""
    server = Served(folder, *options)
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait()


def main(options: Options) -> int:
    """Try everything, print the tables, return the number of faults."""
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_motion(folder / "two.motion", load_shipped("wave")[:2])
        driving = ("driving", ("two.motion", (folder / "two.motion").read_bytes()))
        real = [("photos", ("person.jpg", SAMPLE.read_bytes())), driving]
        size = SAMPLE.stat().st_size  # equal sizes arrive at equal chances
        broken = [("photos", ("broken.jpg", BROKEN.ljust(size))), driving]
        faults += load(folder / "load", options, real, broken)
        faults += killed(folder / "kills", options, real, broken)
        faults += bomb(folder / "bomb", folder / "bomb.png", driving)
    return faults


def load(folder: Path, options: Options, real: Sequence[tuple], broken: Sequence[tuple]) -> int:
    """Let many clients send at once."""
    with served(folder, "--queue", str(options.queue)) as server:
        gate = threading.Barrier(options.clients)

        def one(number: int) -> httpx.Response:
            gate.wait()
            return server.send(real if number % REAL_EVERY == 0 else broken)

        began = time.monotonic()
        with ThreadPoolExecutor(options.clients) as threads:
            answers = list(threads.map(one, range(options.clients)))
        answered = time.monotonic() - began
        statuses = Counter(answer.status_code for answer in answers)
        accepted = [answer.json()["id"] for answer in answers if answer.status_code == 202]
        jobs = server.follow(accepted)
        peak = server.peak_mib()
    states = Counter(job["state"] for job in jobs.values())
    other = options.clients - statuses[202] - statuses[429]
    lost = len(accepted) - len(jobs)
    show(
        "load",
        clients=options.clients, queue=options.queue, accepted=statuses[202], busy=statuses[429],
        other_answers=other, done=states["done"], failed=states["failed"], lost=lost,
        all_answered_s=round(answered, 1), server_peak_MiB=round(peak),
    )  # fmt: skip
    return other + lost


def killed(folder: Path, options: Options, real: Sequence[tuple], broken: Sequence[tuple]) -> int:
    """Kill the server again and again, then let it finish."""
    moments = random.Random(options.seed)
    accepted: list[str] = []
    survived = 0
    for number in range(options.kills):
        server = Served(folder)
        timer = threading.Timer(
            moments.uniform(0, 10), server.process.send_signal, [signal.SIGKILL]
        )
        timer.start()
        with suppress(httpx.HTTPError):
            for files in (broken, real) if number % REAL_EVERY == 0 else (broken,):
                answer = server.send(files)
                if answer.status_code == 202:
                    accepted.append(answer.json()["id"])
        children: list[int] = []
        while server.process.poll() is None:
            children = server.jobs() or children
            time.sleep(0.02)
        time.sleep(0.5)
        survived += sum(Path(f"/proc/{child}/exe").exists() for child in children)
    with served(folder) as server:
        jobs = server.follow(accepted)
    states = Counter(job["state"] for job in jobs.values())
    untold = sum(job["state"] == "failed" and not job["message"] for job in jobs.values())
    show(
        "kills",
        kills=options.kills, accepted=len(accepted), done=states["done"],
        failed_with_sentence=states["failed"] - untold, lost=len(accepted) - len(jobs),
        survived=survived,
    )  # fmt: skip
    return len(accepted) - len(jobs) + survived + untold


def bomb(folder: Path, path: Path, driving: tuple) -> int:
    """Send a picture that takes more memory than a job may."""
    Image.new("L", (BOMB_SIDE, BOMB_SIDE)).save(path)
    with served(folder, "--memory-gib", BOMB_GIB) as server:
        photo = ("photos", ("bomb.png", path.read_bytes()))
        after = [("photos", ("broken.jpg", BROKEN)), driving]
        sent = [server.send([photo, driving]), server.send(after)]
        jobs = server.follow([one.json()["id"] for one in sent])
        alive = httpx.get(f"{server.address}/healthz").status_code == 200
    sentences = [job["message"] for job in jobs.values()]
    show("bomb", kB=path.stat().st_size // 1000, server_alive=alive, sentences="\n".join(sentences))
    return 2 - len(jobs) + (not alive)


def show(title: str, **values: object) -> None:
    """Print a row."""
    table = Table("", *(name.replace("_", " ") for name in values))
    table.add_row(title, *map(str, values.values()))
    Console(width=150).print(table)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)) > 0)
