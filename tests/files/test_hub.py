"""Weights from a hub: its cache's layout on disk, and a hub on loopback."""

import hashlib
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from pathlib import Path

import pytest

from bdmm.errors import InputError, Notice
from bdmm.files.hub import hub_file, is_hub_reference
from bdmm.network.weights import load_weights, weights_file

constants = pytest.importorskip("huggingface_hub.constants")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHIPPED = Path(str(files("bdmm.assets"))) / "weights" / "layered.safetensors"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The hub's cache with one model; nothing beyond it is asked."""
    folder = tmp_path / "hub"
    model = folder / "models--someone--dancer"
    for part in ("blobs", "refs", f"snapshots/{COMMIT}/old"):
        (model / part).mkdir(parents=True)
    (model / "blobs" / "a1").write_bytes(SHIPPED.read_bytes())
    (model / "refs" / "v1.0").write_text(COMMIT)
    (model / "snapshots" / COMMIT / "weights.safetensors").symlink_to("../../blobs/a1")
    (model / "snapshots" / COMMIT / "old" / "x.safetensors").write_bytes(b"not weights")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return folder


@pytest.mark.parametrize("revision", ["v1.0", COMMIT])
def test_weights_in_the_cache_need_no_network(cache, revision):
    path = hub_file(f"hf://someone/dancer@{revision}", "weights.safetensors")
    assert path.read_bytes() == SHIPPED.read_bytes()
    config, tensors = load_weights(Path(f"hf://someone/dancer@{revision}"))
    assert config == load_weights("layered")[0]
    assert tensors.keys() == load_weights("layered")[1].keys()


def test_a_file_from_a_hub_is_checked_like_any_other(cache):
    reference = "hf://someone/dancer@v1.0/old/x.safetensors"
    assert weights_file(reference).name == "x.safetensors"
    with pytest.raises(InputError, match=r"x\.safetensors is not a whole safetensors file"):
        load_weights(reference)


@pytest.mark.parametrize(
    "reference",
    [
        "hf://someone/dancer",
        "hf://dancer@v1.0",
        "hf://someone/dancer@",
        "hf://../dancer@v1.0",
        "hf://someone/../other@v1.0",
        "hf://some..one/dancer@v1.0",
        "hf://10.0.0.1:80/a/b@v1",
        "hf://user@10.0.0.1/b@v1",
        "hf://http://10.0.0.1/b@v1",
        "hf://someone/dancer@v1.0/../../x.safetensors",
        "hf://someone/dancer@v1.0//x.safetensors",
        "hf://someone/dancer@v1.0/x.pth",
        "hf://someone/dancer@v1.0?x=.safetensors",
        "hf://someone/dancer@v 1",
        "hf://someone/dancer@v1.0/" + 300 * "a/" + "x.safetensors",
    ],
)
def test_anything_but_names_is_refused(cache, reference):
    assert is_hub_reference(reference)
    with pytest.raises(InputError, match="names no weights of a hub: write hf://OWNER"):
        hub_file(reference, "weights.safetensors")


def test_without_a_network_one_sentence(cache):
    words = "weights.safetensors of someone/other at v2 is not in the hub's cache and cannot be"
    with pytest.raises(InputError, match=words):
        load_weights("hf://someone/other@v2")


def test_without_the_extra_one_sentence(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"install the extra hub.*\[hub\]"):
        load_weights("hf://someone/dancer@v1.0")


class _Hub(BaseHTTPRequestHandler):
    """Knows `someone/dancer` at v1; says of anything else what the real one says."""

    content = SHIPPED.read_bytes()

    def do_HEAD(self) -> None:
        _, owner, name, *_ = parts = self.path.split("/")
        if (owner, name) != ("someone", "dancer"):
            return self._refuse(404, "RepoNotFound")
        if parts[4] not in ("v1", COMMIT):
            return self._refuse(404, "RevisionNotFound")
        if parts[5] not in ("weights.safetensors", "huge.safetensors"):
            return self._refuse(404, "EntryNotFound")
        huge = parts[5].startswith("huge")
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
        self.send_header("Content-Length", str(2**43 if huge else len(self.content)))
        self.end_headers()
        return None

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.content)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def loopback(cache, monkeypatch) -> Iterator[None]:
    server = HTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    yield
    server.shutdown()
    server.server_close()


def test_what_is_not_in_the_cache_is_fetched_once_and_said(loopback, cache):
    with pytest.warns(Notice, match=r"Fetching weights\.safetensors of someone/dancer at v1: 4\.4"):
        load_weights("hf://someone/dancer@v1")
    _Hub.content, before = b"changed", _Hub.content
    try:
        load_weights("hf://someone/dancer@v1")
    finally:
        _Hub.content = before


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("hf://someone/else@v1", "no model someone/else on the hub, or it is private or gated"),
        ("hf://someone/dancer@v9", "The model someone/dancer has no revision v9"),
        ("hf://someone/dancer@v1/b.safetensors", r"has no file b\.safetensors at v1"),
        ("hf://someone/dancer@v1/huge.safetensors", "has 8388608 MiB; at most 4096 MiB are fetche"),
    ],
)
def test_what_the_hub_does_not_have(loopback, reference, words):
    with pytest.raises(InputError, match=words):
        load_weights(reference)
