"""The page: photos and a motion in, what the system sees, the video next to its driver out."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse
from gradio.themes import Base

from bdmm.errors import InputError
from bdmm.serve import page_parts as parts
from bdmm.serve.api import FULL_DISK, FULL_QUEUE, view
from bdmm.serve.crew import Crew, DiskFullError
from bdmm.serve.jobs import Job, QueueFullError, State
from bdmm.serve.options import AnimationOptions
from bdmm.serve.requests import (
    Upload,
    driving_name,
    request_animation,
    request_inspection,
)
from bdmm.serve.uploads import DRIVING, PHOTO, UnsupportedTypeError

_TICK_SECONDS = 1.0
_CACHE_SECONDS = 3600
_EVENTS_AT_ONCE = 8
_ENDED = (State.DONE, State.FAILED, State.CANCELLED)


def add_page(api: FastAPI, crew: Crew) -> FastAPI:
    """Return the application with the page at its root."""

    @api.get(f"{parts.SAMPLES_PATH}/{{name}}", include_in_schema=False)
    def get_sample(name: str) -> FileResponse:
        if name not in parts.SAMPLES:
            raise HTTPException(404, "There is no such sample photo.")
        return FileResponse(parts.sample_path(name))

    return gr.mount_gradio_app(
        api,
        _Page(crew).blocks,
        path="/",
        footer_links=[],
        run_history=False,
        max_file_size=crew.settings.limits.upload_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        show_error=True,
        theme=Base(
            primary_hue="teal",
            font=["system-ui", "sans-serif"],
            font_mono=["ui-monospace", "monospace"],
        ).set(
            button_primary_background_fill="*primary_700",
            button_primary_background_fill_hover="*primary_800",
            button_primary_background_fill_dark="*primary_700",
        ),
        css=parts.CSS,
        head=parts.HEAD,
    )


class _Page:
    """The page's components and what their events do.

    Every event is short: jobs are followed by a timer that asks the store.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        with gr.Blocks(
            title="bdmm",
            analytics_enabled=False,
            delete_cache=(_CACHE_SECONDS, _CACHE_SECONDS),
        ) as self.blocks:
            gr.HTML(parts.HEADING)
            self._add_inputs()
            self._add_options()
            self._add_outputs()
            self._connect()
        self.blocks.queue(default_concurrency_limit=_EVENTS_AT_ONCE)

    def _add_inputs(self) -> None:
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                gr.HTML("<h2>1. A photo</h2><p>One whole person, head to feet, upright, alone if "
                        "possible. More photos show more sides.</p>")  # fmt: skip
                self.photos = gr.File(
                    label="A photo, or up to eight of one person",
                    file_count="multiple",
                    file_types=list(PHOTO.suffixes),
                    height=130,
                    elem_id="photos",
                )
                self.sample = parts.tiles("sample", "Sample people", parts.sample_tiles())
                self.seen = gr.HTML(elem_id="seen", apply_default_css=False)
            with gr.Column(min_width=320):
                gr.HTML("<h2>2. A motion</h2><p>One person, seen whole, by a camera that "
                        "stands still; or one of the shipped motions.</p>")  # fmt: skip
                self.driving = gr.File(
                    label="Video or .motion file",
                    file_types=list(DRIVING.suffixes),
                    height=130,
                    elem_id="driving",
                )
                self.motion = parts.tiles("motion", "Shipped motions", parts.motion_tiles())
                self.driving_note = gr.HTML(elem_id="driving-note", apply_default_css=False)

    def _add_options(self) -> None:
        gr.HTML("<h2>3. The video</h2>")
        self.preset = gr.Radio(
            [
                ("Fast: 384 pixels, the photo only warped", "fast"),
                ("Standard: 512 pixels", "standard"),
                ("Fine: up to 1080 pixels, several times as slow", "fine"),
            ],
            value="standard",
            label="Preset",
            elem_id="preset",
        )
        with gr.Accordion("More options", open=False):
            with gr.Row():
                self.background = gr.Textbox(
                    label="Background",
                    placeholder="the photo's own; or white, #20a040, transparent",
                    info="transparent needs the file type webm, mov or gif.",
                )
                self.format = gr.Dropdown(
                    ["mp4", "mov", "webm", "gif"], value="mp4", label="File type"
                )
                self.size = gr.Number(
                    label="Size: pixels of the shorter side",
                    info="0 for the preset's.",
                    value=None,
                    precision=0,
                )
                self.smooth = gr.Number(label="Smoothing of the motion, in frames", value=1.0)
            with gr.Row():
                self.photo_person = gr.Number(
                    label="Person of the photo, from the left",
                    info="0 for the largest.",
                    value=None,
                    precision=0,
                )
                self.person = gr.Number(
                    label="Person of the video, from the left",
                    info="0 for the largest.",
                    value=None,
                    precision=0,
                )
                self.root = gr.Dropdown(
                    [
                        ("follows the driver", "relative"),
                        ("takes its place", "absolute"),
                        ("stays in place", "fixed"),
                    ],
                    value="relative",
                    label="The person",
                )
            self.sound = gr.Checkbox(label="Keep the video's sound", value=True)
            self.paste_back = gr.Checkbox(label="Put back into the full-size photo")
            self.model = gr.Checkbox(label="Also for 3-D programs (glTF)")
        self.options = (
            self.preset,
            self.background,
            self.format,
            self.size,
            self.smooth,
            self.photo_person,
            self.person,
            self.root,
            self.sound,
            self.paste_back,
            self.model,
        )

    def _add_outputs(self) -> None:
        with gr.Row():
            self.start = gr.Button("Animate", variant="primary", elem_id="start")
            self.cancel = gr.Button("Cancel", variant="stop", interactive=False, elem_id="cancel")
        self.status = gr.HTML(elem_id="status", apply_default_css=False)
        self.result = gr.HTML(
            elem_id="result", apply_default_css=False, js_on_load=parts.IN_STEP_SCRIPT
        )
        self.inspection = gr.State("")
        self.job = gr.BrowserState("", storage_key="bdmm-job", secret="bdmm")
        self.timer = gr.Timer(_TICK_SECONDS, active=False)

    def _connect(self) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        photo = (self.inspection, self.photos, self.sample, self.photo_person)
        looked = (self.inspection, self.seen, self.timer)
        self.photos.upload(lambda: "", outputs=self.sample, **quiet).then(
            self._look, photo, looked, **quiet
        )
        self.photos.clear(self._look, photo, looked, **quiet)
        self.photos.delete(self._look, photo, looked, **quiet)
        self.sample.select(lambda: None, outputs=self.photos, **quiet).then(
            self._look, photo, looked, **quiet
        )
        self.photo_person.change(self._look, photo, looked, **quiet)
        self.driving.upload(lambda: ("", ""), outputs=(self.motion, self.driving_note), **quiet)
        self.motion.select(lambda: (None, ""), outputs=(self.driving, self.driving_note), **quiet)
        outcome = (self.status, self.result, self.driving_note)
        shown = (self.job, *outcome, self.cancel, self.start, self.timer)
        self.start.click(
            self._start,
            (self.photos, self.sample, self.driving, self.motion, *self.options),
            (*shown, self.seen),
            **quiet,
        )
        self.cancel.click(self._cancel, self.job, shown[1:], **quiet)
        self.timer.tick(
            self._tick,
            (self.inspection, self.job),
            (self.inspection, self.seen, *shown[1:]),
            **quiet,
        )
        self.blocks.load(self._resume, self.job, shown, **quiet)

    def _look(
        self, earlier: str, photos: list[str] | None, sample: str, person: int | None
    ) -> Sequence[Any]:
        """Send the first photo to be inspected, and no longer look at an earlier one."""
        if earlier:
            self._crew.cancel(earlier)
        paths = _photo_paths(photos, sample)
        if not paths:
            return "", "", gr.skip()
        try:
            with paths[0].open("rb") as file:
                job = request_inspection(self._crew, Upload(paths[0].name, file), _number(person))
        except _REFUSALS as error:
            return "", parts.mistake(_sentence(error)), gr.skip()
        return job.id, parts.busy("Looking at the photo"), gr.Timer(active=True)

    def _start(
        self,
        photos: list[str] | None,
        sample: str,
        driving: str | None,
        motion: str,
        *options: Any,
    ) -> Sequence[Any]:
        """Send the job."""
        paths = _photo_paths(photos, sample)
        if not paths:
            return _told_at(photo="Choose a photo first.")
        if driving is None and not motion:
            return _told_at(motion="Choose a motion first.")
        files = [*paths, *([] if driving is None else [Path(driving)])]
        opened = [path.open("rb") for path in files]
        try:
            uploads = [Upload(path.name, file) for path, file in zip(files, opened, strict=True)]
            job = request_animation(
                self._crew,
                uploads[: len(paths)],
                None if driving is None else uploads[-1],
                None if driving is not None else motion,
                _read_options(*options),
            )
        except UnsupportedTypeError as error:
            at_photo = error.accepted is PHOTO
            return _told_at(photo=str(error)) if at_photo else _told_at(motion=str(error))
        except _REFUSALS as error:
            return _told_at(start=_sentence(error))
        finally:
            for file in opened:
                file.close()
        return job.id, *self._shown(job), gr.skip()

    def _cancel(self, identity: str) -> Sequence[Any]:
        """Cancel the job."""
        self._crew.cancel(identity)
        job = self._crew.store.get(identity)
        return self._shown(job) if job is not None else [gr.skip()] * 6

    def _tick(self, inspection: str, identity: str) -> Sequence[Any]:
        """Show how far inspection and job have come."""
        looked = self._crew.store.get(inspection) if inspection else None
        if looked is None or looked.state not in _ENDED:
            seen = (gr.skip(), gr.skip())
        else:
            seen = ("", parts.seen(view(self._crew, looked)))
        job = self._crew.store.get(identity) if identity else None
        looking = looked is not None and looked.state not in _ENDED
        if job is None:
            return *seen, *[gr.skip()] * 5, gr.Timer(active=looking)
        shown = list(self._shown(job))
        shown[-1] = gr.Timer(active=looking or job.state not in _ENDED)
        return *seen, *shown

    def _resume(self, identity: str) -> Sequence[Any]:
        """Show the last job of this browser again."""
        job = self._crew.store.get(identity) if identity else None
        if job is None or job.state == State.CANCELLED:
            buttons = (gr.Button(interactive=False), gr.Button(interactive=True))
            return "", "", "", "", *buttons, gr.Timer(active=False)
        return identity, *self._shown(job)

    def _shown(self, job: Job) -> Sequence[Any]:
        """Return status, result, the driving video's note, both buttons and the timer."""
        seen = view(self._crew, job)
        ended = job.state in _ENDED
        note: Any = ""
        status = parts.status(seen)
        if job.state == State.FAILED and _concerns_driving(job):
            note, status = parts.mistake(job.message), ""
        result = parts.result(seen) if job.state == State.DONE else ""
        return (
            status,
            result,
            note,
            gr.Button(interactive=not ended),
            gr.Button(interactive=ended),
            gr.Timer(active=not ended),
        )


_REFUSALS = (InputError, QueueFullError, DiskFullError)


def _told_at(photo: str = "", motion: str = "", start: str = "") -> Sequence[Any]:
    """Return the outputs of the start button that show a mistake where it was made."""
    places = [parts.mistake(one) if one else gr.skip() for one in (start, motion, photo)]
    status, note, seen = places
    return gr.skip(), status, gr.skip(), note, *[gr.skip()] * 3, seen


def _sentence(error: Exception) -> str:
    if isinstance(error, QueueFullError):
        return FULL_QUEUE
    return FULL_DISK if isinstance(error, DiskFullError) else str(error)


def _photo_paths(photos: list[str] | None, sample: str) -> list[Path]:
    if photos:
        return [Path(path) for path in photos]
    return [parts.sample_path(sample)] if sample in parts.SAMPLES else []


def _concerns_driving(job: Job) -> bool:
    """Return whether the sentence about a failed job names its driving file."""
    name = driving_name(job)
    return name is not None and name in job.message


def _number(value: float | None) -> int | None:
    return None if not value else int(value)


def _read_options(
    preset: str,
    background: str | None,
    form: str,
    size: float | None,
    *others: Any,
) -> AnimationOptions:
    smooth, photo_person, person, root, sound, paste_back, model = others
    return AnimationOptions(
        preset=preset,  # pyright: ignore[reportArgumentType]
        background=(background or "").strip() or None,
        format=form,  # pyright: ignore[reportArgumentType]
        size=_number(size),
        smooth=1.0 if smooth is None else smooth,
        photo_person=_number(photo_person),
        person=_number(person),
        root=root,
        sound="keep" if sound else "none",
        paste_back=paste_back,
        model=model,
    )
