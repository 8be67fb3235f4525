"""Print how much nearer refinement brings fits to the truth, on rendered people.

    python tools/measure_refining.py [--people 16] [--seed 70000]

*Perturbed* fits are true ones with errors of 1 to 5 pixels, *estimated* ones are what the pose
estimator and the fit of photos make of the frame. Errors are mean distances of the whole surface in
pixels at 256x256, shares the people whose fit came nearer.
"""

import warnings
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
import tyro

from bdmm.body.camera import project
from bdmm.body.model import AnnyBody, load_body
from bdmm.data.cached_sources import as_foreground, perturb_fit
from bdmm.data.synth import FIT_ERROR
from bdmm.errors import InputError, Notice
from bdmm.media.pixels import to_frames
from bdmm.perception.body_fit import fit_photo
from bdmm.perception.mediapipe_pose import detect_photo
from bdmm.perception.refine_fit import refine_photo
from bdmm.records import Motion
from bdmm_synth.clip import ClipRequest, render_clip

FRAMES, LOOKED_AT = 12, 6


@dataclass
class Options:
    """What to measure."""

    people: int = 16
    """How many rendered people."""
    seed: int = 70000
    """Of the first; those that weights were trained on have other ones."""


def main(options: Options) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", Notice)
    body = load_body()
    errors: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for seed in range(options.seed, options.seed + options.people):
        clip = render_clip(ClipRequest(seed, frames=FRAMES), body)
        random, picture = np.random.default_rng(seed), clip.frames_uint8[LOOKED_AT]
        true = clip.motion[LOOKED_AT : LOOKED_AT + 1]
        fits = {"perturbed": perturb_fit(true, body, float(random.uniform(*FIT_ERROR)), random)}
        try:
            detection = detect_photo(picture)
            fits["estimated"] = fit_photo(detection.landmarks, body, detection.silhouettes)
        except InputError as error:
            print(f"seed {seed}: {error}")
        image, foreground = to_frames([picture])[0], as_foreground(clip.foregrounds[LOOKED_AT])
        for kind, fit in fits.items():
            refined = refine_photo(body, fit, image, foreground)
            errors[kind].append((missed(body, fit, true), missed(body, refined, true)))
    for kind, pairs in errors.items():
        before, after = np.array(pairs).T
        print(
            f"{kind:<10} {len(pairs):3} people: {before.mean():.2f} -> {after.mean():.2f} px, "
            f"{np.mean(after < before):.0%} nearer"
        )


def missed(body: AnnyBody, motion: Motion, true: Motion) -> float:
    """Return the mean distance of two bodies' surfaces in the picture."""

    def places(one: Motion) -> torch.Tensor:
        return project(body.vertices(one.shape, one.rotations), one.scale, one.translation)[..., :2]

    return float((places(motion) - places(true)).norm(dim=-1).mean())


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
