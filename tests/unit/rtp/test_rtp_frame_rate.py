"""The frame rate of a received stream, without reading it."""

import pytest

from pystack.rtp.streams.frame_rate import FrameRate


def film(rate: FrameRate, start: float, seconds: float, frames_per_second: float) -> float:
    for number in range(round(seconds * frames_per_second)):
        rate.count(start + number / frames_per_second)
    return start + seconds


@pytest.mark.parametrize("frames_per_second", [5.0, 29.97, 60.0])
def test_a_steady_rate(frames_per_second: float) -> None:
    rate = FrameRate()
    assert rate.value(0.0) == 0
    now = film(rate, 100.0, 3.0, frames_per_second)
    assert rate.value(now) == pytest.approx(frames_per_second)


def test_a_change_shows_after_a_second_or_two() -> None:
    rate = FrameRate()
    now = film(rate, 0.0, 5.0, 30)
    now = film(rate, now, 2.1, 10)
    assert rate.value(now) == pytest.approx(10, rel=0.05)


def test_a_pause_is_no_rate_and_its_end_begins_anew() -> None:
    rate = FrameRate()
    now = film(rate, 0.0, 5.0, 30)
    assert rate.value(now + 2.5) == 0
    rate.count(now + 60)
    assert rate.value(now + 60) == 0, "a frame after a minute is not one a minute"
    now = film(rate, now + 60, 2.0, 30)
    assert rate.value(now) == pytest.approx(30, rel=0.05)
