"""Take the networks for poses, faces and hands out of a wheel: ``build_pose_networks.py WHEEL``.

The wheel is that of MediaPipe 0.10.21, the last that holds them, for any system and Python::

    pip download --no-deps --python-version 3.11 --platform manylinux_2_28_x86_64 \
        --only-binary=:all: mediapipe==0.10.21

Copies four networks, unchanged, and the licence into ``src/bdmm/assets/pose`` and prints their
checksums, which ``pose.md`` next to them names.
"""

import argparse
import hashlib
import zipfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "src/bdmm/assets/pose"
MEMBERS = (
    "mediapipe/modules/pose_detection/pose_detection.tflite",
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    "mediapipe/modules/face_detection/face_detection_short_range.tflite",
    "mediapipe/modules/hand_landmark/hand_landmark_lite.tflite",
    "mediapipe-0.10.21.dist-info/LICENSE",
)


def build(wheel: Path, folder: Path) -> list[str]:
    """Copy the files into a folder; return a line of name, size and checksum for each."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    with zipfile.ZipFile(wheel) as archive:
        for member in MEMBERS:
            content = archive.read(member)
            (folder / Path(member).name).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            lines.append(f"{Path(member).name}: {len(content)} bytes, SHA-256 {digest}")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Take the pose networks out of MediaPipe's wheel.")
    parser.add_argument("wheel", type=Path, metavar="WHEEL")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER, metavar="FOLDER")
    options = parser.parse_args()
    print("\n".join(build(options.wheel, options.output)))
