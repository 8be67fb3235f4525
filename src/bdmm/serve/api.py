"""The HTTP API: jobs are sent, asked after, fetched and cancelled."""

import math
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Form, HTTPException, Request, Response, UploadFile
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field, Json
from starlette.datastructures import UploadFile as ReceivedFile
from starlette.formparsers import MultiPartParser

import bdmm
from bdmm.errors import InputError
from bdmm.media.shipped_motions import motions_folder, shipped_motions
from bdmm.serve.crew import Crew, DiskFullError
from bdmm.serve.jobs import Job, Kind, QueueFullError, State
from bdmm.serve.metrics import CONTENT_TYPE, Metrics
from bdmm.serve.options import AnimationOptions
from bdmm.serve.requests import (
    Upload,
    driving_name,
    motion_name,
    request_animation,
    request_inspection,
)
from bdmm.serve.uploads import UnsupportedTypeError

ANIMATIONS, INSPECTIONS, MOTIONS = "/v1/animations", "/v1/inspections", "/v1/motions"
FULL_QUEUE = "The queue is full: try again later."
FULL_DISK = "The server's disk is full: try again later."
_RETRY_SECONDS = 30
"""What `Retry-After` says as long as no animation was ever made."""
RESULTS = {Kind.ANIMATION: ("video", "sheet", "motion", "model"), Kind.INSPECTION: ("seen",)}
"""What jobs make, by the names of the files without suffixes."""
_SPOOLED = 2**16
"""Bytes of an upload that are held in memory before a file holds it."""
_MULTIPART = "multipart/form-data"
_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".gif": "image/gif",
    ".jpg": "image/jpeg",
    ".glb": "model/gltf-binary",
}


class AnimationForm(BaseModel):
    """What is sent for an animation."""

    photos: Annotated[list[UploadFile], Field(description="Photos of one person.")]
    driving: Annotated[
        UploadFile | None, Field(description="A driving video or a .motion file.")
    ] = None
    motion: Annotated[
        str | None, Field(description="The name of a shipped motion, instead of a file.")
    ] = None
    options: Annotated[Json[AnimationOptions], Field(description="AnimationOptions as JSON.")] = (
        AnimationOptions()
    )


class InspectionForm(BaseModel):
    """What is sent for an inspection."""

    photo: Annotated[UploadFile, Field(description="A photo of a person.")]
    person: Annotated[
        int | None, Field(ge=1, le=100, description="Which of several people, from the left.")
    ] = None


class Problem(BaseModel):
    """Why a request failed."""

    detail: Annotated[str, Field(description="One sentence: what is wrong, what to do.")]


class JobView(BaseModel):
    """A job as clients see it."""

    id: str
    state: State
    position: Annotated[int | None, Field(description="Jobs that wait before this one.")] = None
    stage: Annotated[str | None, Field(description="What is being done.")] = None
    done: Annotated[int | None, Field(description="Steps of the stage that are done.")] = None
    total: Annotated[int | None, Field(description="Steps of the stage in all.")] = None
    seconds_left: Annotated[float | None, Field(description="Until the stage ends.")] = None
    job_seconds_left: Annotated[
        float | None, Field(description="Until the job ends, about; null while it is unknown.")
    ] = None
    message: Annotated[str | None, Field(description="Why it failed, one sentence.")] = None
    notices: Annotated[list[str], Field(description="What else should be known.")] = []
    expires: Annotated[
        float | None, Field(description="When it is forgotten, in seconds since 1970.")
    ] = None
    format: Annotated[str | None, Field(description="File type of the video.")] = None
    links: Annotated[dict[str, str], Field(description="Itself and its files, by name.")] = {}


class MotionView(BaseModel):
    """A shipped motion."""

    name: str
    preview: Annotated[str, Field(description="Path of a small looping video.")]


class Health(BaseModel):
    """Whether the server works."""

    status: Literal["ok"]
    version: str
    queued: int
    running: int


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    meanings = {
        404: "There is no such job or result.",
        413: "The files are too large.",
        415: "A file is of a type that is not accepted, or not of the type that it says.",
        422: "An option or a combination is not possible.",
        429: "The queue is full; Retry-After says for how many seconds.",
        507: "The server's disk is full.",
    }
    return {one: {"model": Problem, "description": meanings[one]} for one in statuses}


_SENT = _problems(413, 415, 422, 429, 507)
_KNOWN = _problems(404)


def create_api(crew: Crew) -> FastAPI:
    """Return the application; the crew starts and stops with it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        crew.start()
        yield
        crew.stop()

    MultiPartParser.spool_max_size = _SPOOLED
    api = FastAPI(
        title="bdmm",
        version=bdmm.__version__,
        summary="One photo of a person and a motion in, a video of that person doing it out.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    api.state.crew = crew
    for error, handler in _HANDLERS.items():
        api.add_exception_handler(error, handler)
    _add_animations(api, crew)
    _add_inspections(api, crew)
    _add_motions(api)
    _add_health(api, crew)
    return api


def _add_animations(api: FastAPI, crew: Crew) -> None:
    @api.post(ANIMATIONS, status_code=202, responses=_SENT, tags=["animations"])
    def send_animation(
        response: Response, form: Annotated[AnimationForm, Form(media_type=_MULTIPART)]
    ) -> JobView:
        """Send photos and a motion; what comes back says where to ask after the video."""
        photos = [_upload(one) for one in form.photos]
        driving = None if form.driving is None else _upload(form.driving)
        job = request_animation(crew, photos, driving, form.motion, form.options)
        return _accepted(crew, job, response)

    _add_job_routes(api, crew, ANIMATIONS, Kind.ANIMATION)


def _add_inspections(api: FastAPI, crew: Crew) -> None:
    @api.post(INSPECTIONS, status_code=202, responses=_SENT, tags=["inspections"])
    def send_inspection(
        response: Response, form: Annotated[InspectionForm, Form(media_type=_MULTIPART)]
    ) -> JobView:
        """Ask what the system sees in a photo: the person, their outline, their pose."""
        job = request_inspection(crew, _upload(form.photo), form.person)
        return _accepted(crew, job, response)

    _add_job_routes(api, crew, INSPECTIONS, Kind.INSPECTION)


def _driving_video(crew: Crew, job: Job) -> Path | None:
    """Return the driving video that was sent, if it is of a kind that browsers play."""
    name = driving_name(job) if job.kind == Kind.ANIMATION else None
    path = None if name is None else crew.folder(job.id) / name
    return path if path is not None and path.suffix.lower() in _TYPES and path.exists() else None


def _add_job_routes(api: FastAPI, crew: Crew, path: str, kind: Kind) -> None:
    def known(identity: str) -> Job:
        job = crew.store.get(identity)
        if job is None or job.kind != kind:
            hours = crew.settings.keep_seconds / 3600
            raise HTTPException(
                404, f"There is no {kind} of this number; they are kept for {hours:.3g} hours."
            )
        return job

    @api.get(f"{path}/{{identity}}", responses=_KNOWN, tags=[f"{kind}s"], name=f"get_{kind}")
    def get_job(identity: str) -> JobView:
        """Return the state of a job."""
        return view(crew, known(identity))

    @api.delete(f"{path}/{{identity}}", responses=_KNOWN, tags=[f"{kind}s"], name=f"cancel_{kind}")
    def cancel_job(identity: str) -> JobView:
        """Cancel a job and remove its files, also its results if it is done."""
        crew.cancel(known(identity).id)
        return view(crew, known(identity))

    if kind == Kind.ANIMATION:

        @api.get(f"{path}/{{identity}}/driving", responses=_KNOWN, tags=[f"{kind}s"])
        def get_driving(identity: str) -> FileResponse:
            """Return the driving video that was sent."""
            job = known(identity)
            video = _driving_video(crew, job)
            if video is None:
                raise HTTPException(404, "No driving video of this animation can be shown.")
            return _file(video, job)

    for result in RESULTS[kind]:
        api.add_api_route(
            f"{path}/{{identity}}/{result}",
            _result_getter(crew, known, result),
            responses={**_KNOWN, 200: {"content": {"application/octet-stream": {}}}},
            response_class=FileResponse,
            tags=[f"{kind}s"],
            name=f"get_{result}",
        )


def _result_getter(
    crew: Crew, known: Callable[[str], Job], result: str
) -> Callable[[str], FileResponse]:
    def get_result(identity: str) -> FileResponse:
        """Return a file that was made."""
        job = known(identity)
        path = crew.result(job, result)
        if path is None:
            raise HTTPException(404, f"There is no {result}: the job is {job.state}.")
        return _file(path, job)

    return get_result


def _file(path: Path, job: Job) -> FileResponse:
    return FileResponse(
        path,
        media_type=_TYPES.get(path.suffix.lower()),
        filename=f"bdmm-{job.id[:8]}-{path.name}",
        content_disposition_type="inline",
    )


def _add_motions(api: FastAPI) -> None:
    @api.get(MOTIONS, tags=["motions"])
    def get_motions() -> list[MotionView]:
        """Return the shipped motions."""
        return [
            MotionView(name=name, preview=f"{MOTIONS}/{name}/preview") for name in shipped_motions()
        ]

    @api.get(f"{MOTIONS}/{{name}}/preview", responses=_KNOWN, tags=["motions"])
    def get_preview(name: str) -> FileResponse:
        """Return a small looping video of a shipped motion."""
        if name not in shipped_motions():
            raise HTTPException(404, f"There is no shipped motion {name!r}.")
        path = Path(str(motions_folder() / f"{name}.mp4"))
        return FileResponse(
            path, media_type="video/mp4", headers={"cache-control": "max-age=86400"}
        )


def _add_health(api: FastAPI, crew: Crew) -> None:
    metrics = Metrics(crew.store)

    @api.get("/healthz", tags=["server"])
    def get_health() -> Health:
        """Report that the server works; needs no token."""
        counts = crew.store.counts()
        queued, running = (
            sum(count for (_, state), count in counts.items() if state == wanted)
            for wanted in (State.QUEUED, State.RUNNING)
        )
        return Health(status="ok", version=bdmm.__version__, queued=queued, running=running)

    @api.get("/metrics", tags=["server"])
    def get_metrics() -> Response:
        """Return figures for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)


def view(crew: Crew, job: Job) -> JobView:
    """Return a job as clients see it."""
    path = f"{ANIMATIONS if job.kind == Kind.ANIMATION else INSPECTIONS}/{job.id}"
    progress = crew.progress(job.id) if job.state == State.RUNNING else None
    results = RESULTS[job.kind]
    links = {"self": path}
    links |= {one: f"{path}/{one}" for one in results if crew.result(job, one) is not None}
    video = crew.result(job, "video")
    if video is not None and _driving_video(crew, job) is not None:
        links["driving"] = f"{path}/driving"
    elif video is not None and (motion := motion_name(job)) is not None:
        links["driving"] = f"{MOTIONS}/{motion}/preview"
    return JobView(
        id=job.id,
        state=job.state,
        position=crew.store.position(job) if job.state == State.QUEUED else None,
        stage=None if progress is None else progress.stage,
        done=None if progress is None else progress.done,
        total=None if progress is None else progress.total,
        seconds_left=None if progress is None else _rounded(progress.seconds_left),
        job_seconds_left=None if progress is None else _rounded(progress.job_seconds_left),
        message=job.message or None,
        notices=list(job.notices),
        expires=None if job.ended is None else job.ended + crew.settings.keep_seconds,
        format=None if video is None else video.suffix[1:],
        links=links,
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _accepted(crew: Crew, job: Job, response: Response) -> JobView:
    seen = view(crew, job)
    response.headers["location"] = seen.links["self"]
    return seen


def _upload(sent: ReceivedFile) -> Upload:
    return Upload(sent.filename or "", sent.file)


def _problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status, headers)


async def _on_input_error(_: Request, error: Exception) -> JSONResponse:
    return _problem(415 if isinstance(error, UnsupportedTypeError) else 422, str(error))


async def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "request"
    return _problem(422, f"The field {place} is wrong: {first['msg'].rstrip('.')}.")


async def _on_full_queue(request: Request, _: Exception) -> JSONResponse:
    mean = request.app.state.crew.store.mean_seconds(Kind.ANIMATION)
    seconds = str(math.ceil(mean or _RETRY_SECONDS))
    return _problem(429, FULL_QUEUE, {"retry-after": seconds})


async def _on_full_disk(_: Request, error: Exception) -> JSONResponse:
    return _problem(507, FULL_DISK)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, OSError):  # an upload could not be kept
        return _problem(507, FULL_DISK)
    return await http_exception_handler(request, error)


_HANDLERS = {
    InputError: _on_input_error,
    RequestValidationError: _on_invalid,
    QueueFullError: _on_full_queue,
    DiskFullError: _on_full_disk,
    sqlite3.OperationalError: _on_full_disk,
    HTTPException: _on_http,
}
