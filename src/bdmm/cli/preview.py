"""The preview of a run: the same frames with every checkpoint, as `bdmm animate` shows them."""

import copy
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from bdmm.body.model import load_body
from bdmm.body.source_geometry import prepare_geometry
from bdmm.conditioning import condition
from bdmm.data.clip_store import PreparedClip
from bdmm.files.output_file import writing
from bdmm.inference.renderers import RENDERERS
from bdmm.inference.windows import schedule
from bdmm.media.pixels import to_pictures
from bdmm.media.video_writer import create_video
from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator
from bdmm.records import Source
from bdmm.shapes import Frames

SAMPLES = "samples"
_FRAMES = 12


class TrainingPreview:
    """Writes ``RUN/samples/STEP.mp4``: source, true frame and generated frame side by side.

    Args:
        clip: its first frames are shown, from its first stored source.
        run: folder of the run.
    """

    def __init__(self, clip: PreparedClip, run: Path) -> None:
        self._clip, self._folder = clip, run / SAMPLES

    def __call__(self, generator: nn.Module, step: int) -> Path:
        """Write the video of a step.

        Args:
            generator: with averaged weights; it is not changed.
            step: steps done.

        Raises:
            InputError: the disk is full.
        """
        assert isinstance(generator, Generator)
        clip = self._clip
        with writing(self._folder):
            self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{step:08d}.mp4"
        still = clip.frames(clip.info.sources[0].frame, clip.info.sources[0].frame + 1)
        start = 0
        with create_video(path, clip.info.fps) as video:
            for frames in render_clip_start(clip, generator):
                stop = start + len(frames)
                panels = (still.expand(len(frames), -1, -1, -1), clip.frames(start, stop), frames)
                for picture in to_pictures(torch.cat(panels, dim=-1)):
                    video.write(picture)
                start = stop
        return path


def render_clip_start(clip: PreparedClip, generator: Generator) -> Iterator[Frames]:
    """Yield the windows of a clip's first frames, from its first stored source.

    Args:
        clip: the clip.
        generator: its weights are used as `inference.renderers.load_network` uses them.
    """
    renderer = RENDERERS[generator.config.head](accelerate(copy.deepcopy(generator).cpu()))
    number = clip.info.sources[0].frame
    motion = clip.motion()
    source = Source(
        clip.frames(number, number + 1)[0],
        clip.foregrounds(number, number + 1)[0],
        clip.background(),
        motion[number : number + 1],
    )
    body = load_body(motion.body)
    geometry = prepare_geometry(body, source.pose, source.foreground)
    count = min(_FRAMES, len(motion))
    windows = (condition(body, geometry, motion[w], renderer.joints) for w in schedule(count))
    return renderer.render(source, geometry, windows)
