"""Linear blend skinning: points that hang on posed bones by weights.

A point is given by its *features* on each bone, ``(w (X - J), w)``: what the bone's rotation and
its joint's posed position multiply. They are linear in the body's shape.
"""

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor


def skin(
    features: Float[Tensor, "*#b p n 4"], bones: Float[Tensor, "*#b n 3 4"]
) -> Float[Tensor, "*b2 p 3"]:
    """Return the posed points: ``sum over bones of bones @ features``.

    One matrix product where all poses share the features.

    Args:
        features: ``*b p 24 4`` from `point_features`; batch dimensions broadcast.
        bones: ``*b 24 3 4`` posed frames from `rotations.pose_bones`.
    """
    flat = rearrange(features, "... p n j -> ... p (n j)")
    frames = rearrange(bones, "... n i j -> ... i (n j)")
    return (frames @ flat.mT).mT


def point_features(
    points: Float[Tensor, "*#b p 3"],
    weights: Float[Tensor, "p n"],
    joints: Float[Tensor, "*#b n 3"],
) -> Float[Tensor, "*b2 p n 4"]:
    """Return what `skin` multiplies with the bones' frames.

    Args:
        points: ``*b p 3`` rest positions, metres.
        weights: ``p 24`` how much each bone carries each point; rows sum to one.
        joints: ``*b 24 3`` rest positions of the joints, metres.
    """
    arms = weights[..., None] * (points[..., None, :] - joints[..., None, :, :])
    return torch.cat((arms, weights[..., None].expand(*arms.shape[:-1], 1)), dim=-1)


def blend_vertices(
    vertices: Float[Tensor, "*#b v 3"],
    weights: Float[Tensor, "v n"],
    joints: Float[Tensor, "*#b n 3"],
    bones: Float[Tensor, "*#b n 3 4"],
) -> Float[Tensor, "*b2 v 3"]:
    """Return skinned vertices by blending the bones' transforms per vertex.

    The same as `skin` without its large features: better for few poses, and where each pose has
    vertices of its own.

    Args:
        vertices: ``*b v 3`` rest positions, metres.
        weights: ``v 24``, each row sums to one.
    """
    turn = bones[..., :3]
    shift = bones[..., 3] - (turn @ joints[..., None])[..., 0]
    transforms = torch.cat((turn, shift[..., None]), dim=-1)
    blended = (weights @ transforms.flatten(-2)).unflatten(-1, (3, 4))
    return (blended[..., :3] * vertices[..., None, :]).sum(-1) + blended[..., 3]


def dense_weights(
    bones: Int[Tensor, "v w"], weights: Float[Tensor, "v w"], count: int
) -> Float[Tensor, "v n"]:
    """Return ``v count`` skinning weights, each row summing to one, from the ``w`` largest."""
    dense = weights.new_zeros(bones.shape[0], count)
    dense.scatter_add_(1, bones, weights)
    return dense / dense.sum(dim=1, keepdim=True)
