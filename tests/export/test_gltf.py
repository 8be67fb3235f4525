"""glTF files, read by pygltflib and checked by Khronos' validator."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import torch

from bdmm.export.gltf import write_glb
from bdmm.export.skeleton import skeleton_of
from bdmm.media.motion_file import load_shipped

VALIDATOR = "gltf-validator@2.0.0-dev.3.10"
SCRIPT = """
const validator = require('gltf-validator'), fs = require('fs');
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[2])))
  .then(report => console.log(JSON.stringify(report.issues)));
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory, walking, readers):
    path = tmp_path_factory.mktemp("glb") / "a.glb"
    write_glb(path, walking, np.full((64, 64, 3), (200, 90, 40), np.uint8))
    return readers.Glb(path)


def corners(body):
    pairs = torch.stack((body.faces, body.face_uv), dim=-1).reshape(-1, 2)
    return torch.unique(pairs, dim=0).numpy()


def test_another_reader_sees_our_joints(read, walking):
    ours = walking.positions().numpy()
    for frame in (0, 7, 19):
        joints = read.joints(read.times[frame])[:, :3, 3]
        assert np.abs(joints - ours[frame]).max() < 1e-5, "metres"
    between = read.joints(float(read.times[7:9].mean()))[:, :3, 3]
    assert np.abs(between - ours[7:9].mean(axis=0)).max() < 0.01
    assert read.times[-1] == pytest.approx(19 / 30)


def test_skinned_vertices_are_the_body_s(read, walking, readers):
    vertex = corners(walking.body)[:, 0]
    for frame in (0, 13):
        ours = readers.own_vertices(walking, frame)[vertex]
        assert np.abs(read.vertices(read.times[frame]) - ours).max() < 1e-4, "metres"


def test_the_mesh_is_the_body_s_with_its_texture(read, walking):
    body, attributes = walking.body, read.primitive.attributes
    pairs = corners(body)
    index = read.values(read.primitive.indices).reshape(-1, 3)
    assert np.array_equal(pairs[index][..., 0], body.faces.numpy())
    assert np.allclose(read.values(attributes.TEXCOORD_0), body.uv[pairs[:, 1]], atol=1e-6)
    normals = read.values(attributes.NORMAL)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    a, b, c = (read.rest[index[:, i]] for i in range(3))
    outward = np.einsum("fc,fc->f", np.cross(b - a, c - a), normals[index].mean(axis=1))
    assert (outward > 0).mean() > 0.99, "faces are seen from outside"
    assert np.allclose(read.values(attributes.WEIGHTS_0).sum(axis=1), 1, atol=1e-6)
    assert read.rest[:, 1].min() == pytest.approx(0, abs=1e-5)
    image = read.file.images[0]
    view = read.file.bufferViews[image.bufferView]
    data = read.file.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    assert data.startswith(b"\xff\xd8")
    assert len(data) == view.byteLength
    assert "Generated media" in read.file.asset.extras["comment"]


def test_quaternions_of_neighbours_are_near_each_other(tmp_path, readers):
    skeleton = skeleton_of(load_shipped("turn"))
    write_glb(tmp_path / "a.glb", skeleton)
    read = readers.Glb(tmp_path / "a.glb")
    for sampler in read.file.animations[0].samplers:
        values = read.values(sampler.output)
        if values.shape[1] == 4:
            assert np.abs(np.diff(values, axis=0)).max() < 0.5
    assert read.file.images == []


def test_the_same_motion_is_the_same_file(tmp_path, walking):
    for name in ("a.glb", "b.glb"):
        write_glb(tmp_path / name, walking)
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("textured", [True, False])
def test_khronos_validator_finds_nothing(tmp_path, walking, textured):
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("node and npm are not installed")
    install = [npm, "install", "--prefix", str(tmp_path), "--no-audit", "--no-fund", VALIDATOR]
    done = subprocess.run(install, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install {VALIDATOR}: {done.stderr[-200:]}")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    write_glb(tmp_path / "a.glb", walking, noise if textured else None)
    (tmp_path / "check.js").write_text(SCRIPT)
    check = [node, "check.js", "a.glb"]
    said = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=True)
    issues = json.loads(said.stdout)
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
