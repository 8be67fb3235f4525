"""Several renderers on the same inputs, frame by frame in one picture (figures 4 to 6)."""

from collections.abc import Iterator, Mapping

from bdmm.errors import Progress
from bdmm.inference.animate import Animation
from bdmm.inference.prepare import Inputs
from bdmm.inference.renderers import Renderer
from bdmm.media.image import Picture
from bdmm.media.panels import captioned, mosaic


def compare(
    inputs: Inputs, renderers: Mapping[str, Renderer], progress: Progress
) -> Iterator[Picture]:
    """Yield pictures of source, driver and each renderer's frame, in bounded memory.

    Args:
        inputs: the same for all.
        renderers: by the names that are written above their frames.
        progress: is called with the number of pictures made.
    """
    source = captioned(inputs.photo, "source")
    animations = [Animation(inputs, one) for one in renderers.values()]
    for done, (driver, *frames) in enumerate(
        zip(inputs.driving_frames(), *animations, strict=True), start=1
    ):
        generated = [captioned(one, name) for one, name in zip(frames, renderers, strict=True)]
        yield mosaic([[source, captioned(driver, "driving"), *generated]])
        progress("Comparing", done, len(inputs))
