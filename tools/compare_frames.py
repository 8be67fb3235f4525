"""Frames of the shipped weights on two fixed clips, compared with a recording.

``python tools/compare_frames.py`` prints the largest difference of each clip in [-1, 1]. The
recording (every 16th row and column of 12 frames, float32) was made on 2026-11-30 on one thread
of a CPU with AVX-512. Another CPU, or another number of threads, rounds differently, and
the fit of the body turns that into a mean difference of about 0.02. ``--record`` makes it anew.
"""

import argparse
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

import bdmm
from bdmm.body.model import load_body
from bdmm.inference.prepare import InputOptions, Inputs, prepare
from bdmm.inference.render import render
from bdmm.inference.renderers import load_network
from bdmm_synth.clip import ClipRequest, render_clip

RECORDING = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "layered_frames.npz"
SAMPLE = Path(bdmm.__file__).parent / "assets" / "samples" / "person.jpg"
COUNT = 12
_THINNED = slice(8, None, 16)


def fixed_clips() -> Iterator[tuple[str, Inputs]]:
    """Yield the name and the inputs of each clip."""
    yield "sample_dance", prepare(SAMPLE, "dance", InputOptions(size=256))
    clip = render_clip(ClipRequest(seed=7, frames=COUNT), load_body())
    picture = np.ascontiguousarray(clip.frames_uint8[0])
    yield "rendered", prepare(picture, clip.motion, InputOptions(size=256))


def thinned_frames(inputs: Inputs) -> np.ndarray:
    """Return ``12 3 h/16 w/16`` pixels in [-1, 1] of the first frames."""
    windows = render(inputs, load_network("layered"))
    frames = islice(chain.from_iterable(window.frames for window in windows), COUNT)
    return torch.stack(list(frames))[:, :, _THINNED, _THINNED].cpu().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--record", action="store_true", help="write the recording anew")
    record = parser.parse_args().record
    torch.set_num_threads(1)
    frames: dict[str, Any] = {name: thinned_frames(inputs) for name, inputs in fixed_clips()}
    if record:
        np.savez_compressed(RECORDING, **frames)
        return
    with np.load(RECORDING) as recorded:
        for name, now in frames.items():
            away = np.abs(now - recorded[name])
            print(f"{name}: largest difference {away.max():.2e}, mean {away.mean():.2e}")


if __name__ == "__main__":
    main()
