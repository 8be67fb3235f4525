"""Which points of the body a photo shows, by the rules of the mesh flow."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.bones import ADJACENT
from bdmm.body.source_geometry import DEPTH_SLACK, SourceGeometry, SourceMaps
from bdmm.records import BONE_NAMES

_HEAD = BONE_NAMES.index("head")
_WITHIN_TWO_BONES = ADJACENT.float() @ ADJACENT.float() > 0


def shown(
    geometry: SourceGeometry,
    sample: SourceMaps,
    depth: Float[Tensor, "m"],
    bone: Int[Tensor, "m"],
) -> Bool[Tensor, "m"]:
    """Return which body points a photo shows, or would show if the fit's rim were exact.

    A point is shown where it lies in the photo, near the foreground's interior, and neither the
    z-buffer nor the uncertain outline of another limb hides it.

    Args:
        sample: the photo's maps at the points (`SourceGeometry.at`).
        depth: of the points, pixels.
    """
    unhidden = depth <= sample.deepest + geometry.pixels(DEPTH_SLACK)
    suspect = _behind_other_limb(geometry, sample, depth, bone)
    suspect &= ~ADJACENT.to(bone.device)[bone, sample.foremost_bone]
    return sample.inside & sample.near_interior & unhidden & ~suspect


def shown_bone(
    geometry: SourceGeometry, sample: SourceMaps, bone: Int[Tensor, "m"]
) -> Bool[Tensor, "m"]:
    """Return where a photo shows a bone or an adjacent one, front or back; never the head."""
    same = (sample.segment >= 0) & ADJACENT.to(bone.device)[bone, sample.segment]
    body = sample.on_mesh & (bone != _HEAD) & (sample.segment != _HEAD)
    unhidden = ~_behind_other_limb(geometry, sample, sample.deepest, bone)
    return sample.inside & sample.interior & same & body & unhidden


def _behind_other_limb(
    geometry: SourceGeometry,
    sample: SourceMaps,
    depth: Float[Tensor, "m"],
    bone: Int[Tensor, "m"],
) -> Bool[Tensor, "m"]:
    """Return which points lie behind a limb that is more than two bones away, or near it."""
    limb = sample.foremost_bone
    other = (limb >= 0) & ~_WITHIN_TWO_BONES.to(bone.device)[bone, limb]
    return other & (depth > sample.foremost + geometry.pixels(DEPTH_SLACK))
