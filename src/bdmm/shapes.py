"""Tensor types by domain name, and the one legend of dimensions.

| letter | dimension | letter | dimension |
|---|---|---|---|
| ``b`` | clips of a batch | ``k`` | joints or keypoints |
| ``t`` | frames of a window | ``v`` | vertices |
| ``c`` | channels | ``f`` | faces |
| ``h w`` | rows and columns | ``d`` | style size |
| ``p`` | taps of a kernel (9 for 3x3) | ``s`` | shape components |
| ``n`` | bones | | |

Video is always ``b t c h w``; ``b c t h w`` exists only inside a 3-D convolution. Frames are RGB in
[-1, 1]. Axes of a body are the camera's: x right in the image, y down, z away from the camera.
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

Image = Float[Tensor, "3 h w"]
"""RGB in [-1, 1]."""
Frames = Float[Tensor, "t 3 h w"]
"""RGB in [-1, 1]."""
"""RGB in 0..255, the order of files; only in ``media`` and at a detector."""
Clips = Float[Tensor, "b t 3 h w"]
"""RGB in [-1, 1]."""
PoseHeatmaps = Float[Tensor, "b t k h w"]
"""One Gaussian per joint in [0, 1]; a missing joint is an all-zero map."""
"""Absolute sampling positions, normalised (x, y) in [-1, 1], ``align_corners=False``."""
Features = Float[Tensor, "b c h w"]
Style = Float[Tensor, "b d"]
Foreground = Float[Tensor, "1 h w"]
"""Person segmentation in [0, 1]."""
Rotations = Float[Tensor, "*batch n 3 3"]
"""Local bone rotations relative to the parent; bone 0 is the body's orientation in the camera."""
Keypoints = Float[Tensor, "t k 3"]
"""(x, y, confidence): pixels of the frame (0, 0 = outer corner of the first pixel), [0, 1]."""
Faces = Int[Tensor, "f 3"]
Flags = Bool[Tensor, "t"]
