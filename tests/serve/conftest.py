"""A server on loopback in a thread of the test's process; its jobs run in processes as always."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from bdmm.serve.crew import Crew

JPEG = b"\xff\xd8\xff\xe0 and nothing that can be decoded"
ENDED = ("done", "failed", "cancelled")


@dataclass
class Server:
    """A server and a client of it."""

    crew: "Crew"
    address: str
    client: "httpx.Client"
    stop: Callable[[], None] = lambda: None

    def send(self, **parts: Any) -> "httpx.Response":
        """Send an animation of a file that is no picture, changed by the parts given."""
        files = parts.pop("files", [("photos", ("me.jpg", JPEG))])
        return self.client.post("/v1/animations", files=files, data={"motion": "wave", **parts})

    def ended(self, identity: str, kind: str = "animations", seconds: float = 250) -> Any:
        """Return a job when it has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            job = self.client.get(f"/v1/{kind}/{identity}").json()
            if job["state"] in ENDED:
                return job
            time.sleep(0.1)
        raise TimeoutError(identity)


@contextmanager
def running(folder: Path, works: bool, settings: dict[str, Any]) -> Iterator[Server]:
    import httpx
    import uvicorn

    from bdmm.serve.api import create_api
    from bdmm.serve.crew import Crew
    from bdmm.serve.guard import Guard
    from bdmm.serve.server import listening
    from bdmm.serve.settings import Settings

    chosen = Settings(folder, **settings)
    crew = Crew(chosen)
    if not works:
        crew.start = lambda: None
    application = Guard(create_api(crew), chosen.token, chosen.limits.upload_bytes)
    config = uvicorn.Config(application, log_level="error", ws="none")
    server = uvicorn.Server(config)
    with listening("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with httpx.Client(base_url=address, timeout=60) as client:
                yield Server(crew, address, client)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server in the test's folder.

    One that does not work leaves everything in the queue.
    """
    with ExitStack() as stack:

        def start(works: bool = True, folder: Path = tmp_path, **settings: Any) -> Server:
            server = stack.enter_context(running(folder, works, settings))
            server.stop = stack.close
            return server

        yield start
