"""A motion, moved by a driver's own body or by a person, into a file of either kind."""

from pathlib import Path

from bdmm.export.bvh import write_bvh
from bdmm.export.gltf import write_glb
from bdmm.export.skeleton import Skeleton, skeleton_of
from bdmm.export.textured_person import body_of
from bdmm.records import Motion, Person


def export_motion(path: Path, motion: Motion, person: Person | None = None) -> Skeleton:
    """Write a motion; the file appears whole or not at all.

    Args:
        path: ending in .bvh or .glb.
        person: who moves; None: the driver's own body, without a texture.

    Returns:
        What was written.

    Raises:
        InputError: the motion has no frames or too many, or the path cannot be written.
    """
    body = texture = shape = None
    if person is not None:
        body, texture = body_of(person.to("cpu"))
        shape = person.photos[0].pose.shape
    skeleton = skeleton_of(motion, body, shape)
    if path.suffix.lower() == ".bvh":
        write_bvh(path, skeleton)
    else:
        write_glb(path, skeleton, texture)
    return skeleton
