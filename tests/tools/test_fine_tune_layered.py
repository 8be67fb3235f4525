"""The recipe of fine-tuning: samples of estimated clips with their truth, training, packing."""

import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("lightning_fabric")
sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))
import fine_tune_layered
import pack_weights

from bdmm.batch.run import Run
from bdmm.config import PRESETS
from bdmm.data.clip_store import PreparedClip
from bdmm.data.synth import SynthOptions, synthesise
from bdmm.losses.vgg19 import Vgg19, file_keys
from bdmm.network.weights import load_weights
from bdmm.training.settings import TRAIN_PRESETS


@pytest.mark.slow
def test_samples_training_resuming_and_packing(tmp_path, monkeypatch) -> None:
    options = SynthOptions(1, size=256, frames=12, sources=1, truth=False)
    synthesise(options, Run(tmp_path / "people"))
    features = {
        f"{file_keys()[name]}.{leaf}": value
        for name, layer in Vgg19(TRAIN_PRESETS["layered"].losses).convolutions.items()
        for leaf, value in layer.state_dict().items()
    }
    torch.save(features, tmp_path / "vgg.pth")

    def run(*words: str | Path) -> None:
        # Rendered clips stand for estimated ones: both have the same layout.
        given = [tmp_path / "people", tmp_path / "people", "-o", tmp_path / "run"]
        given += ["--weights", "layered", "--vgg", tmp_path / "vgg.pth", *words]
        monkeypatch.setattr(sys, "argv", ["fine_tune_layered.py", *map(str, given)])
        threads = torch.get_num_threads()
        fine_tune_layered.main()
        torch.set_num_threads(threads)

    run("--steps", "1")
    assert len(list((tmp_path / "run-samples").glob("*.safetensors"))) == 2
    run("--steps", "2")
    before, tuned = load_weights("layered")[1], load_weights(tmp_path / "run")[1]
    assert any(not torch.equal(before[name].float(), tuned[name]) for name in tuned)
    said = pack_weights.pack(
        [Path("layered"), tmp_path / "run"], tmp_path / "mean.safetensors", True
    )
    assert "SHA-256" in said
    config, mean = load_weights(tmp_path / "mean.safetensors")
    assert config == PRESETS["layered"]
    for name, value in mean.items():
        torch.testing.assert_close(value, ((before[name].float() + tuned[name]) / 2).half())


def test_true_foreground_is_cut_as_the_estimated_frames_were(tmp_path) -> None:
    synthesise(SynthOptions(1, size=64, frames=6, sources=1, truth=False), Run(tmp_path / "p"))
    (folder,) = (tmp_path / "p" / "clips").iterdir()
    clip = PreparedClip(folder)
    alpha = fine_tune_layered.true_alpha(clip, clip)
    torch.testing.assert_close(alpha, clip.foregrounds(0, len(clip)))
