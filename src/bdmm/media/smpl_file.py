"""A user's own SMPL model file, ``.npz`` or ``.pkl``, read without running anything in it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bdmm.body.smpl import MODEL_ARRAYS, SHAPE_SIZE, VERTEX_COUNT, SmplBody, smpl_body
from bdmm.errors import InputError
from bdmm.files.array_file import SUFFIXES, as_numbers, read_arrays
from bdmm.records import BONE_NAMES, BONE_PARENTS


def read_smpl(path: str | Path) -> SmplBody:
    """Return the body of an SMPL model file.

    Args:
        path: the file that SMPL's site gives its licensees, ``.npz`` or ``.pkl``; of a pickle only
            data is read, and chumpy is not needed.

    Raises:
        InputError: the file cannot be read or is no SMPL model.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path} is not an SMPL model: give the .npz or .pkl file.")
    stored = read_arrays(path, MODEL_ARRAYS)
    missing = [name for name in MODEL_ARRAYS if name not in stored]
    if missing:
        raise InputError(f"{path} is not an SMPL model: it has no {missing[0]!r}.")
    arrays = {
        name: as_numbers(stored[name], np.float64, f"{path} is not an SMPL model: {name!r}")
        for name in MODEL_ARRAYS
    }
    _check(path, arrays)
    return smpl_body(arrays)


def _check(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise InputError unless the arrays have the shapes and the bones of SMPL."""
    bones = len(BONE_NAMES)
    wanted = {
        "v_template": (VERTEX_COUNT, 3),
        "posedirs": (VERTEX_COUNT, 3, 9 * (bones - 1)),
        "J_regressor": (bones, VERTEX_COUNT),
        "weights": (VERTEX_COUNT, bones),
        "kintree_table": (2, bones),
    }
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            raise InputError(
                f"{path} is not an SMPL model of {bones} joints: {name!r} has the shape "
                f"{arrays[name].shape} instead of {shape}."
            )
    shapes, faces = arrays["shapedirs"].shape, arrays["f"]
    if shapes[:2] != (VERTEX_COUNT, 3) or len(shapes) != 3 or shapes[2] < SHAPE_SIZE:
        raise InputError(f"{path} is not an SMPL model: 'shapedirs' has the shape {shapes}.")
    if faces.ndim != 2 or faces.shape[1] != 3 or not 0 <= faces.min() <= faces.max() < VERTEX_COUNT:
        raise InputError(f"{path} is not an SMPL model: 'f' is no list of triangles.")
    if tuple(arrays["kintree_table"][0, 1:]) != BONE_PARENTS[1:]:
        raise InputError(f"{path} is not an SMPL model: its joints form another tree.")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise InputError(f"{path} is damaged: it holds numbers that are not finite.")
