"""Detectors: found, refused, fetched and used. Networks have seeded weights."""

import hashlib
import http.server
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from safetensors.torch import save_file

from bdmm.config import LossConfig
from bdmm.errors import InputError
from bdmm.files.fingerprint import fingerprint
from bdmm.losses.vgg19 import Vgg19, file_keys
from bdmm.metrics import weight_files
from bdmm.metrics.detectors import KINDS, extract_features, open_detector, resized
from bdmm.metrics.protocols import PROTOCOLS
from bdmm.metrics.weight_files import (
    I3D,
    INCEPTION,
    MissingDetector,
    WeightFile,
    download_missing,
    find_weights,
)

PAPER, MODERN = PROTOCOLS["paper"], PROTOCOLS["modern"]


@pytest.fixture(autouse=True)
def _no_weights_of_this_machine(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv(weight_files.VARIABLE, raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


@pytest.fixture(scope="module")
def vgg19_file(tmp_path_factory, seeded_weights):
    """A file as deep as VGG-19 is, named as torchvision names its tensors."""
    with torch.device("meta"):
        vgg = Vgg19(LossConfig(perceptual_layers=("relu5_4",)))
    tensors = {}
    for name, value in seeded_weights(vgg).items():
        _, layer, leaf = name.split(".")
        tensors[f"{file_keys()[layer]}.{leaf}"] = value.half()
    path = tmp_path_factory.mktemp("detectors") / "vgg19.safetensors"
    save_file(tensors, path)
    return path


@pytest.mark.parametrize(("name", "file"), [("inception", INCEPTION.name), ("i3d", I3D.name)])
def test_what_is_missing_is_named_with_where_to_get_it(tmp_path, name, file) -> None:
    with pytest.raises(MissingDetector, match=rf"not computed: needs {file} \(.* get it from http"):
        open_detector(name, tmp_path, PAPER)
    assert issubclass(MissingDetector, InputError)


def test_files_are_looked_for_in_order(tmp_path, monkeypatch) -> None:
    hub, own = tmp_path / "hub" / "checkpoints", tmp_path / "own"
    hub.mkdir(parents=True)
    own.mkdir()
    (hub / INCEPTION.name).touch()
    assert find_weights(INCEPTION, own) == hub / INCEPTION.name
    assert find_weights(INCEPTION) == hub / INCEPTION.name
    (own / INCEPTION.other_names[0]).touch()
    assert find_weights(INCEPTION, own) == own / INCEPTION.other_names[0]
    monkeypatch.setenv(weight_files.VARIABLE, str(own))
    assert find_weights(INCEPTION) == own / INCEPTION.other_names[0]
    assert find_weights(INCEPTION, hub / INCEPTION.name) == hub / INCEPTION.name
    with pytest.raises(InputError, match="does not exist; make it first"):
        find_weights(INCEPTION, tmp_path / "nowhere")


def test_another_file_under_the_name_is_refused(tmp_path) -> None:
    (tmp_path / I3D.name).write_bytes(b"something else")
    with pytest.raises(InputError, match=r"is not the weights of FVD's I3D: its SHA-256 is") as e:
        open_detector("i3d", tmp_path, PAPER)
    assert not isinstance(e.value, MissingDetector)
    with pytest.raises(InputError, match="no detector 'clip'; choose one of inception, i3d, vgg19"):
        open_detector("clip", tmp_path, PAPER)


def test_vgg19_has_its_own_name_and_says_its_hash(vgg19_file) -> None:
    detector = open_detector("vgg19", vgg19_file.parent, PAPER)
    assert (detector.distance, detector.unit) == ("frechet_vgg19", "frame")
    assert detector.settings == {
        "detector": "vgg19",
        "sha256": fingerprint(vgg19_file),
        "resize": "antialiased to 224 x 224",
    }
    features = detector(torch.rand(1, 3, 48, 40) * 2 - 1)
    assert features.shape == (1, detector.dimension)
    assert features.dtype == torch.float32
    assert (features >= 0).all()
    assert features.std() > 0


def test_only_the_names_of_published_distances_are_theirs() -> None:
    assert {name: kind.distance for name, kind in KINDS.items()} == {
        "inception": "FID",
        "i3d": "FVD",
        "vgg19": "frechet_vgg19",
    }


class Means(torch.nn.Module):
    """Stands for a network: shows what a detector gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        self.shapes.append(tuple(frames.shape))
        return frames.flatten(1).mean(1, keepdim=True)


def test_clips_are_looked_at_one_by_one_at_the_networks_size() -> None:
    network = Means()
    clips = torch.rand(3, 4, 3, 20, 30)
    assert extract_features(network, 224, "bilinear", clips).shape == (3, 1)
    assert network.shapes == [(1, 4, 3, 224, 224)] * 3


def test_frames_are_looked_at_together() -> None:
    network = Means()
    extract_features(network, 299, "antialiased", torch.rand(3, 3, 20, 30))
    assert network.shapes == [(3, 3, 299, 299)]


@pytest.mark.parametrize("size", [(40, 52), (350, 320)])
def test_antialiased_is_pillows_bicubic_filter(size) -> None:
    frame = torch.rand(1, 3, *size) * 2 - 1
    expected = [
        np.asarray(Pillow.fromarray(plane.numpy()).resize((299, 299), Pillow.Resampling.BICUBIC))
        for plane in frame[0]
    ]
    ours = resized(frame, 299, "antialiased")[0]
    np.testing.assert_allclose(ours, np.stack(expected), atol=5e-7)


def test_bilinear_reads_four_neighbours_even_where_it_shrinks() -> None:
    """Two columns from eight: the places 1.5 and 5.5, no others."""
    frame = torch.tensor([0.0, 2, 4, 0, 0, 6, 2, 0]).expand(1, 3, 8, 8)
    assert resized(frame, 2, "bilinear")[0, 0, 0].tolist() == [3, 4]
    assert resized(frame, 8, "bilinear") is frame


@pytest.fixture
def served(tmp_path):
    """A published file on this machine's own web server."""
    content = bytes(range(256)) * 9000

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/file.pth":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/file.pth"
    yield WeightFile("file.pth", "weights", url, (hashlib.sha256(content).hexdigest(),))
    server.shutdown()
    server.server_close()


def test_a_download_is_checked_and_tells_how_far_it_is(served, tmp_path) -> None:
    told = []
    (path,) = download_missing([served], tmp_path, lambda *now: told.append(now))
    assert path == tmp_path / "file.pth"
    assert fingerprint(path) == served.sha256[0]
    assert told[-1] == ("Fetching file.pth", 2_304_000, 2_304_000)
    assert len(told) == 3
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["file.pth"]


def test_only_what_is_missing_is_fetched(served, tmp_path) -> None:
    (tmp_path / "here.pth").write_bytes(b"kept")
    here = replace(served, name="here.pth", url="http://nowhere.invalid/")
    told = []
    fetched = download_missing([here, served], tmp_path, lambda *now: told.append(now[0]))
    assert fetched == [tmp_path / "file.pth"]
    assert set(told) == {"Fetching file.pth"}
    assert (tmp_path / "here.pth").read_bytes() == b"kept"


def test_a_download_of_something_else_leaves_nothing(served, tmp_path) -> None:
    with pytest.raises(InputError, match=r"What came from http.* is not weights: its SHA-256"):
        download_missing([replace(served, sha256=("00",))], tmp_path)
    with pytest.raises(InputError, match=r"file\.pth could not be got from .*Not Found"):
        download_missing([replace(served, url=served.url + "x")], tmp_path)
    with pytest.raises(InputError, match="does not exist; make it first"):
        download_missing([served], tmp_path / "nowhere")
    assert not list(tmp_path.glob("*.pth"))
