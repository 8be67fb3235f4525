"""Make the sample person and driving clip: ``python tools/build_sample.py [photos] [clip]``.

Writes into ``src/bdmm/assets/samples``:

- ``person.jpg``: a man in a striped shirt, jeans and sneakers;
- ``person2.jpg``: a woman in a printed top and a dotted skirt;
- ``person_back.jpg``, ``person2_back.jpg``: the same from behind, for ``--more``;
- ``dance.mp4``: she dances for three seconds, to a beep on every beat.

Nobody was photographed: both are the shipped body, dressed and moved by ``bdmm_synth``.
The photos take a minute or two, the clip about ten on two cores. The pictures come out the same in
every run on one machine.
"""

import os
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from bdmm.body.model import load_body
from bdmm_synth.light.setups import studio_lamps
from bdmm_synth.motion.dance import dance
from bdmm_synth.motion.rig import TO_CAMERA, perform, stand_up
from bdmm_synth.motion.routines import pause
from bdmm_synth.people.samples import man, woman
from bdmm_synth.people.shoes import SOLE
from bdmm_synth.places.studio import Backdrop
from bdmm_synth.render.renderer import Shot, photograph

FOLDER = Path(__file__).resolve().parents[1] / "src/bdmm/assets/samples"
_BLUE = Backdrop(wall=(0.42, 0.47, 0.50), floor=(0.45, 0.44, 0.43))
_SAND = Backdrop(wall=(0.50, 0.43, 0.36), floor=(0.46, 0.42, 0.38))
_FPS, _FRAMES, _BEAT = 30, 90, 15
_RATE = 44100


def in_scene(pelvis: np.ndarray) -> np.ndarray:
    """Return ``t 3`` pelvis positions in camera axes above a floor at y = 0, on shod feet."""
    return pelvis * TO_CAMERA - [0, SOLE, 0]


def photos(folder: Path) -> None:
    body = load_body()
    shot = {
        "person.jpg": (man, Shot((1024, 768), 455, 968, 3, studio_lamps(), _BLUE)),
        "person2.jpg": (woman, Shot((1024, 768), 470, 968, 3, studio_lamps(), _SAND)),
    }
    for name, (who, how) in shot.items():
        person = who(body)
        rig = stand_up(person.figure.rest, person.figure.joints)
        rotations, pelvis = perform(rig, pause(rig))
        behind = rotations[0].copy()
        behind[0] = np.diag([-1.0, 1.0, -1.0]) @ behind[0]
        for pose, label in ((rotations[0], name), (behind, name.replace(".", "_back."))):
            save_jpeg(folder / label, photograph(person, pose, in_scene(pelvis)[0], how))


def save_jpeg(path: Path, picture: np.ndarray) -> None:
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    assert done
    path.write_bytes(data.tobytes())
    print(f"{path.name}: {picture.shape[1]}x{picture.shape[0]}, {path.stat().st_size} bytes")


def clip(path: Path) -> None:
    person = woman(load_body(), fine=1, strands=0.25)
    rig = stand_up(person.figure.rest, person.figure.joints)
    rotations, pelvis = perform(rig, dance(rig))
    shot = Shot((384, 288), 152, 352, 2, studio_lamps(0.25), _SAND, grain=0.003, side=512)
    part = path.with_name(f".{path.name}.part")
    with av.open(str(part), "w", format="mp4") as file:
        video = file.add_stream("libx264", rate=_FPS, options={"crf": "22", "preset": "slow"})
        sound = file.add_stream("aac", rate=_RATE, layout="mono")
        sound.bit_rate = 64_000
        video.width, video.height, video.pix_fmt = shot.size[1], shot.size[0], "yuv420p"
        for index in range(_FRAMES):
            picture = photograph(person, rotations[index], in_scene(pelvis)[index], shot, index)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            file.mux(video.encode(frame))
            print(f"{path.name}: frame {index + 1} of {_FRAMES}", end="\r")
        file.mux(video.encode())
        for frame in _beeps():
            file.mux(sound.encode(frame))
        file.mux(sound.encode())
    part.replace(path)
    print(f"{path.name}: {_FRAMES} frames, {path.stat().st_size} bytes")


def _beeps() -> list[av.AudioFrame]:
    """A short decaying tone on every beat, higher on every fourth."""
    time = np.arange(_RATE * _FRAMES // _FPS) / _RATE
    wave = np.zeros(len(time))
    for beat in range(_FRAMES // _BEAT):
        since = time - beat * _BEAT / _FPS
        pitch = 880 if beat % 4 == 0 else 587
        rising = np.clip(since / 0.004, 0, 1)
        wave += rising * np.sin(2 * np.pi * pitch * since) * np.exp(-since.clip(0) / 0.07)
    samples = (wave * 9000).astype(np.int16)[None]
    frames = []
    for start in range(0, samples.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(samples[:, start : start + 1024], "s16", "mono")
        frame.sample_rate, frame.pts = _RATE, start
        frame.time_base = Fraction(1, _RATE)
        frames.append(frame)
    return frames


def main(wanted: list[str]) -> None:
    torch.set_num_threads(os.cpu_count() or 1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not wanted or "photos" in wanted:
        photos(FOLDER)
    if not wanted or "clip" in wanted:
        clip(FOLDER / "dance.mp4")


if __name__ == "__main__":
    main(sys.argv[1:])
