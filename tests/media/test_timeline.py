from fractions import Fraction

import numpy as np
import pytest

from bdmm.media.timeline import FALLBACK_RATE, lay_timeline, resample

MS = Fraction(1, 1000)


def stamps_ms(times):
    return np.array([round(1000 * time) for time in times], dtype=np.int64)


@pytest.mark.parametrize("rate", ["24", "25", "30000/1001", "30", "60", "12", "7"])
def test_constant_rate_keeps_each_frame_though_stamps_are_rounded_to_milliseconds(rate):
    fps = Fraction(rate)
    stamps = stamps_ms([i / fps for i in range(200)])
    timeline = lay_timeline(stamps, MS, 200, (fps,))
    assert (timeline.fps, timeline.frame_count) == (fps, 200)
    assert [timeline.place(int(s), -1) for s in stamps] == list(range(200))


def test_a_wrong_hint_does_not_win_over_the_stamps():
    stamps = stamps_ms([i * 1001 / 30000 for i in range(600)])
    timeline = lay_timeline(stamps, MS, 600, (Fraction(30), Fraction(60)))
    assert (timeline.fps, timeline.frame_count) == (Fraction(30000, 1001), 600)


def test_missing_frames_are_held_at_the_rate_that_the_file_claims():
    kept = [i for i in range(90) if i % 7 != 3]
    timeline = lay_timeline(stamps_ms([i / 30 for i in kept]), MS, len(kept), (Fraction(30),))
    assert (timeline.fps, timeline.frame_count) == (30, 90)
    shown = [i for i, _ in resample(timeline, ((round(1000 * i / 30), i) for i in kept))]
    assert [kept[i] for i in shown] == [i if i % 7 != 3 else i - 1 for i in range(90)]


def test_variable_rate_keeps_the_length_to_half_a_frame():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.01, 0.09, size=301))
    timeline = lay_timeline(stamps_ms(times), MS, 301, (Fraction(1000),))
    length = times[-1] - times[0] + np.median(np.diff(times))
    assert abs(float(timeline.duration) - length) <= 0.51 / timeline.fps
    assert timeline.frame_count == pytest.approx(301, abs=6)


def test_each_output_frame_shows_the_input_frame_of_its_time():
    times = [0, 0.1, 0.12, 0.5, 0.9]
    timeline = lay_timeline(stamps_ms(times), MS, 5, ())
    # 4 gaps in 0.9 s: 40/9 frames per second, places 0, 0.44, 0.53, 2.2 and 4
    assert timeline.fps == Fraction(40, 9)
    stamped = zip(stamps_ms(times).tolist(), "abcde", strict=True)
    shown = [frame for _, frame in resample(timeline, stamped)]
    assert shown == ["b", "c", "d", "d", "e"]
    assert timeline.frame_count == 5


def test_frames_at_more_than_the_highest_rate_are_thinned():
    timeline = lay_timeline(stamps_ms(np.arange(1000) / 1000), MS, 1000, (Fraction(1000),))
    assert timeline.fps == 240
    assert float(timeline.duration) == pytest.approx(1.0, abs=0.005)


def test_without_stamps_frames_are_counted():
    timeline = lay_timeline(None, MS, 12, (None,))
    assert (timeline.fps, timeline.frame_count) == (FALLBACK_RATE, 12)
    assert [i for i, _ in resample(timeline, [(None, c) for c in "abcdefghijkl"])] == [*range(12)]


def test_one_frame_and_no_frame():
    timeline = lay_timeline(stamps_ms([3.0]), MS, 1, (Fraction(30),))
    assert (timeline.frame_count, timeline.start_seconds) == (1, 3)
    assert list(resample(timeline, [])) == []


def test_a_lost_frame_at_the_end_is_replaced_by_the_one_before():
    timeline = lay_timeline(stamps_ms([0, 0.1, 0.2, 0.3]), MS, 4, (Fraction(10),))
    assert [f for _, f in resample(timeline, [(0, "a"), (200, "c")])] == ["a", "a", "c", "c"]
