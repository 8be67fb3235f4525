"""The single door from a source and a motion to what networks and renderers are given."""

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor

from bdmm.body.camera import hide_face, project
from bdmm.body.mesh_flow import MeshFlow, mesh_flow, plane_turns
from bdmm.body.model import BodyModel
from bdmm.body.pose_heatmap import pose_heatmaps
from bdmm.body.rasterize import Raster, rasterize
from bdmm.body.rotations import chain
from bdmm.body.source_geometry import prepare_geometry
from bdmm.kernels.warp import warp
from bdmm.records import COCO18, Conditions, Motion, Source


class Conditioner:
    """Makes the conditions of any run of frames of one source.

    Frames are worked out one by one, so a run is the same whether it is asked for whole or in
    slices, bit for bit, and memory is bounded by the slice.

    Args:
        body: the body that source and motions belong to.
        source: the photo; its device is where the work is done.
        joints: which keypoints become heatmaps, `records.COCO18` or `records.BODY25`.
    """

    def __init__(self, body: BodyModel, source: Source, joints: Sequence[int] = COCO18) -> None:
        assert source.pose.body == body.name
        self.body = body.to(source.image.device)
        self.source = source
        self.joints = joints
        self.geometry = prepare_geometry(self.body, source.pose, source.foreground)

    def __call__(self, motion: Motion) -> Conditions:
        """Return the conditions of these frames.

        Args:
            motion: retargeted to the source (`body.retarget`): its shape, in pixels of its photo.
        """
        assert motion.size == self.geometry.size
        frames = [self._frame(motion[t : t + 1]) for t in range(len(motion))]
        return Conditions(*(torch.cat(parts) for parts in zip(*frames, strict=True)))

    def _frame(self, motion: Motion) -> tuple[Tensor, ...]:
        """Return the fields of `Conditions` for a motion of one frame."""
        posed = self.geometry.body.vertices(motion.shape[None], motion.rotations)
        vertices = project(posed, motion.scale, motion.translation)
        raster = rasterize(vertices, self.geometry.faces, motion.size)
        shrink = self.geometry.scale / motion.scale
        turns = plane_turns(self.geometry.orientations, chain(motion.rotations), shrink)
        flow = mesh_flow(self.geometry, raster, turns)
        return (
            pose_heatmaps(self._keypoints(motion, raster), motion.size, self.joints),
            flow.source_grid,
            flow.state,
            flow.filled,
            self._warped_foreground(flow),
            flow.segment,
        )

    def _keypoints(self, motion: Motion, raster: Raster) -> Tensor:
        """Return the body's keypoints; points of the face that the body hides are missing."""
        points = self.body.keypoints(motion.shape, motion.rotations)
        points = project(points, motion.scale, motion.translation)
        return hide_face(points, raster.depth, motion.scale)

    def _warped_foreground(self, flow: MeshFlow) -> Tensor:
        foreground = rearrange(self.source.foreground, "1 h w -> 1 1 h w")
        return warp(foreground, flow.source_grid)
