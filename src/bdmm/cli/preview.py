"""The preview of a run: the same frames with every checkpoint, as `bdmm animate` shows them."""

import copy
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from bdmm.data.clip_store import PreparedClip
from bdmm.files.output_file import writing
from bdmm.inference.prepare import Inputs, clip_inputs
from bdmm.inference.render import render
from bdmm.inference.renderers import NetworkRenderer
from bdmm.media.pixels import to_pictures
from bdmm.media.video_writer import create_video
from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator
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
        self._clip, self._folder, self._inputs = clip, run / SAMPLES, clip_start(clip)

    def __call__(self, generator: nn.Module, step: int) -> Path:
        """Write the video of a step.

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
            for frames in preview_frames(self._inputs, generator):
                stop = start + len(frames)
                panels = (still.expand(len(frames), -1, -1, -1), clip.frames(start, stop), frames)
                for picture in to_pictures(torch.cat(panels, dim=-1)):
                    video.write(picture)
                start = stop
        return path


def clip_start(clip: PreparedClip) -> Inputs:
    """Return the first frames of a clip as inputs, with its first stored source as the photo."""
    return clip_inputs(clip, clip.info.sources[0].frame, clip.motion()[:_FRAMES])


def preview_frames(inputs: Inputs, generator: Generator) -> Iterator[Frames]:
    """Yield the rendered windows; the generator is used as `load_network` uses its weights."""
    renderer = NetworkRenderer(accelerate(copy.deepcopy(generator)))
    for window in render(inputs, renderer):
        yield window.frames.cpu()
