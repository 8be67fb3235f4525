"""An explanation on disk: folders of PNG files and a video of each sheet."""

from contextlib import ExitStack
from pathlib import Path

from bdmm.errors import InputError, Progress
from bdmm.files.output_file import appearing, check_folder
from bdmm.inference.explanation import Explanation, Look
from bdmm.inference.explanation_pictures import (
    Named,
    block_pictures,
    block_sheet,
    layer_pictures,
    layer_sheet,
    legend,
    scales_of,
    unit_sheet,
)
from bdmm.inference.recorder import Block
from bdmm.media.image import Picture, write_image
from bdmm.media.video_writer import FrameWriter, create_video


def check_explanation_folder(folder: Path, every: int) -> None:
    """Refuse before the work what cannot be written.

    Args:
        folder: shall hold the explanation.
        every: PNG files are kept of every so-manieth frame.

    Raises:
        InputError: the folder holds files, is none or cannot be made, or the number is negative.
    """
    if every < 0:
        raise InputError(f"PNG files of every {every}th frame cannot be kept; 0 keeps none.")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"The output {folder} is a file; give the name of a folder.")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"The output folder {folder} is not empty; give a new one.")
    check_folder(folder.resolve().parent)


def write_explanation(
    explanation: Explanation, folder: Path, every: int, progress: Progress
) -> list[str]:
    """Write an explanation; its folder appears whole or not at all.

    Args:
        explanation: of a clip; it is used up.
        folder: new, or empty.
        every: PNG files are kept of every so-manieth frame, from the first on; 0 for none.
        progress: is told how many frames are done.

    Returns:
        The names of the videos.

    Raises:
        InputError: the folder cannot be written.
    """
    check_explanation_folder(folder, every)
    photo, fps = explanation.inputs.photo, explanation.inputs.fps
    with appearing(folder.resolve(), folder=True) as part, ExitStack() as stack:
        videos: dict[str, FrameWriter] = {}
        for look in explanation:
            shown = {block: block_pictures(look, block) for block in explanation.blocks}
            layers = layer_pictures(look)
            for name, sheet in sheets_of(photo, look, shown, layers).items():
                if name not in videos:
                    videos[name] = stack.enter_context(create_video(part / f"{name}.mp4", fps))
                videos[name].write(sheet)
            if every and (look.number - 1) % every == 0:
                _write_maps(part, look, shown, layers)
            if look.number == 1:
                for shrink in scales_of(explanation.blocks):
                    write_image(part / f"legend_{shrink}.png", legend(photo, look.ranges, shrink))
            progress("Explaining", look.number, len(explanation))
    return [f"{name}.mp4" for name in videos]


def sheets_of(
    source: Picture, look: Look, shown: dict[Block, Named], layers: Named
) -> dict[str, Picture]:
    """Return the pictures of one frame as its videos show them, by the videos' names."""
    sheets: dict[str, Picture] = {}
    for shrink in scales_of(list(shown)):
        sheets[f"motion_{shrink}"] = block_sheet(source, look, shrink, shown)
        sheets[f"units_{shrink}"] = unit_sheet(shrink, shown)
    if layers:
        sheets["layers"] = layer_sheet(source, look, layers)
    return sheets


def _write_maps(folder: Path, look: Look, shown: dict[Block, Named], layers: Named) -> None:
    maps = {"generated": look.generated, **layers}
    for block, pictures in shown.items():
        for kind, picture in pictures.items():
            maps[f"{kind}_{block.branch}_{block.shrink}"] = picture
    for name, picture in maps.items():
        (folder / name).mkdir(exist_ok=True)
        write_image(folder / name / f"{look.number:06d}.png", picture)
