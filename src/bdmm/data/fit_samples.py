"""Fits of rendered people beside the truth: what `perception.fit_refiner` learns from."""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.body.model import SkinnedBody
from bdmm.body.rasterize import rasterize
from bdmm.data.clip_store import PreparedClip
from bdmm.kernels.warp import warp
from bdmm.media.pixels import to_pictures
from bdmm.perception.body_fit import fit_motion
from bdmm.perception.fit_refiner import clothed_vertices, picture_fit
from bdmm.perception.mediapipe_pose import detect_clip
from bdmm.records import Motion

LEAST = 0.02
"""Share of the frame that a person must fill."""
FARTHEST = 15.0
"""Crop pixels of mean error beyond which a fit isn't to be refined but to be made again."""
_BEHIND = 0.06
"""Metres that a point may truly lie behind the surface that is drawn there and count as seen."""
_PHOTO = 4
"""The first maps: the photo and its foreground."""


@dataclass(frozen=True)
class FitSample:
    """Pictures of fits, and the flow from each body point to where the photo shows it.

    Attributes:
        maps: ``b 12 h w`` `FitPicture.maps`.
        flow: ``b 3 h1 w1`` at half the resolution: (x, y) in crop pixels, and 1 where the body is
            and the photo shows that point.
    """

    maps: Float[Tensor, "b 12 h w"]
    flow: Float[Tensor, "b 3 h1 w1"]

    def packed(self) -> dict[str, Tensor]:
        """Return the only sample of a batch in small numbers."""
        photo = ((self.maps[0, :_PHOTO] + 1) * 127.5).round().byte()
        return {"photo": photo, "body": self.maps[0, _PHOTO:].half(), "flow": self.flow[0].half()}

    @classmethod
    def unpacked(cls, parts: dict[str, Tensor]) -> "FitSample":
        """Return a batch of what `packed` gave, stacked."""
        photo = parts["photo"].float() / 127.5 - 1
        return cls(torch.cat((photo, parts["body"].float()), dim=1), parts["flow"].float())


def estimated_motion(clip: PreparedClip, body: SkinnedBody) -> Motion:
    """Return what the estimator and the fit make of a clip's frames.

    Raises:
        InputError: nobody is seen, or not for longer than a second.
    """
    sighting = detect_clip(to_pictures(clip.frames()), clip.info.fps)
    return fit_motion(
        sighting.landmarks, body, sighting.silhouettes, point_tracks=sighting.point_tracks
    )


def make_sample(
    body: SkinnedBody, fit: Motion, true: Motion, clip: PreparedClip, frame: int
) -> FitSample | None:
    """Return the sample of one frame of a clip, or None for one that nothing can be learned from.

    Args:
        body: that both poses belong to.
        fit: the pose that the network is shown.
        true: the true one.
        clip: that the frame belongs to.
        frame: its number.
    """
    foreground = clip.foregrounds(frame, frame + 1)[0]
    if float((foreground > 0.5).float().mean()) < LEAST:
        return None
    picture = picture_fit(body, fit, clip.frames(frame, frame + 1)[0], foreground)
    vertices = clothed_vertices(body, true, foreground)
    there = picture.face >= 0
    place = picture.drawn(body.faces, vertices)
    height, width = true.size
    column = place[..., 0].long().clamp(0, width - 1)
    row = place[..., 1].long().clamp(0, height - 1)
    front = rasterize(vertices[None], body.faces, true.size).depth[0][row, column]
    known = there & (place[..., 2] < front + _BEHIND * float(true.scale[0]))
    if not known.any():
        return None
    shift = picture.drawn(body.faces, vertices - picture.vertices)[..., :2]
    shift = shift * (picture.maps.shape[-1] / picture.side)
    if float(shift[known].norm(dim=-1).mean()) > FARTHEST:
        return None
    flow = torch.cat((shift, known[..., None].float()), dim=-1)
    return FitSample(picture.maps[None], picture.cropped(flow)[None])


def augmented(sample: FitSample, random: np.random.Generator) -> FitSample:
    """Return a batch in other colours, sharpness and places, some of it mirrored."""
    photo = _other_colours(sample.maps[:, :3], random)
    maps = torch.cat((photo, sample.maps[:, 3:]), dim=1)
    mirrored = torch.from_numpy(random.random(len(maps)) < 0.5)[:, None, None, None]
    maps = torch.where(mirrored, _mirrored(maps, (4, 7)), maps)
    flow = torch.where(mirrored, _mirrored(sample.flow, (0,)), sample.flow)
    return _turned(maps, flow, random)


def _other_colours(photo: Float[Tensor, "b 3 h w"], random: np.random.Generator) -> Tensor:
    def drawn(least: float, most: float, channels: int) -> Tensor:
        values = random.uniform(least, most, (len(photo), channels, 1, 1))
        return torch.from_numpy(values).float()

    photo = photo * drawn(0.7, 1.3, 3) * drawn(0.6, 1.3, 1) + drawn(-0.2, 0.2, 3)
    if random.random() < 0.3:
        share = float(random.uniform(0.35, 0.9))
        small = functional.interpolate(photo, scale_factor=share, mode="bilinear", antialias=True)
        photo = functional.interpolate(small, size=photo.shape[-2:], mode="bilinear")
    grain = random.normal(0, float(random.uniform(0, 0.06)), tuple(photo.shape))
    return (photo + torch.from_numpy(grain).float()).clamp(-1, 1)


def _mirrored(maps: Float[Tensor, "b c h w"], sideways: tuple[int, ...]) -> Tensor:
    """Return mirrored maps; channels that point sideways change their sign."""
    maps = maps.flip(-1)
    maps[:, sideways] *= -1
    return maps


def _turned(
    maps: Float[Tensor, "b 12 h w"], flow: Float[Tensor, "b 3 h1 w1"], random: np.random.Generator
) -> FitSample:
    """Turn, enlarge and shift all of it a little."""

    def drawn(least: float, most: float) -> Tensor:
        return torch.from_numpy(random.uniform(least, most, len(maps))).float()

    angle, larger = drawn(-0.3, 0.3), drawn(0.85, 1.1)
    cosine, sine = angle.cos(), angle.sin()
    rows = (
        torch.stack((cosine / larger, -sine / larger, drawn(-0.08, 0.08)), dim=1),
        torch.stack((sine / larger, cosine / larger, drawn(-0.08, 0.08)), dim=1),
    )
    back = torch.stack(rows, dim=1)

    def grid(values: Tensor) -> Tensor:
        return functional.affine_grid(back, list(values.shape), align_corners=False)

    turn = torch.stack((torch.stack((cosine, sine), 1), torch.stack((-sine, cosine), 1)), dim=1)
    photo = warp(maps[:, :_PHOTO], grid(maps), beyond="border")
    body = warp(maps[:, _PHOTO:], grid(maps), "nearest", "border")
    normal = torch.einsum("bij,bjhw->bihw", turn, body[:, 3:5])
    body = torch.cat((body[:, :3], normal, body[:, 5:]), dim=1)
    flow = warp(flow, grid(flow), "nearest")
    larger = rearrange(larger, "b -> b 1 1")
    pointed = torch.einsum("bij,bjhw->bihw", larger * turn, flow[:, :2])
    return FitSample(torch.cat((photo, body), dim=1), torch.cat((pointed, flow[:, 2:]), dim=1))
