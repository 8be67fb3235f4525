"""`bdmm animate`: a photo and a motion to a video."""

import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from bdmm.cli.export import EXPORT_SUFFIXES
from bdmm.cli.input_options import InputOptions
from bdmm.cli.report import Report, say
from bdmm.cli.resources import hand_back_freed, keep_network_blocks
from bdmm.cli.spread_options import SpreadOptions
from bdmm.errors import Progress
from bdmm.files.output_file import check_output

if TYPE_CHECKING:
    from bdmm.inference.animate import Animation

_LARGEST_BLOCK = 16 * 2**20
"""Bytes of freed blocks that are kept: most maps of a window of 512 x 682 pixels. With 4 MiB there
are 1.8 times as many page faults, and they take a twelfth of the processor time."""
_OFTEN = 24
"""Frames after which freed memory is handed back: windows leave heaps full of holes."""


@dataclass(frozen=True)
class Animate:
    """Animate the person of a photo.

    $ bdmm animate photo.jpg dance.mp4 -o out.mp4
    $ bdmm animate photo.jpg --motion turn -o out.mp4
    $ bdmm animate photo.jpg dance.mp4 --background transparent -o out.webm
    $ bdmm animate photo.jpg dance.mp4 --weights hf://owner/name@v1 -o out.mp4
    $ bdmm animate --batch jobs.csv -o videos/
    $ bdmm animate me.person --motion dance --orbit -o out.mp4
    $ bdmm animate me.person dance.mp4 --wear other.jpg:upper -o out.mp4
    """

    inputs: InputOptions
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]
    """Video to write: .mp4, .mov, .mkv, .webm or .gif; a name without a suffix becomes a folder of
    PNG files."""
    preset: Literal["fast", "standard", "fine"] = "standard"
    """fast: 384 pixels without a network; standard: 512 pixels; fine: up to 1080 pixels. Frames
    never have more pixels than the photo."""
    renderer: Annotated[
        Literal["network", "coarse"] | None, tyro.conf.arg(metavar="{network,coarse}")
    ] = None
    """Instead of the preset's: network runs a trained generator; coarse only warps the photo's own
    pixels."""
    weights: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights of the network instead of those that ship: a file, the folder of a run, or
    hf://OWNER/NAME@REVISION of a hub (extra hub)."""
    paste_back: bool = False
    """Put the person back into the full-size photo."""
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also write a contact sheet: the photo and some frames in one picture."""
    save_motion: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also write the driver's motion, a .motion file that can drive other photos."""
    export: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also write the moving person for 3-D programs: .glb, or .bvh for the skeleton; see bdmm
    export."""
    sound: Literal["keep", "none"] = "keep"
    """Whether the driver's sound is carried over."""
    crf: int = 18
    """Constant rate factor of the video, 0 (best) to 51."""
    seed: int = 0
    """The same seed gives the same video."""
    metadata: Literal["generated", "none"] = "generated"
    """Whether the metadata of video and contact sheet say that bdmm generated them."""
    batch: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """A list of videos to make, CSV or JSON, each line with photo, driver or motion, the output's
    name in the folder -o, and any option in place of those given here; see docs/batches.md."""
    overwrite: bool = False
    """Make all videos of the list again."""
    spread: SpreadOptions = field(default_factory=SpreadOptions)

    def run(self) -> None:
        """Check everything that can be, animate, and say what was written."""
        if self.batch is not None:
            from bdmm.cli.animate_list import animate_list

            return animate_list(self)
        self.check()
        with Report(self.inputs.quiet) as report:
            said = self.make(report)
        return say(said)

    def check(self) -> None:
        """Check what can be before the inputs are read.

        Raises:
            InputError: an option is wrong, or nothing can be written.
        """
        self.inputs.source()
        self.inputs.driving()
        from bdmm.media.image import IMAGE_SUFFIXES
        from bdmm.media.video_types import TRANSPARENT
        from bdmm.media.video_writer import check_crf, check_video_output

        check_video_output(self.output, transparent=self.inputs.background == TRANSPARENT)
        check_crf(self.crf)
        if self.sheet is not None:
            check_output(self.sheet, IMAGE_SUFFIXES)
        if self.save_motion is not None:
            check_output(self.save_motion, (".motion",))
        if self.export is not None:
            check_output(self.export, EXPORT_SUFFIXES)
        from bdmm.inference.animate import choose_preset

        most = choose_preset(self.preset).size
        self.inputs.checked(paste_back=self.paste_back, seed=self.seed, most=most, transparent=True)

    def make(self, progress: Progress) -> str:
        """Animate; return what was written, in a few lines.

        Raises:
            InputError: an input is wrong, or the disk is full.
        """
        from bdmm.inference.animate import Animation, choose_preset, choose_renderer, open_device

        began = time.monotonic()
        keep_network_blocks(_LARGEST_BLOCK)
        preset = choose_preset(self.preset)
        device = open_device(self.inputs.device)
        renderer = choose_renderer(self.renderer, self.weights, device, preset)
        inputs = self.inputs.prepare(
            progress,
            paste_back=self.paste_back,
            seed=self.seed,
            most=preset.size,
            transparent=True,
        )
        if self.save_motion is not None:
            from bdmm.media.motion_file import save_motion

            save_motion(self.save_motion, inputs.driving)
        if self.export is not None:
            from bdmm.export.files import export_motion

            export_motion(self.export, inputs.driving, inputs.source_view.person)
        frames = Animation(inputs, renderer, progress)
        self._write(frames)
        return self._summary(frames, time.monotonic() - began)

    def _write(self, frames: "Animation") -> None:
        from bdmm.media.contact_sheet import ContactSheet
        from bdmm.media.generated_note import GENERATED
        from bdmm.media.image import write_image
        from bdmm.media.video_writer import create_video

        sound = frames.sound if self.sound == "keep" else None
        note = GENERATED if self.metadata == "generated" else None
        sheet = ContactSheet(frames.photo, frames.frame_count)
        with create_video(
            self.output,
            frames.fps,
            sound_from=None if sound is None else sound.path,
            sound_start=Fraction(0) if sound is None else sound.start,
            crf=self.crf,
            transparent=frames.transparent,
            note=note,
        ) as video:
            for number, frame in enumerate(frames):
                if number % _OFTEN == 0:
                    hand_back_freed()
                video.write(frame)
                sheet.add(frame)
            if self.sheet is not None:
                write_image(self.sheet, sheet.picture(), note=note)

    def _summary(self, frames: "Animation", seconds: float) -> str:
        height, width = frames.size
        rate = float(frames.fps)
        sound = " with sound" if frames.sound is not None and self.sound == "keep" else ""
        lines = [
            f"{self.output}: {frames.frame_count} frames of {width} x {height} at {rate:.5g} fps "
            f"({frames.frame_count / rate:.1f} s){sound}, made by the {frames.renderer} renderer "
            f"in {seconds:.1f} s."
        ]
        if self.sheet is not None:
            lines.append(f"{self.sheet}: the contact sheet.")
        if self.save_motion is not None:
            lines.append(f"{self.save_motion}: the driver's motion.")
        if self.export is not None:
            lines.append(f"{self.export}: the person for 3-D programs.")
        return "\n".join(lines)
