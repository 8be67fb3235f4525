"""How long an animation of a driving video still takes: measured costs, at the job's own pace."""

from collections.abc import Sequence

_STAGES = ("Finding the person in", "Fitting the body", "Refining the fit", "Rendering")
"""How the names of the stages start whose steps are the driver's frames, in their order."""
_START = 6.0
"""Processor seconds before the first of them: the process starts, and the photo's person is found.
These figures are printed by ``tools/measure_stages.py``."""
_PER_FRAME = (0.036, 0.069, 0.033)
"""Processor seconds of each frame in every stage but the last."""
_PRESETS = {"fast": (1.5, 0.078), "standard": (5.3, 0.40), "fine": (12.2, 0.85)}
"""Seconds in which rendering is set up, and of each frame in it."""


class TimeLeft:
    """Estimates the seconds until a job ends, where its driver is a video.

    A shipped motion has no stage before rendering whose length is known, and sizes other than the
    presets' were not measured: before rendering their jobs have no estimate.

    Args:
        words: of the job's command line.
    """

    def __init__(self, words: Sequence[str]) -> None:
        chosen = words[words.index("--preset") + 1] if "--preset" in words else ""
        self._preset = None if "--size" in words else _PRESETS.get(chosen)
        self._frames = 0

    def estimate(
        self, stage: str, done: int, total: int | None, elapsed: float, of_stage: float | None
    ) -> float | None:
        """Return the seconds until the job ends, None where they are unknown.

        Args:
            stage, done, total: its progress.
            elapsed: seconds since its process was started.
            of_stage: seconds until the stage ends.
        """
        number = next((i for i, name in enumerate(_STAGES) if stage.startswith(name)), None)
        if number == len(_STAGES) - 1 and of_stage is not None:
            return of_stage
        if number == 0 and total is not None and total > 1:
            self._frames = total
        if number is None or self._preset is None or self._frames == 0:
            return None
        set_up, rendered = self._preset
        costs = [one * self._frames for one in (*_PER_FRAME, rendered)]
        before = _START + sum(costs[:number]) + (set_up if number == len(_STAGES) - 1 else 0)
        spent = before + costs[number] * (done / total if total else 0)
        return elapsed * (_START + set_up + sum(costs) - spent) / spent
