"""Weights of the detectors that metrics need: which file, where to get it, and that it is it.

None ships. A number from other weights than the published ones is another metric, so a file counts
only with the published SHA-256, or with one that the user names.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from bdmm.errors import InputError
from bdmm.network.tensor_files import read_tensors

_CHUNK = 2**20


@dataclass(frozen=True)
class WeightFile:
    """A published file.

    Attributes:
        name: as it is published.
        what: for messages.
        url: where to get it.
        sha256: beginnings of the hashes that are accepted: whole ones, or the eight digits that
            the publisher puts into the file's name.
    """

    name: str
    what: str
    url: str
    sha256: tuple[str, ...]


_TORCHVISION = "https://download.pytorch.org/models"
_LPIPS = "https://github.com/richzhang/PerceptualSimilarity/tree/master/lpips/weights/v0.1"

BACKBONES = {
    "alex": WeightFile(
        "alexnet-owt-7be5be79.pth",
        "AlexNet's weights",
        f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
        ("7be5be79",),
    ),
    "vgg": WeightFile(
        "vgg16-397923af.pth",
        "VGG-16's weights",
        f"{_TORCHVISION}/vgg16-397923af.pth",
        ("397923af",),
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
    ),
    "vgg": WeightFile(
        "vgg.pth",
        "LPIPS's heads for VGG-16",
        f"{_LPIPS}/vgg.pth",
        (
            "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
            "4fbb0122b8b7c419838e12f9d9414a590916757773a1dc835cef7adef85e8933",
        ),
    ),
}
"""Version 0.1's heads as published, and the same tensors as safetensors."""


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits, read piece by piece."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def read_checked(
    path: str | Path, known: WeightFile, sha256: str | None = None
) -> tuple[dict[str, Tensor], str]:
    """Read a weights file whose hash is right; nothing in it is run.

    Args:
        path: safetensors or ``.pth``.
        known: what it should be.
        sha256: accept this hash instead of the published ones.

    Returns:
        (named tensors, the file's SHA-256).

    Raises:
        InputError: it is missing, another file, or damaged; the sentence says where to get it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{known.what} are not at {path}: get {known.name} from {known.url}.")
    try:
        found = sha256_of(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    accepted = known.sha256 if sha256 is None else (sha256.lower(),)
    if not found.startswith(accepted):
        raise InputError(
            f"{path} is not {known.what}: its SHA-256 is {found}, and should begin with "
            f"{' or '.join(begin[:16] for begin in accepted)}; get {known.name} from {known.url}."
        )
    return read_tensors(path), found
