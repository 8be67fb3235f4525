"""What the page is made of: its HTML, style and the two scripts in it."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

import gradio as gr

from bdmm.media.shipped_motions import shipped_motions
from bdmm.serve.api import MOTIONS, JobView
from bdmm.serve.jobs import State

SAMPLES = ("person.jpg", "person2.jpg")
SAMPLES_PATH = "/samples"
"""Where the sample photos are fetched."""

HEADING = """
<h1>bdmm</h1>
<p>One photo of a person and a motion in, a video of that person doing it out. Animate people only
with their consent, and say that the video is synthetic.</p>
"""
HEAD = '<meta name="viewport" content="width=device-width, initial-scale=1">'
CSS = """
.gradio-container {max-width: 1200px !important; margin: 0 auto !important}
h1, h2 {margin: .3em 0 .1em}
.tiles {border: 0; margin: 0; padding: 0; min-width: 0}
.tiles legend {font-size: .9em; padding: .4em 0}
.tiles > div {display: grid; grid-template-columns: repeat(auto-fill, minmax(76px, 1fr)); gap: 8px}
.tiles label {display: block; cursor: pointer; position: relative; text-align: center;
  font-size: .85em}
.tiles input {position: absolute; opacity: 0; inset: 0; margin: 0; cursor: pointer}
.tiles img, .tiles video {display: block; width: 100%; aspect-ratio: 3/4; object-fit: cover;
  border-radius: 8px; border: 3px solid transparent; background: #ececec}
.tiles input:checked + img, .tiles input:checked + video {border-color: var(--primary-600)}
.tiles input:focus-visible + img, .tiles input:focus-visible + video {
  outline: 3px solid var(--body-text-color); outline-offset: 1px}
.mistake {border-left: 4px solid #c62828; padding: .5em .8em; margin: .4em 0;
  background: color-mix(in srgb, #c62828 12%, transparent)}
.notice {border-left: 4px solid #b26a00; padding: .5em .8em; margin: .4em 0}
.busy progress {appearance: none; display: block; width: 100%; height: 10px; margin: .4em 0;
  border: 0; border-radius: 5px; overflow: hidden; background: #8884}
.busy progress::-webkit-progress-bar {background: transparent}
.busy progress::-webkit-progress-value {background: var(--primary-600)}
.busy progress::-moz-progress-bar {background: var(--primary-600)}
.busy progress:indeterminate::-moz-progress-bar {background: transparent}
.busy progress:indeterminate {background: linear-gradient(90deg, #8884 40%,
  var(--primary-600) 50%, #8884 60%) 0 0 / 300% 100%; animation: busy 2s linear infinite}
@keyframes busy {from {background-position: 100% 0} to {background-position: 0 0}}
@media (prefers-reduced-motion: reduce) {.busy progress:indeterminate {animation: none}}
#result h2 {font-size: 1.4em; font-weight: 600}
.pair {display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 260px), 1fr));
  gap: 12px}
.pair figure, .sheet {margin: 0}
.pair video, .pair img {width: 100%; max-height: 60vh; object-fit: contain; background: #8883;
  border-radius: 8px}
.sheet img, #seen img {width: 100%; border-radius: 8px}
.downloads a {display: inline-block; padding: .5em 1em; margin: .4em .4em .4em 0;
  border: 1px solid var(--body-text-color); border-radius: 8px; color: inherit}
"""

_TILES_SCRIPT = """
const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
function settle() {
  element.querySelectorAll('input').forEach(one => { one.checked = one.value === props.value; });
  element.querySelectorAll('video').forEach(one => {
    one.muted = true;
    if (still) one.pause(); else one.play().catch(() => {});
  });
}
element.addEventListener('change', event => {
  props.value = event.target.value;
  trigger('select', {value: event.target.value});
});
watch('value', settle);
settle();
"""
IN_STEP_SCRIPT = """
const find = name => element.querySelector('video.' + name);
function follow() {
  const made = find('made'), driving = find('driving');
  if (!made || !driving || !driving.duration) return;
  const goal = made.currentTime % driving.duration;
  const most = made.paused ? 0.001 : 0.1;
  if (Math.abs(driving.currentTime - goal) > most) driving.currentTime = goal;
  if (made.paused !== driving.paused) made.paused ? driving.pause() : driving.play();
  driving.playbackRate = made.playbackRate;
}
element.addEventListener('loadeddata', event => {
  if (!event.target.classList.contains('made')) return;
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  event.target.muted = true;
  event.target.play().catch(() => {});
}, true);
['play', 'pause', 'seeked', 'timeupdate', 'ratechange'].forEach(name =>
  element.addEventListener(name, event => {
    if (event.target.classList.contains('made')) follow();
  }, true));
"""
"""Keeps the driving video in step with the result. Events of videos don't bubble: they are caught
on their way down."""


def tiles(name: str, legend: str, pictures: Sequence[tuple[str, str, str]]) -> gr.HTML:
    """Return a group of radio buttons with a picture or a looping video each.

    Args:
        pictures: of each its value, its label and its element.
    """
    labels = "".join(
        f'<label><input type="radio" name="{name}" value="{escape(value)}">{element}'
        f"<span>{escape(label)}</span></label>"
        for value, label, element in pictures
    )
    group = f'<fieldset class="tiles"><legend>{legend}</legend><div>{labels}</div></fieldset>'
    return gr.HTML(
        "",
        html_template=group,
        js_on_load=_TILES_SCRIPT,
        apply_default_css=False,
        elem_id=name,
    )


def sample_tiles() -> list[tuple[str, str, str]]:
    """Return the tiles of the sample photos."""
    return [
        (name, f"person {number}", f'<img src="{SAMPLES_PATH}/{name}" alt="">')
        for number, name in enumerate(SAMPLES, start=1)
    ]


def motion_tiles() -> list[tuple[str, str, str]]:
    """Return the tiles of the shipped motions."""
    return [
        (
            name,
            name.replace("_", " "),
            f'<video src="{MOTIONS}/{name}/preview" autoplay loop muted playsinline '
            'tabindex="-1" aria-hidden="true"></video>',
        )
        for name in shipped_motions()
    ]


def sample_path(name: str) -> Path:
    """Return the file of a sample photo."""
    return Path(str(files("bdmm.assets") / "samples" / name))


def mistake(sentence: str) -> str:
    """Return a sentence about a mistake."""
    return f'<div class="mistake" role="alert">{escape(sentence)}</div>'


def busy(
    stage: str, done: int | None = None, total: int | None = None, left: float | None = None
) -> str:
    """Return a progress bar with what is being done and about how long the job still takes."""
    known = total is not None and total > 1 and done is not None
    bar = (
        f'<progress value="{done}" max="{total}"></progress>' if known else "<progress></progress>"
    )
    counted = f", {done} of {total}" if known else ""
    rest = "" if left is None else f"; about {_clock(left)} left in all"
    return f'<div class="busy" role="status">{escape(stage)}{counted}{rest}{bar}</div>'


def seen(job: JobView) -> str:
    """Return what an inspection found."""
    if job.state != State.DONE:
        return mistake(job.message or "The inspection was cancelled.")
    link = job.links["seen"]
    return (
        f'<figure class="sheet"><img src="{link}" alt="The photo, its foreground, the keypoints '
        'and the fitted body"><figcaption>What the system sees: the photo, the person, the '
        "keypoints, the body. If they are wrong, choose another photo.</figcaption></figure>"
    )


def status(job: JobView) -> str:
    """Return how far a job has come, or how it ended."""
    notices = "".join(f'<div class="notice">{escape(one)}</div>' for one in job.notices)
    if job.state == State.QUEUED:
        before = f"{job.position} before it" if job.position else "next in turn"
        return busy(f"Waiting: {before}")
    if job.state == State.RUNNING:
        return notices + busy(job.stage or "Starting", job.done, job.total, job.job_seconds_left)
    if job.state == State.FAILED:
        return mistake(job.message or "")
    if job.state == State.CANCELLED:
        return '<div role="status">Cancelled.</div>'
    return notices


def result(job: JobView) -> str:
    """Return the result next to its driver, the contact sheet and the links."""
    video, driving = job.links["video"], job.links.get("driving")
    if job.format == "gif":
        made = f'<img src="{video}" alt="The result">'
    else:
        made = (
            f'<video class="made" src="{video}" controls loop playsinline preload="auto"></video>'
        )
    panels = f"<figure>{made}<figcaption>The video</figcaption></figure>"
    if driving is not None:
        panels += (
            f'<figure><video class="driving" src="{driving}" muted loop playsinline '
            'preload="auto"></video><figcaption>What drives it, in step</figcaption></figure>'
        )
    links = "".join(
        f'<a href="{job.links[name]}" download>{label}</a>'
        for name, label in (
            ("video", f"Video (.{job.format})"),
            ("sheet", "Contact sheet"),
            ("motion", "Motion (.motion)"),
            ("model", "3-D model (.glb)"),
        )
        if name in job.links
    )
    return (
        f'<h2>Result</h2><div class="pair">{panels}</div><p class="downloads">{links}</p>'
        f'<figure class="sheet"><img src="{job.links["sheet"]}" alt="Contact sheet"></figure>'
    )


def _clock(seconds: float) -> str:
    return f"{max(round(seconds / 5), 1) * 5} s" if seconds < 90 else f"{round(seconds / 60)} min"
