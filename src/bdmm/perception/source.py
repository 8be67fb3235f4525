"""A photo made ready: the person's foreground, the background without them, the fitted body."""

import math
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch.nn import functional

from bdmm.body.model import load_body
from bdmm.errors import InputError, Notice
from bdmm.media.pixels import to_frames
from bdmm.perception.background import remove_person
from bdmm.perception.matte import refine_foreground
from bdmm.perception.photo_set import fit_photos, refine_photos
from bdmm.perception.pose import Detection, Silhouette
from bdmm.records import KEYPOINT_NAMES, Landmarks, Motion, Source
from bdmm.shapes import Foreground, Keypoints

Photo = UInt8[np.ndarray, "h w 3"]

SEEN = 0.5
"""Confidence from which a keypoint lies in the photo."""
SMALLEST_PERSON = 32
"""Pixels of the working image that a person must be tall."""
CUT_TOP = 0.5
"""Share of the foreground's greatest width on the top border from which the head is missing."""
CUT_SIDE = 0.3
"""Share of the foreground's height on a side border from which half of the person is missing."""


def prepare_source(image: Photo, detection: Detection) -> Source:
    """Make one photo ready; see `prepare_sources`."""
    return prepare_sources([image], [detection])[0]


def prepare_sources(
    images: Sequence[Photo], detections: Sequence[Detection], names: Sequence[str] = ()
) -> list[Source]:
    """Cut a person out of photos, fit the body and refine the fits; fill the first background.

    Several photos share one body shape. `Notice` warnings say which of several people was taken
    and what the photos do not show.

    Args:
        images: the photos at the working resolution, RGB in 0..255.
        detections: of the same pictures at any size (`mediapipe_pose.detect_photo`).
        names: of the photos, for messages; a single one needs none.

    Raises:
        InputError: a person is cut off above the knees, lacks the head, or is too small.
    """
    body, softs = load_body(), []
    detections = [
        _at_size(detection, image.shape[0], image.shape[1])
        for image, detection in zip(images, detections, strict=True)
    ]
    for i, detection in enumerate(detections):
        with naming(names[i] if names else ""):
            _require_keypoints(detection.landmarks)
            softs.append(detection.silhouettes[0].foreground[0].numpy())
            _require_uncut(softs[-1] > 0.5)
        for note in detection.notes:
            _notify(f"{names[i]}: {note}" if names else note)
    frames = [to_frames([image])[0] for image in images]
    with ThreadPoolExecutor(2) as others:
        fits = others.submit(fit_photos, detections, body)
        cleaned = list(map(refine_foreground, images, softs))
        empty = others.submit(remove_person, images[0], cleaned[0])
        foregrounds = [torch.from_numpy(one)[None] for one in cleaned]
        poses = refine_photos(body, fits.result(), frames, foregrounds)
        background = to_frames([empty.result()])[0]
    _notify_what_is_missing([one.landmarks for one in detections], poses)
    return [
        Source(frame, foreground, frame if i else background, pose)
        for i, (frame, foreground, pose) in enumerate(zip(frames, foregrounds, poses, strict=True))
    ]


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the name of a photo in front of the message of an `InputError`, if there is one."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}" if name else str(error)) from error


def crop_detection(detection: Detection, left: int, top: int, size: tuple[int, int]) -> Detection:
    """Return the detection of a photo in a rectangle of it, which may reach over the border."""
    landmarks, whole = detection.landmarks, detection.silhouettes[0].foreground
    keypoints = landmarks.keypoints.clone()
    keypoints[..., :2] -= keypoints.new_tensor([left, top])
    around = (-left, left + size[1] - whole.shape[2], -top, top + size[0] - whole.shape[1])
    return _moved(detection, keypoints, functional.pad(whole, around))


def _moved(detection: Detection, keypoints: Keypoints, foreground: Foreground) -> Detection:
    """Return the detection of a photo in another picture, which the foreground covers."""
    size = foreground.shape[1], foreground.shape[2]
    landmarks = replace(detection.landmarks, keypoints=keypoints, size=size)
    silhouette = Silhouette(0, foreground, (0.0, 0.0), 1.0)
    return replace(detection, landmarks=landmarks, silhouettes=(silhouette,))


def faces_away(pose: Motion) -> bool:
    """Tell whether the body of a one-frame motion shows its back, by more than a right angle."""
    facing = pose.rotations[0, 0, 2, 2]
    return bool(facing < math.cos(math.radians(100)))


def _require_uncut(inside: Bool[np.ndarray, "h w"]) -> None:
    """Check that the photo's border doesn't cut through a wide part of the foreground.

    Estimators imagine keypoints of what is cut off; the foreground doesn't lie.
    """
    rows, columns = inside.sum(1), inside.sum(0)
    if rows[0] > CUT_TOP * rows.max():
        raise InputError(
            "The person is cut off at the photo's top: use a photo that shows the head too."
        )
    for column, side in ((0, "left"), (-1, "right")):
        if columns[column] > CUT_SIDE * max(1, (rows > 0).sum()):
            raise InputError(
                f"The person is cut off at the photo's {side} side: use a photo that shows them "
                "whole."
            )


def _require_keypoints(landmarks: Landmarks) -> None:
    seen = {
        name
        for name, confidence in zip(KEYPOINT_NAMES, landmarks.keypoints[0, :, 2], strict=True)
        if confidence > SEEN
    }
    head = {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}
    if not {"left_shoulder", "right_shoulder"} & seen:
        raise InputError(
            "The person's shoulders are not seen: use a photo that shows them from head to knees."
        )
    if not {"left_hip", "right_hip"} & seen or not {"left_knee", "right_knee"} & seen:
        raise InputError(
            "The person is cut off above the knees: use a photo that shows them from head to knees,"
            " better to the feet."
        )
    if not head & seen:
        raise InputError("The person's head is not seen: use a photo that shows the whole person.")
    sure = landmarks.keypoints[0, :, 2] > SEEN
    rows = landmarks.keypoints[0, sure, 1]
    if float(rows.max() - rows.min()) < SMALLEST_PERSON:
        raise InputError(
            f"The person is only {float(rows.max() - rows.min()):.0f} pixels tall at the working "
            "resolution: crop the photo around them or raise the size."
        )


def _notify_what_is_missing(landmarks: Sequence[Landmarks], poses: Sequence[Motion]) -> None:
    ankles = [KEYPOINT_NAMES.index(f"{side}_ankle") for side in ("left", "right")]
    if max(float(one.keypoints[0, ankles, 2].max()) for one in landmarks) < SEEN:
        _notify("The person's feet are not in the photo: they are missing in the video too.")
    if all(map(faces_away, poses)):
        _notify("The person is seen from behind: the front, where it turns up, is made up.")


def _notify(sentence: str) -> None:
    warnings.warn(sentence, Notice, stacklevel=4)


def _at_size(detection: Detection, height: int, width: int) -> Detection:
    """Bring a detection of the same picture at another size to the working image's pixels."""
    old_height, old_width = detection.landmarks.size
    if (old_height, old_width) == (height, width):
        return detection
    keypoints = detection.landmarks.keypoints.clone()
    keypoints[..., 0] *= width / old_width
    keypoints[..., 1] *= height / old_height
    soft = detection.silhouettes[0].foreground[0].numpy()
    mode = cv2.INTER_AREA if height < old_height else cv2.INTER_LINEAR
    small = torch.from_numpy(cv2.resize(soft, (width, height), interpolation=mode))[None]
    return _moved(detection, keypoints, small)
