"""Self-reenactment: a prepared clip gives the photo, the motion and the true frames.

The source is one frame of the clip, driven by the clip's own motion. All frames are made in order,
as recurrent networks need it; the source frame itself is not judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from bdmm.body.model import BodyModel, load_body
from bdmm.body.source_geometry import SourceGeometry, prepare_geometry
from bdmm.conditioning import condition, from_warps
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.inference.animate import on_device
from bdmm.inference.renderers import Renderer
from bdmm.inference.windows import schedule
from bdmm.media.pixels import to_frames, to_pictures
from bdmm.metrics.frame_metrics import FramePair, Region, pair_of
from bdmm.metrics.regions import PERSON, keypoint_regions, person_region
from bdmm.perception.background import remove_person
from bdmm.records import Conditions, Source
from bdmm.shapes import Foreground, Image

WHOLE = 0.02
"""Share of the frame that the person must at least fill in a frame that serves as source."""
_AT_ONCE = 24
"""True frames that are read together."""

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
        body = load_body(self._motion.body).to(renderer.device)
        geometry = prepare_geometry(body, source.pose, source.foreground)
        windows = self._windows(body, geometry, renderer)
        for window in renderer.render(source, geometry, windows):
            for generated in window:
                number, target, regions = next(truth)
                if number == self.source_frame:
                    continue
                name = f"{self.clip.info.name} frame {number}"
                pair = pair_of(name, generated.cpu(), target, regions)
                yield JudgedFrame(number, pair, keypoints[number])

    def _windows(
        self, body: BodyModel, geometry: SourceGeometry, renderer: Renderer
    ) -> Iterator[Conditions]:
        motion = on_device(self._motion, renderer.device)
        for frames in schedule(self.frame_count):
            conditions = condition(body, geometry, motion[frames], renderer.joints)
            if self._place is not None:
                conditions = self._stored(conditions, self._place, frames)
            yield conditions

    def _stored(self, conditions: Conditions, place: int, frames: slice) -> Conditions:
        """Return the conditions of stored warps, with the bones of those that are made anew."""
        warps, device = self.clip.warps(place, frames.start, frames.stop), conditions.state.device
        assert conditions.segment is not None
        return from_warps(
            warps.source_grid.to(device),
            warps.state.to(device),
            warps.filled.to(device),
            conditions.keypoints[0],
            conditions.joints,
            conditions.segment[0],
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
