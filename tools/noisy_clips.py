"""Make noisy copies of prepared clips: the same frames, poses as third-party estimators see them.

    python tools/noisy_clips.py people64-clean/ -o people64/ [--part 0 2]

Warps and heatmaps of a copy come from poses that err anew in every frame: the body's joints are off
by 1 to 3 px at 256, a tenth of the poses are missing and interpolated, some repeat the one before;
heatmaps lack joints, and left and right limbs are swapped now and then. The frames stay true, and
so does the pose of each source but for the error of its fit, which ``clip.json`` states. Warps are
stored finely, as a pixel of small frames is large. Rerun to resume.
"""

import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from pose_noise import PoseNoise, noisy_keypoints, noisy_motion

from bdmm.body.model import SkinnedBody, load_body
from bdmm.body.source_geometry import prepare_geometry
from bdmm.conditioning import body_keypoints, condition
from bdmm.data.cached_sources import perturb_fit
from bdmm.data.clip_store import (
    BACKGROUND,
    FOREGROUND,
    FRAMES,
    CachedSource,
    PreparedClip,
    file_of,
    find_clips,
    pack_keypoints,
    save_info,
)
from bdmm.data.compress import save_blocks
from bdmm.data.warp_codec import RUN, Quantisation, Warps, pack_run
from bdmm.errors import InputError
from bdmm.files.fingerprint import fingerprint
from bdmm.files.output_file import appearing, writing
from bdmm.media.motion_file import save_motion
from bdmm.records import Motion

_FINE = Quantisation(cell=1, step=0.0625, fallback=1)


@dataclass(frozen=True)
class Options:
    """What to make."""

    clips: Annotated[Path, tyro.conf.Positional]
    """A folder of prepared clips with stored sources."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of the copies."""
    jitter: tuple[float, float] = (1.0, 3.0)
    """Least and largest standard deviation of the joints in pixels at 256, drawn for each clip."""
    missing: float = 0.1
    """Share of a body's poses that are missing, and interpolated from their neighbours."""
    freeze: float = 0.05
    """Share of frames that repeat the pose before them."""
    drop: float = 0.08
    """Share of joints that heatmaps lack."""
    swap: float = 0.06
    """Share of frames whose heatmaps swap left and right arms, and legs."""
    seed: int = 0
    """Decides the noise, with each clip's name."""
    part: tuple[int, int] = (0, 1)
    """Make every N-th clip, from the I-th on: for several such processes."""


def main(options: Options) -> None:
    """Write the copies that are not there yet."""
    torch.set_num_threads(1)
    first, parts = options.part
    for folder in find_clips(options.clips)[first::parts]:
        copy = options.output / "clips" / folder.name
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_noisy_copy(PreparedClip(folder), copy, options)
            print(copy, flush=True)


def write_noisy_copy(clip: PreparedClip, folder: Path, options: Options) -> None:
    """Write a clip's noisy copy; its folder appears when it is complete.

    Raises:
        InputError: the clip has no stored sources, or is damaged.
    """
    if not clip.info.sources:
        raise InputError(f"The clip {clip.folder} has no stored sources: make it with one or more.")
    random = np.random.default_rng([options.seed, zlib.crc32(clip.info.name.encode())])
    true, body = clip.motion(), _body(clip.info.body)
    jitter = float(random.uniform(*options.jitter))
    of_body = PoseNoise(drop=options.missing, jitter=jitter, freeze=options.freeze)
    poses = noisy_motion(true, of_body, body, random)
    of_joints = PoseNoise(drop=options.drop, swap=options.swap)
    scale = min(clip.info.size) / 256
    points = noisy_keypoints(body_keypoints(body, poses), of_joints, scale, random)
    with appearing(folder, folder=True) as part, writing(folder):
        for name in (FRAMES, FOREGROUND, BACKGROUND):
            shutil.copyfile(clip.folder / name, part / name)
        save_motion(part / "clip.motion", poses)
        keypoints = {"0": pack_keypoints(points)}
        save_blocks(part / file_of("keypoints", ""), keypoints, {"frames": len(poses)})
        blocks = {
            f"{place}/{run}": block
            for place, one in enumerate(clip.info.sources)
            for run, block in enumerate(noisy_warps(clip, body, (true, poses), one, random))
        }
        save_blocks(part / file_of("warps", ""), blocks, {"sources": len(clip.info.sources)})
        info = replace(
            clip.info,
            truth=False,
            flagged=tuple(poses.flagged.nonzero().flatten().tolist()),
            files={
                path.name: (path.stat().st_size, fingerprint(path))
                for path in sorted(part.iterdir())
            },
        )
        save_info(part, info)


def noisy_warps(
    clip: PreparedClip,
    body: SkinnedBody,
    poses: tuple[Motion, Motion],
    source: CachedSource,
    random: np.random.Generator,
) -> Sequence[bytes]:
    """Return blocks of warps of one source frame onto noisy poses.

    Args:
        body: that the poses belong to.
        poses: the true ones, of which the source's fit is one but for its error; the noisy ones.
        source: the frame, and that error.
        random: decides how the fit errs.
    """
    true, noisy = poses
    frame = slice(source.frame, source.frame + 1)
    fit = perturb_fit(true[frame], body, source.error, random)
    geometry = prepare_geometry(body, fit, clip.foregrounds(frame.start, frame.stop)[0])
    driven, blocks = replace(noisy, shape=fit.shape), []
    for start in range(0, len(noisy), RUN):
        made = condition(body, geometry, driven[start : start + RUN])
        warps = Warps(source.frame, made.source_grid[0], made.state[0], made.fallback[0])
        blocks.append(pack_run(warps, level=_FINE))
    return blocks


@cache
def _body(name: str) -> SkinnedBody:
    return load_body(name)


if __name__ == "__main__":
    main(tyro.cli(Options))
