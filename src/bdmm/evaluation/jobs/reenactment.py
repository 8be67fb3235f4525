"""Self-reenactment: a prepared clip gives the photo, the motion and the true frames.

The source is one frame of the clip, driven by the clip's own motion. All frames are made in order,
as recurrent networks need it; the source frame itself is not judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.model import load_body
from bdmm.body.regions import nearest_pixel
from bdmm.conditioning import Conditioner
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.inference.animate import on_device
from bdmm.inference.renderers import Renderer
from bdmm.inference.windows import schedule
from bdmm.kernels.warp import warp
from bdmm.media.pixels import to_frames, to_pictures
from bdmm.metrics.frame_metrics import FramePair, Region, pair_of
from bdmm.metrics.regions import PERSON, keypoint_regions, person_region
from bdmm.perception.background import remove_person
from bdmm.records import BONE_NAMES, Conditions, PixelState, Source
from bdmm.shapes import Foreground, Image

WHOLE = 0.02
"""Share of the frame that the person must at least fill in a frame that serves as source."""
_AT_ONCE = 24
"""True frames that are read together."""
_ANOTHER_OUTLINE = 0.1
"""Share of the frame's height up to which two outlines of one body are looked for apart."""
_PELVIS = BONE_NAMES.index("pelvis")

BackgroundOf = Literal["clip", "source"]


@dataclass(frozen=True)
class Casting:
    """Who plays what in a clip.

    Attributes:
        source_frame: number of the frame that serves as the photo, from 0; the first usable one
            if None: its pose is trusted and the person fills `WHOLE` of it.
        cached: use the warps that are stored with the clip, of which the fit of the source carries
            the error that ``clip.json`` tells, in place of geometry that is worked out anew. The
            source frame is then one of those with stored warps.
        background: what lies behind the person: the ``clip`` picture of the place, to which all
            frames contributed, or the ``source`` frame with the person filled in, which is all
            that a photo tells.
        frames: at most so many of the clip, the first ones; all if None.
    """

    source_frame: int | None = None
    cached: bool = False
    background: BackgroundOf = "clip"
    frames: int | None = None


@dataclass(frozen=True)
class JudgedFrame:
    """A generated frame beside the true one.

    Attributes:
        number: of the frame in its clip, from 0.
        pair: both, with the regions of the true frame.
        keypoints: ``29 3`` that the person should show, in pixels of the frame; None where they
            are not known.
    """

    number: int
    pair: FramePair
    keypoints: Float[Tensor, "k 3"] | None = None


class Reenactment:
    """A clip whose frames any renderer can make again.

    Attributes:
        clip: the clip.
        source_frame: number of the frame that serves as the photo.
        source: that photo.
        frame_count: frames that are made.

    Args:
        clip: a prepared clip.
        casting: who plays what.

    Raises:
        InputError: no frame can serve as source, the chosen one can't, or a file is damaged.
    """

    def __init__(self, clip: PreparedClip, casting: Casting | None = None) -> None:
        self.clip = clip
        self._casting = casting or Casting()
        self.frame_count = min(len(clip), self._casting.frames or len(clip))
        self._place, self.source_frame = _choose_source(clip, self._casting)
        self._motion = clip.motion()
        self.source = self._read_source()

    def pairs(self, renderer: Renderer) -> Iterator[JudgedFrame]:
        """Yield generated frames beside the true ones, in bounded memory.

        Regions are drawn from the clip's foreground and keypoints, so they are the same for every
        renderer.

        Raises:
            InputError: a generated frame holds values that are not finite.
        """
        truth = self._truth()
        keypoints = self.clip.keypoints()
        source = on_device(self.source, renderer.device)
        conditioner = Conditioner(load_body(self._motion.body), source, renderer.joints)
        windows = self._windows(conditioner)
        for window in renderer.render(source, conditioner.geometry, windows):
            for generated in window:
                number, target, regions = next(truth)
                if number == self.source_frame:
                    continue
                name = f"{self.clip.info.name} frame {number}"
                pair = pair_of(name, generated.cpu(), target, regions)
                yield JudgedFrame(number, pair, keypoints[number])

    def _windows(self, conditioner: Conditioner) -> Iterator[Conditions]:
        motion = on_device(self._motion, conditioner.source.image.device)
        for frames in schedule(self.frame_count):
            conditions = conditioner(motion[frames])
            if self._place is not None:
                conditions = self._with_stored_warps(conditions, frames)
            yield conditions

    def _with_stored_warps(self, conditions: Conditions, frames: slice) -> Conditions:
        assert self._place is not None
        warps = self.clip.warps(self._place, frames.start, frames.stop)
        device = conditions.source_grid.device
        state = warps.state.to(device)
        body = (state == PixelState.VISIBLE) | (state == PixelState.HIDDEN)
        people = self.source.foreground.expand(len(conditions), -1, -1, -1)
        return replace(
            conditions,
            source_grid=warps.source_grid.to(device),
            state=state,
            filled=warps.filled.to(device),
            warped_foreground=warp(people, warps.source_grid).to(device),
            segment=_bones_of(body, conditions.segment),
        )

    def _truth(self) -> Iterator[tuple[int, Image, dict[str, Region]]]:
        keypoints = self.clip.keypoints()
        for start in range(0, self.frame_count, _AT_ONCE):
            stop = min(start + _AT_ONCE, self.frame_count)
            frames = self.clip.frames(start, stop)
            people = self.clip.foregrounds(start, stop)
            for number in range(start, stop):
                person = people[number - start, 0]
                regions = {PERSON: person_region((person * 255).round().byte().numpy())}
                regions |= keypoint_regions(keypoints[number], self.clip.info.size)
                yield number, frames[number - start], regions

    def _read_source(self) -> Source:
        number = self.source_frame
        image = self.clip.frames(number, number + 1)[0]
        foreground = self.clip.foregrounds(number, number + 1)[0]
        if self._casting.background == "clip":
            background = self.clip.background()
        else:
            background = _without_person(image, foreground)
        return Source(image, foreground, background, self._motion[number : number + 1])


def _bones_of(body: Bool[Tensor, "t h w"], segment: Int[Tensor, "t h w"]) -> Int[Tensor, "t h w"]:
    """Return the bone of another outline next to each of the body's pixels, -1 off the body.

    The stored warps' own body has errors on purpose: its outline must not be traded for a true one.
    """
    row, column = nearest_pixel(segment >= 0, reach=round(_ANOTHER_OUTLINE * segment.shape[1]))
    frame = torch.arange(len(segment), device=segment.device)[:, None, None]
    bone = torch.where(row >= 0, segment[frame, row.clamp(min=0), column.clamp(min=0)], _PELVIS)
    return torch.where(body, bone, -1)


def first_usable(clip: PreparedClip) -> int:
    """Return the first frame whose pose is trusted and that shows enough of the person.

    Raises:
        InputError: there is none.
    """
    flagged = set(clip.info.flagged)
    for start in range(0, len(clip), _AT_ONCE):
        people = clip.foregrounds(start, min(start + _AT_ONCE, len(clip)))
        for number, share in enumerate((people > 0.5).float().mean((1, 2, 3)).tolist(), start):
            if share > WHOLE and number not in flagged:
                return number
    raise InputError(f"No frame of the clip {clip.folder} shows the person well enough.")


def _choose_source(clip: PreparedClip, casting: Casting) -> tuple[int | None, int]:
    """Return (place among the stored warps or None, number of the source frame)."""
    wanted = casting.source_frame
    if wanted is not None and not 0 <= wanted < len(clip):
        raise InputError(
            f"The clip {clip.folder} has {len(clip)} frames, so none has the number {wanted}."
        )
    if not casting.cached:
        return None, first_usable(clip) if wanted is None else wanted
    stored = [one.frame for one in clip.info.sources]
    if not stored:
        raise InputError(f"The clip {clip.folder} has no stored warps: leave --cached out.")
    if wanted is not None and wanted not in stored:
        known = ", ".join(str(frame) for frame in stored)
        raise InputError(
            f"The clip {clip.folder} has no stored warps of frame {wanted}, only of {known}."
        )
    place = 0 if wanted is None else stored.index(wanted)
    return place, stored[place]


def _without_person(image: Image, foreground: Foreground) -> Image:
    photo = to_pictures(image[None])[0]
    return to_frames([remove_person(photo, foreground[0].numpy())])[0]
