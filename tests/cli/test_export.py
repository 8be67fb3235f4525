from pathlib import Path

import pytest
from pygltflib import GLTF2

from bdmm_synth.bvh.file import read_bvh


def test_a_motion_to_a_skeleton_and_to_a_moving_body(bdmm, short_motion):
    outcome = bdmm("export", short_motion, "-o", "dance.bvh", "--quiet")
    assert outcome.code == 0
    assert "dance.bvh: 8 frames at 30 fps" in outcome.out
    assert len(read_bvh(Path("dance.bvh"))) == 8
    outcome = bdmm("export", "wave", "-o", "wave.glb", "--quiet")
    assert outcome.code == 0
    assert outcome.new_files == {"wave.glb"}
    assert GLTF2().load("wave.glb").images == []


@pytest.mark.slow
def test_a_person_from_a_photo_moves(bdmm, quick_photo, short_motion):
    outcome = bdmm("export", short_motion, "--person", quick_photo, "-o", "me.glb", "--quiet")
    assert outcome.code == 0, outcome.err
    assert len(GLTF2().load("me.glb").images) == 1


def test_mistakes(bdmm, short_motion, tmp_path):
    for options, words in {
        (short_motion, "-o", "a.fbx"): "a.fbx has no known file type; use a name that ends in .bvh",
        ("nowhere.motion", "-o", "a.bvh"): "nowhere.motion",
        (short_motion, "-o", "a.glb", "--person", "none.person"): "none.person does not exist",
        (short_motion, "-o", "a.glb", "--person", "a.person", "b.jpg"): "holds its photos already",
    }.items():
        outcome = bdmm("export", *options, "--quiet")
        assert outcome.code == 2
        assert words in outcome.sentence
    empty = tmp_path / "empty.motion"
    data = short_motion.read_bytes().replace(b'\\"frames\\": 8', b'\\"frames\\": 0')
    assert data != short_motion.read_bytes()
    empty.write_bytes(data)
    outcome = bdmm("export", empty, "-o", "a.glb")
    assert outcome.code == 2
    assert "its number of frames is not one between 1 and" in outcome.sentence


@pytest.mark.slow
def test_animate_exports_what_it_shows(bdmm, quick_photo, short_motion):
    options = ["-o", "out.gif", "--export", "me.glb", "--size", "96", "--quiet"]
    outcome = bdmm("animate", quick_photo, short_motion, *options, "--renderer", "coarse")
    assert outcome.code == 0, outcome.err
    assert outcome.new_files == {"out.gif", "me.glb"}
    assert "me.glb: the person for 3-D programs." in outcome.out
    assert len(GLTF2().load("me.glb").images) == 1
    outcome = bdmm("animate", quick_photo, short_motion, "-o", "out.mp4", "--export", "me.obj")
    assert outcome.code == 2
    assert "me.obj has no known file type; use a name that ends in .bvh, .glb" in outcome.sentence
