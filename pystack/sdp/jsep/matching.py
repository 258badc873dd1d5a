"""When two codecs are the same, and what is written about them then.

A codec is known by name, clock rate, channels and *profile*: H.264 by profile and packetization mode (RFC 6184 8.1,
8.2.2), VP9 by ``profile-id``, AV1 by ``profile``, H.265 by profile, tier and transmission mode (RFC 7798 7.2.2). Other
parameters only declare what a receiver likes, so they never keep two sides apart (Opus: RFC 7587 7.1).

Called by ``jsep.numbers``, ``offer``, ``answer`` and ``apply``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from pystack.sdp.jsep.model import AgreedCodec, CodecCapability

__all__ = [
    "Identity",
    "answered_parameters",
    "common_feedback",
    "identity",
    "lower_keys",
    "match_answer",
    "match_offer",
]

Identity: TypeAlias = tuple[str, ...]


class _Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def clock_rate(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def fmtp(self) -> Mapping[str, str]: ...


def identity(codec: _Named) -> Identity:
    """Return what makes ``codec`` another codec than others, comparable and hashable."""
    name = codec.name.lower()
    return name, str(codec.clock_rate), str(codec.channels), *_profile(name, lower_keys(codec.fmtp))


def lower_keys(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return ``parameters`` with their names in lower case, as the wire's are read."""
    return {name.lower(): value for name, value in parameters.items()}


def _profile(name: str, fmtp: Mapping[str, str]) -> tuple[str, ...]:
    if name == "h264":
        return _h264_profile(_profile_level_id(fmtp)), fmtp.get("packetization-mode", "0")
    if name == "vp9":
        return (fmtp.get("profile-id", "0"),)
    if name == "av1":
        return (fmtp.get("profile", "0"),)
    if name == "h265":
        return fmtp.get("profile-id", "1"), fmtp.get("tier-flag", "0"), fmtp.get("tx-mode", "SRST").upper()
    return ()


_H264_PROFILES: Final = (
    # profile_idc, mask over the constraint flags, their value, name (RFC 6184 table 5)
    ("42", 0b0100_1111, 0b0100_0000, "constrained baseline"),
    ("4d", 0b1000_1111, 0b1000_0000, "constrained baseline"),
    ("58", 0b1100_1111, 0b1100_0000, "constrained baseline"),
    ("42", 0b0100_1111, 0b0000_0000, "baseline"),
    ("58", 0b1100_1111, 0b1000_0000, "baseline"),
    ("4d", 0b1010_1111, 0b0000_0000, "main"),
    ("58", 0b1100_1111, 0b0000_0000, "extended"),
    ("64", 0b1111_1111, 0b0000_0000, "high"),
    ("64", 0b1111_1111, 0b0000_1100, "constrained high"),
)


def _profile_level_id(fmtp: Mapping[str, str]) -> str:
    """Return six lower-case hexadecimal digits; baseline level 1 where nothing, or nonsense, is said (RFC 6184 8.1)."""
    text = fmtp.get("profile-level-id", "").lower()
    return text if len(text) == 6 and set(text) <= set("0123456789abcdef") else "42000a"


def _h264_profile(profile_level_id: str) -> str:
    flags = int(profile_level_id[2:4], 16)
    for idc, mask, value, name in _H264_PROFILES:
        if profile_level_id[:2] == idc and flags & mask == value:
            return name
    return profile_level_id[:4]


def _h264_level(profile_level_id: str) -> float:
    """Return a number that orders levels; level 1b, between 1 and 1.1, is 11 with constraint flag 3."""
    level = int(profile_level_id[4:], 16)
    one_b = level == 11 and profile_level_id[:2] in ("42", "4d", "58") and int(profile_level_id[2:4], 16) & 0x10
    return 10.5 if one_b else level


def answered_parameters(capability: CodecCapability, offered: AgreedCodec) -> dict[str, str]:
    """Return the ``fmtp`` that we answer for a codec that matched: ours, with the parameters that must agree.

    H.264 without level asymmetry on both sides gets the lower of the two levels (RFC 6184 8.2.2). RED names payload
    types, so the offer's are repeated.
    """
    ours = lower_keys(capability.fmtp)
    theirs = lower_keys(offered.fmtp)
    name = capability.name.lower()
    if name == "red":
        return theirs
    if name == "h264":
        own, other = _profile_level_id(ours), _profile_level_id(theirs)
        asymmetric = ours.get("level-asymmetry-allowed") == "1" and theirs.get("level-asymmetry-allowed") == "1"
        if "profile-level-id" not in ours or (not asymmetric and _h264_level(other) < _h264_level(own)):
            own = other
        ours["profile-level-id"] = own
    return ours


def common_feedback(ours: Sequence[str], theirs: Iterable[str]) -> tuple[str, ...]:
    """Return the feedback kinds that both list, in our order, each once."""
    known = {feedback.lower() for feedback in theirs}
    return tuple(dict.fromkeys(feedback for feedback in ours if feedback.lower() in known))


def match_offer(
    capabilities: Sequence[CodecCapability], offered: Sequence[AgreedCodec], prefer_local_order: bool
) -> tuple[tuple[AgreedCodec, ...], tuple[AgreedCodec, ...]]:
    """Choose what to answer: ``(send, receive)``, the same codecs and numbers, with their ``fmtp`` and with ours.

    The order is the offer's, or that of ``capabilities`` where preferences were set (RFC 9429 5.3.1). A codec that is
    offered twice is taken once.
    """
    wanted: dict[Identity, CodecCapability] = {}
    for capability in capabilities:
        wanted.setdefault(identity(capability), capability)
    found: dict[Identity, tuple[AgreedCodec, AgreedCodec]] = {}
    for codec in offered:
        known = wanted.get(identity(codec))
        if known is None or identity(codec) in found:
            continue
        feedback = common_feedback(known.rtcp_fb, codec.rtcp_fb)
        rtx = codec.rtx_payload_type if known.rtx else None
        send = _agreed(codec, codec.name, lower_keys(codec.fmtp), feedback, rtx)
        found[identity(codec)] = send, _agreed(codec, codec.name, answered_parameters(known, codec), feedback, rtx)
    order = [key for key in wanted if key in found] if prefer_local_order else list(found)
    return tuple(found[key][0] for key in order), tuple(found[key][1] for key in order)


def match_answer(
    offered: Sequence[AgreedCodec], answered: Sequence[AgreedCodec]
) -> tuple[tuple[AgreedCodec, ...], tuple[AgreedCodec, ...]]:
    """Read an answer: ``(send, receive)`` in the answer's order, with the numbers of who receives (RFC 3264 6.1)."""
    send: list[AgreedCodec] = []
    receive: list[AgreedCodec] = []
    for codec in answered:
        same = [ours for ours in offered if identity(ours) == identity(codec)]
        ours = next((one for one in same if one.payload_type == codec.payload_type), same[0] if same else None)
        if ours is None or any(one.payload_type == ours.payload_type for one in receive):
            continue
        feedback = common_feedback(ours.rtcp_fb, codec.rtcp_fb)
        both_rtx = ours.rtx_payload_type is not None and codec.rtx_payload_type is not None
        send.append(_agreed(codec, ours.name, codec.fmtp, feedback, codec.rtx_payload_type if both_rtx else None))
        receive.append(_agreed(ours, ours.name, ours.fmtp, feedback, ours.rtx_payload_type if both_rtx else None))
    return tuple(send), tuple(receive)


def _agreed(
    numbers: AgreedCodec, name: str, fmtp: Mapping[str, str], feedback: tuple[str, ...], rtx: int | None
) -> AgreedCodec:
    return AgreedCodec(
        payload_type=numbers.payload_type,
        name=name,
        clock_rate=numbers.clock_rate,
        channels=numbers.channels,
        fmtp=dict(fmtp),
        rtcp_fb=feedback,
        rtx_payload_type=rtx,
    )
