"""FID's Inception-v3 with seeded weights; golden numbers by torch-fidelity 0.4 with the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bdmm.errors import InputError
from bdmm.files.fingerprint import fingerprint
from bdmm.metrics.inception import BLOCKS, FEATURES, Block, Inception
from bdmm.metrics.weight_files import INCEPTION, read_module

LOOKED_AT = [0, 400, 900, 1500, 2047]
GOLDEN = [0.0, 0.03017093427479267, 1.323641300201416, 0.0, 0.14768345654010773]
GOLDEN_MEANS = [0.41622138023376465, 0.4095977544784546]


@pytest.fixture(scope="module")
def tensors(seeded_weights):
    with torch.device("meta"):
        return seeded_weights(Inception())


@pytest.fixture(scope="module")
def network(tensors) -> Inception:
    with torch.device("meta"):
        inception = Inception()
    inception.load_state_dict(tensors, strict=False, assign=True)
    return inception.eval()


@pytest.fixture
def pictures() -> torch.Tensor:
    levels = np.random.default_rng(1).integers(0, 256, (2, 3, 139, 139), dtype=np.uint8)
    return (torch.from_numpy(levels).float() - 128) / 128


def test_it_has_the_published_number_of_weights(tensors) -> None:
    """Torchvision's 27,161,264 less the classifier's 2,049,000 and the side branch's 3,326,696."""
    weights = [value for name, value in tensors.items() if name.endswith(("weight", "bias"))]
    assert sum(value.numel() for value in weights) == 21_785_568


def test_blocks_yield_the_papers_channels() -> None:
    inputs, yielded = 192, []
    with torch.device("meta"):
        for branches in BLOCKS.values():
            inputs = Block(inputs, branches).channels
            yielded.append(inputs)
    assert yielded == [256, 288, 288, 768, 768, 768, 768, 768, 1280, 2048, 2048]


def test_features_equal_torch_fidelitys(network, pictures) -> None:
    features = network(pictures)
    assert features.shape == (2, FEATURES)
    np.testing.assert_allclose(features[0, LOOKED_AT], GOLDEN, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(features.mean(1), GOLDEN_MEANS, rtol=1e-4)
    assert torch.equal(features, network(pictures))


def test_average_pools_leave_padding_out_and_the_last_block_takes_the_maximum() -> None:
    average, last = BLOCKS["Mixed_7b"][3], BLOCKS["Mixed_7c"][3]
    with torch.device("meta"):
        blocks = [Block(1, (branch,)) for branch in (average, last)]
    corner = torch.zeros(1, 1, 4, 4)
    corner[0, 0, 0, 0] = 1
    for block, expected in zip(blocks, (0.25, 1.0), strict=True):
        weights = {name: torch.ones(value.shape) for name, value in block.state_dict().items()}
        weights["branch_pool.bn.bias"].zero_()
        weights["branch_pool.bn.running_mean"].zero_()
        block.load_state_dict(weights, assign=True)
        block.requires_grad_(False).eval()
        at_corner = float(block(corner)[0, 0, 0, 0])
        assert at_corner == pytest.approx(expected / 1.001**0.5, rel=1e-6)


def test_a_file_is_read_and_its_classifier_passed_over(tensors, network, pictures, tmp_path):
    path = tmp_path / "w.safetensors"
    counter = {"Mixed_5b.branch1x1.bn.num_batches_tracked": torch.tensor(0)}
    save_file(tensors | {"fc.weight": torch.zeros(8, 4)} | counter, path)
    known = replace(INCEPTION, sha256=(fingerprint(path),))
    loaded, sha256 = read_module(Inception, known, path)
    assert sha256 == fingerprint(path)
    assert torch.equal(loaded(pictures[:1]), network(pictures[:1]))
    with pytest.raises(InputError, match=r"is not the weights of FID's .* should be 6726825d0af5"):
        read_module(Inception, INCEPTION, path)
