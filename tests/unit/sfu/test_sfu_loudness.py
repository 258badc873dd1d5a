"""How loud a voice is, from the levels in its packets alone (RFC 6464)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystack.rtp import AUDIO_LEVEL, HeaderExtensionMap, RtpPacket, pack_audio_level
from sfu.media import Loudness

NAMES = HeaderExtensionMap({1: AUDIO_LEVEL})
FRAME = 960  # 20 ms at 48 kHz


def packet(number, level, *, frame=FRAME):
    made = RtpPacket(
        timestamp=number * frame & 0xFFFFFFFF, arrival=number * frame / 48000, payload=b"x", extension_map=NAMES
    )
    if level is not None:
        NAMES.set(made, AUDIO_LEVEL, pack_audio_level(level < 60, level))
    return made


def speak(voice, levels, first=0, **more):
    for number, level in enumerate(levels, first):
        voice.hear(packet(number, level, **more))
    return (first + len(levels)) * more.get("frame", FRAME) / 48000


def test_a_voice_is_heard_and_fades():
    voice = Loudness(48000)
    now = speak(voice, [20] * 100)
    assert voice.at(now) == pytest.approx(0.1, rel=0.05)
    now = speak(voice, [127] * 21, first=100)
    assert 0 < voice.at(now) < 0.05
    assert voice.at(speak(voice, [127] * 60, first=121)) == 0


def test_noise_and_short_clicks_are_no_voice():
    assert Loudness(48000).at(0.0) == 0
    assert (quiet := Loudness(48000)).at(speak(quiet, [36] * 200)) == 0
    assert (clicks := Loudness(48000)).at(speak(clicks, ([5] * 7 + [127] * 13) * 10)) == 0  # 35 % of each window


def test_half_a_window_of_voice_counts_half():
    voice = Loudness(48000)
    assert voice.at(speak(voice, ([20] * 10 + [127] * 10) * 10 + [127])) == pytest.approx(0.05, rel=0.1)


def test_who_sends_nothing_any_more_is_silent():
    voice = Loudness(48000)
    now = speak(voice, [10] * 100)
    assert voice.at(now + 0.7) > 0
    assert voice.at(now + 0.9) == 0


def test_longer_packets_weigh_more():
    short, long = Loudness(48000), Loudness(48000)
    now = speak(short, [20] * 120)
    assert short.at(now) == pytest.approx(long.at(speak(long, [20] * 40, frame=3 * FRAME)))


def test_packets_without_a_level_or_a_map_are_no_news():
    voice = Loudness(48000)
    speak(voice, [None] * 100)
    voice.hear(RtpPacket(payload=b"x"))
    assert voice.at(2.0) == 0


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=9), st.sampled_from([0xBEDE, 0x1000, 0x1234, -1])))
)
def test_whatever_is_in_a_packet_the_loudness_is_a_share(packets):
    voice = Loudness(48000)
    for at, (timestamp, extension, profile) in enumerate(packets):
        voice.hear(
            RtpPacket(
                timestamp=timestamp,
                extension=extension,
                extension_profile=profile,
                arrival=at * 0.02,
                extension_map=NAMES,
            )
        )
        assert 0 <= voice.at(at * 0.02) <= 1
