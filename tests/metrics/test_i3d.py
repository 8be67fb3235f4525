"""I3D with seeded weights; golden numbers by piergiaj's conversion with the same ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdmm.errors import InputError
from bdmm.files.fingerprint import fingerprint
from bdmm.metrics.i3d import Inflated, max_pool_same, pad_same
from bdmm.metrics.weight_files import I3D, read_module

LOOKED_AT = [0, 100, 200, 300, 399]
GOLDEN = [3.80792236328125, 2.4034152030944824, -1.131012201309204, 4.281624794006348, 0.7992519]
GOLDEN_MEAN, GOLDEN_DEVIATION = 0.09416761249303818, 2.8150453567504883


@pytest.fixture(scope="module")
def tensors(seeded_weights):
    with torch.device("meta"):
        return seeded_weights(Inflated())


def test_it_has_the_published_number_of_weights(tensors) -> None:
    weights = {name: v for name, v in tensors.items() if name.endswith(("weight", "bias"))}
    assert sum(value.numel() for value in weights.values()) == 12_697_264
    no_scales = sum(v.numel() for name, v in weights.items() if not name.endswith("bn.weight"))
    assert 12.3e6 < no_scales < 12.7e6


def test_names_are_those_of_published_files(tensors) -> None:
    assert {
        "Conv3d_1a_7x7.conv3d.weight",
        "Conv3d_2c_3x3.bn.running_var",
        "Mixed_3b.b0.conv3d.weight",
        "Mixed_4f.b2b.bn.bias",
        "Mixed_5c.b3b.conv3d.weight",
        "logits.conv3d.weight",
        "logits.conv3d.bias",
    } <= set(tensors)
    assert tensors["Mixed_5c.b1b.conv3d.weight"].shape == (384, 192, 3, 3, 3)


def test_a_published_file_gives_piergiajs_logits(tensors, tmp_path) -> None:
    """Eleven frames: odd lengths try the padding."""
    path = tmp_path / "rgb_imagenet.pt"
    torch.save(tensors, path)
    known = replace(I3D, sha256=(fingerprint(path),))
    network, sha256 = read_module(Inflated, known, path)
    levels = np.random.default_rng(1).uniform(-1, 1, (1, 11, 3, 224, 224))
    logits = network(torch.from_numpy(levels.astype(np.float32)))[0]
    assert logits.shape == (400,)
    np.testing.assert_allclose(logits[LOOKED_AT], GOLDEN, rtol=1e-3)
    assert float(logits.mean()) == pytest.approx(GOLDEN_MEAN, rel=1e-3)
    assert float(logits.std()) == pytest.approx(GOLDEN_DEVIATION, rel=1e-4)
    assert sha256 == fingerprint(path)
    with pytest.raises(InputError, match=r"is not the weights of FVD's I3D.*should be 2609088c2e"):
        read_module(Inflated, I3D, path)


def test_padding_by_hand() -> None:
    """Ten frames at stride 2 by a kernel of 7 need 5 more, two before; 9 by stride 2 and 3: 2."""
    line = torch.arange(1.0, 11).reshape(1, 1, 10, 1, 1)
    padded = pad_same(line, (7, 1, 1), (2, 1, 1))
    assert padded.flatten().tolist() == [0, 0, *range(1, 11), 0, 0, 0]
    assert pad_same(line[:, :, :9], (3, 1, 1), (2, 1, 1)).shape[2] == 11
    assert pad_same(line, (2, 1, 1), (2, 1, 1)).shape[2] == 10
    pooled = max_pool_same(line, (3, 1, 1), (2, 1, 1))
    assert pooled.flatten().tolist() == [3, 5, 7, 9, 10]
