"""LPIPS against a plain NumPy reading of its paper; backbones have seeded weights."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bdmm.errors import InputError
from bdmm.files.fingerprint import fingerprint
from bdmm.metrics.lpips import BACKBONE_LAYERS, Backbone, Lpips, layer_distance, load_lpips
from bdmm.metrics.weight_files import BACKBONES, HEADS

CHANNELS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}
# Heights of the features of a 64 x 64 picture.
HEIGHTS = {"alex": (15, 7, 3, 3, 3), "vgg": (64, 32, 16, 8, 4)}


def seeded(network: str) -> Lpips:
    torch.manual_seed(7)
    lpips = Lpips(network)
    for convolution in lpips.backbone.features.values():
        torch.nn.init.kaiming_normal_(convolution.weight)
        torch.nn.init.normal_(convolution.bias, std=0.1)
    for head in lpips.heads:
        head.copy_(torch.rand_like(head))
    return lpips.eval()


def backbone_file(lpips: Lpips) -> dict[str, torch.Tensor]:
    """Tensors as torchvision's file has them, its classifier included."""
    tensors = {name: value.clone() for name, value in lpips.backbone.state_dict().items()}
    return tensors | {"classifier.6.bias": torch.zeros(1000)}


def heads_file(lpips: Lpips) -> dict[str, torch.Tensor]:
    return {
        f"lin{i}.model.1.weight": head[None, :, None, None].clone()
        for i, head in enumerate(lpips.heads)
    }


@pytest.fixture
def accept(monkeypatch) -> Callable[[dict, str, Path], None]:
    """Return a function that takes a file for the published one of a table."""

    def take(table: dict, name: str, path: Path) -> None:
        monkeypatch.setitem(table, name, replace(table[name], sha256=(fingerprint(path),)))

    return take


@pytest.fixture
def frames():
    return torch.rand(2, 2, 3, 64, 64) * 2 - 1


@pytest.mark.parametrize("network", BACKBONE_LAYERS)
def test_features_have_the_published_shapes(network) -> None:
    features = seeded(network).backbone(torch.randn(1, 3, 64, 64))
    assert tuple(f.shape[1] for f in features) == CHANNELS[network]
    assert tuple(f.shape[2] for f in features) == HEIGHTS[network]
    assert all((f >= 0).all() for f in features)


def test_backbones_have_the_published_numbers_of_weights() -> None:
    """Torchvision's counts without the classifier."""
    counts = {
        name: sum(p.numel() for p in Backbone(layers).parameters())
        for name, layers in BACKBONE_LAYERS.items()
    }
    assert counts == {"alex": 2_469_696, "vgg": 14_714_688}


@pytest.mark.parametrize("network", BACKBONE_LAYERS)
def test_distance_of_seeded_weights(network, frames) -> None:
    lpips = seeded(network)
    ours, theirs = frames
    distance = lpips(ours, theirs)
    assert distance.shape == (2,)
    assert (distance > 0).all()
    assert torch.equal(distance, lpips(ours, theirs))
    torch.testing.assert_close(distance, lpips(theirs, ours))
    assert torch.equal(lpips(ours, ours), torch.zeros(2))
    torch.testing.assert_close(distance[:1], lpips(ours[:1], theirs[:1]))


def test_distance_equals_plain_numpy_in_float64(frames) -> None:
    lpips = seeded("alex").double()
    ours, theirs = frames.double()
    expected = np.zeros(2)
    shift = np.array([-0.030, -0.088, -0.188])[:, None, None]
    scale = np.array([0.458, 0.448, 0.450])[:, None, None]
    features = [
        lpips.backbone(torch.from_numpy((x.numpy() - shift) / scale)) for x in (ours, theirs)
    ]
    for a, b, head in zip(*features, lpips.heads, strict=True):
        for i in range(2):
            x, y = a[i].numpy(), b[i].numpy()
            x = x / (np.sqrt((x**2).sum(0)) + 1e-10)
            y = y / (np.sqrt((y**2).sum(0)) + 1e-10)
            weighted = ((x - y) ** 2) * head.numpy()[:, None, None]
            expected[i] += weighted.sum(0).mean()
    np.testing.assert_allclose(lpips(ours, theirs).numpy(), expected, rtol=1e-10)


def test_one_depth_by_hand() -> None:
    """Unit vectors (.6, .8) and (1, 0): .16 and .64, weighted 2 and 3; the other place is equal."""
    ours = torch.tensor([[[[3.0, 5.0]], [[4.0, 0.0]]]])
    theirs = torch.tensor([[[[9.0, 2.0]], [[0.0, 0.0]]]])
    distance = layer_distance(ours, theirs, torch.tensor([2.0, 3.0]))
    assert float(distance) == pytest.approx((2 * 0.16 + 3 * 0.64) / 2)


def test_dark_features_give_no_nan() -> None:
    nothing = torch.zeros(1, 4, 2, 2)
    assert float(layer_distance(nothing, nothing, torch.ones(4))) == 0


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_files_load_with_their_hash(tmp_path, frames, ending, accept, monkeypatch) -> None:
    lpips = seeded("alex")
    backbone, heads = tmp_path / f"backbone.{ending}", tmp_path / f"heads.{ending}"
    save = torch.save if ending == "pth" else save_file
    save(backbone_file(lpips), backbone)
    save(heads_file(lpips), heads)
    accept(BACKBONES, "alex", backbone)
    accept(HEADS, "alex", heads)
    loaded = load_lpips("alex", backbone, heads)
    assert torch.equal(loaded(*frames), lpips(*frames))
    assert loaded.hashes == {
        "backbone": hashlib.sha256(backbone.read_bytes()).hexdigest(),
        "heads": hashlib.sha256(heads.read_bytes()).hexdigest(),
    }
    published = replace(BACKBONES["alex"], sha256=("7be5be79",))
    monkeypatch.setitem(BACKBONES, "alex", published)
    with pytest.raises(InputError, match=r"its SHA-256 is .* should be 7be5be79"):
        load_lpips("alex", backbone, heads)


@pytest.mark.parametrize("network", BACKBONE_LAYERS)
def test_published_heads_are_known_and_a_missing_backbone_says_where_to_get_it(
    shared, tmp_path, network, accept
) -> None:
    heads = shared(f"weights/lpips_heads_{network}.safetensors")
    with pytest.raises(InputError, match=r"are not at .*: get .*\.pth from https://download"):
        load_lpips(network, tmp_path / "absent.pth", heads)
    lpips = seeded(network)
    save_file(backbone_file(lpips), tmp_path / "own.safetensors")
    accept(BACKBONES, network, tmp_path / "own.safetensors")
    loaded = load_lpips(network, tmp_path / "own.safetensors", heads)
    assert all((head >= 0).all() and head.sum() > 0 for head in loaded.heads)


def test_heads_of_another_network_or_damaged_are_refused(shared, tmp_path, accept) -> None:
    with pytest.raises(InputError, match="is not LPIPS's heads for AlexNet"):
        load_lpips("alex", "any.pth", shared("weights/lpips_heads_vgg.safetensors"))
    (tmp_path / "cut.pth").write_bytes(b"PK\x03\x04 nothing")
    accept(HEADS, "alex", tmp_path / "cut.pth")
    with pytest.raises(InputError, match="damaged"):
        load_lpips("alex", "any.pth", tmp_path / "cut.pth")


def test_the_wrong_backbone_is_refused_by_its_tensors(tmp_path, accept) -> None:
    lpips = seeded("alex")
    tensors = backbone_file(lpips)
    del tensors["features.8.bias"]
    save_file(tensors, tmp_path / "b.safetensors")
    save_file(heads_file(lpips), tmp_path / "h.safetensors")
    accept(BACKBONES, "alex", tmp_path / "b.safetensors")
    accept(HEADS, "alex", tmp_path / "h.safetensors")
    with pytest.raises(InputError, match=r"lacks the tensor 'features\.8\.bias'"):
        load_lpips("alex", tmp_path / "b.safetensors", tmp_path / "h.safetensors")


def test_mistakes_are_told(frames) -> None:
    with pytest.raises(InputError, match="no network 'squeeze'"):
        Lpips("squeeze")
    with pytest.raises(InputError, match="at least 32 x 32"):
        seeded("alex")(frames[0, ..., :20], frames[1, ..., :20])
