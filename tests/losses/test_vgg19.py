import os
import pickle
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from bdmm.config import LOSS_PRESETS, LossConfig
from bdmm.errors import InputError
from bdmm.losses.contextual import contextual_loss
from bdmm.losses.objective import supervised_terms, weighted_sum
from bdmm.losses.perceptual import perceptual_loss, style_loss
from bdmm.losses.vgg19 import Vgg19, file_keys, load_vgg19, mean_activations

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
RELEASED = LOSS_PRESETS["released"]
SHALLOW = LossConfig(
    perceptual_layers=("relu1_1",), style_layers=("relu1_2",), contextual_layers=("conv2_1",)
)


def _recipe_weights(vgg: Vgg19) -> dict[str, Tensor]:
    noise = runpy.run_path(str(FIXTURES / "weights_recipe.py"))["noise"]
    files, weights = file_keys(), {}
    for name, convolution in vgg.convolutions.items():
        for leaf, parameter in convolution.named_parameters():
            shape = tuple(parameter.shape)
            spread = np.sqrt(2 / np.prod(shape[1:])) if leaf == "weight" else 0.1
            key = f"{files[name]}.{leaf}"
            weights[key] = torch.from_numpy(np.float32(spread) * noise(f"vgg/{key}", shape))
    return weights


def test_table_numbers_layers_as_torchvision_does() -> None:
    keys = file_keys()
    assert len(keys) == 16
    assert [keys[name] for name in ("1_1", "1_2", "2_1", "3_4", "5_4")] == [
        "features.0",
        "features.2",
        "features.5",
        "features.16",
        "features.34",
    ]


def test_vgg_losses_equal_the_published_ones(tmp_path: Path) -> None:
    kinds = tuple(f"relu{name}" for name in file_keys() if name <= "5_2")
    config = replace(RELEASED, perceptual_layers=kinds)
    weights = tmp_path / "vgg.safetensors"
    save_file(_recipe_weights(Vgg19(config)), weights)
    vgg = load_vgg19(weights, config).double()
    with np.load(FIXTURES / "losses.npz") as file:
        golden = {name: torch.from_numpy(file[name]) for name in file.files if "vgg" in name}
    image = golden["vgg/img_gen"].double().requires_grad_()
    ours, theirs = vgg(image), vgg(golden["vgg/img_target"].double())

    for name in kinds:
        # The release's relu3_2 is numerically relu3_3.
        if name != "relu3_2":
            mean, std, *_, channels, _, width = golden[
                f"vgg/feature_mean_std_shape/{name}"
            ].tolist()
            assert ours[name].shape[1::2] == (channels, width)
            assert ours[name].mean().item() == pytest.approx(mean, abs=1e-8)
            assert ours[name].std().item() == pytest.approx(std, abs=1e-8)
    losses = {
        "content": perceptual_loss(ours, theirs, RELEASED.perceptual_layers),
        "style": style_loss(ours, theirs, RELEASED.style_layers),
        "contextual": torch.stack(
            [contextual_loss(ours[name], theirs[name]) for name in RELEASED.contextual_layers]
        ).sum(),
    }
    for name, loss in losses.items():
        torch.testing.assert_close(loss, golden[f"vgg/{name}"], atol=1e-8, rtol=0)
    torch.stack(list(losses.values())).sum().backward()
    torch.testing.assert_close(image.grad, golden["vgg/grad_gen_of_sum"], atol=1e-8, rtol=0)


def test_network_is_no_deeper_than_the_losses_look_and_is_frozen() -> None:
    vgg = Vgg19(SHALLOW)
    assert list(vgg.convolutions) == ["1_1", "1_2", "2_1"]
    assert not any(p.requires_grad for p in vgg.parameters())
    features = vgg(torch.randn(1, 3, 16, 16))
    assert set(features) == {"relu1_1", "relu1_2", "conv2_1"}
    assert features["relu1_1"].min() == 0
    assert features["conv2_1"].min() < 0
    assert features["conv2_1"].shape == (1, 128, 8, 8)
    alone = replace(SHALLOW, style=0.0, contextual=0.0)
    assert list(Vgg19(alone).convolutions) == ["1_1"], "layers of a loss that is off are not read"


def test_imagenet_input_is_standardised_and_divisors_divide() -> None:
    plain = Vgg19(SHALLOW)
    fitted = Vgg19(replace(SHALLOW, imagenet_input=True, vgg_divisors=(("relu1_1", 4.0),)))
    fitted.load_state_dict(plain.state_dict())
    frames = torch.rand(1, 3, 16, 16) * 2 - 1
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    expected = plain((frames / 2 + 0.5 - mean) / std)
    torch.testing.assert_close(fitted(frames)["relu1_1"], expected["relu1_1"] / 4)
    torch.testing.assert_close(fitted(frames)["conv2_1"], expected["conv2_1"])


def test_divisors_measured_on_photos_give_layers_of_size_one() -> None:
    config = replace(SHALLOW, imagenet_input=True)
    vgg = Vgg19(config)
    photos = torch.rand(2, 3, 32, 32) * 2 - 1
    measured = tuple(mean_activations(vgg, photos).items())
    even = Vgg19(replace(config, vgg_divisors=measured))
    even.load_state_dict(vgg.state_dict())
    assert mean_activations(even, photos) == pytest.approx(dict.fromkeys(vgg.layers, 1.0))


def test_pth_and_half_precision_safetensors_load_alike(tmp_path: Path) -> None:
    weights = {key: value.half() for key, value in _recipe_weights(Vgg19(SHALLOW)).items()}
    weights["classifier.0.weight"] = torch.zeros(3)
    torch.save(weights, tmp_path / "vgg.pth")
    save_file(weights, tmp_path / "vgg.safetensors")
    one, two = (load_vgg19(tmp_path / f"vgg.{kind}", SHALLOW) for kind in ("pth", "safetensors"))
    for name, value in one.state_dict().items():
        assert value.dtype == torch.float32
        assert value.abs().max() > 0
        assert value.equal(two.state_dict()[name])


def test_real_weights_load(shared: Callable[[str], Path]) -> None:
    vgg = load_vgg19(shared("weights/vgg19_features_fp16.safetensors"), RELEASED)
    assert len(vgg.convolutions) == 14


@pytest.mark.parametrize("kind", ["absent", "layer missing", "shape", "nan", "noise", "pickle"])
def test_wrong_files_are_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "vgg.safetensors"
    weights = _recipe_weights(Vgg19(SHALLOW))
    if kind == "layer missing":
        del weights["features.2.bias"]
    if kind == "shape":
        weights["features.2.bias"] = torch.zeros(3)
    if kind == "nan":
        weights["features.2.bias"][5] = torch.nan
    if kind in ("layer missing", "shape", "nan"):
        save_file(weights, path)
    if kind == "noise":
        path.write_bytes(os.urandom(3000))
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"features.0.weight": Path("x")}))
    with pytest.raises(InputError) as caught:
        load_vgg19(path, SHALLOW)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.count("\n") == 0
    if kind in ("layer missing", "shape", "nan"):
        assert "features.2.bias" in sentence
    if kind == "absent":
        assert "vgg19-dcbb9e9d" in sentence


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(InputError, match="relu3_9"):
        Vgg19(replace(SHALLOW, style_layers=("relu3_9",)))


def test_objective_adds_frames_and_weighs_terms() -> None:
    vgg = Vgg19(SHALLOW)
    generated = torch.rand(1, 3, 3, 16, 16, requires_grad=True)
    target = torch.rand(1, 3, 3, 16, 16)
    terms = supervised_terms(generated, target, vgg, SHALLOW)
    alone = [
        supervised_terms(generated[:, i : i + 1], target[:, i : i + 1], vgg, SHALLOW)
        for i in range(3)
    ]
    for name, value in terms.items():
        torch.testing.assert_close(value, torch.stack([each[name] for each in alone]).sum())
    total = weighted_sum(terms | {"temporal_adversarial": torch.tensor(2.0)}, SHALLOW)
    by_hand = (
        5 * terms["reconstruction"]
        + 0.5 * terms["perceptual"]
        + 500 * terms["style"]
        + 0.1 * terms["contextual"]
        + 2 * 2
    )
    torch.testing.assert_close(total, by_hand)
    total.backward()
    assert generated.grad is not None
    assert (generated.grad.flatten(2).abs().amax(dim=2) > 0).all()
    zero = supervised_terms(target, target, vgg, SHALLOW)
    assert zero["reconstruction"] == zero["perceptual"] == zero["style"] == 0
