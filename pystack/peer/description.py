"""Session descriptions and ICE candidates as applications exchange them (W3C webrtc-pc sections 4.7.1 and 4.8.1)."""

from __future__ import annotations

import json
from typing import Any, Final, Literal, Self, TypeAlias

import attrs

from pystack.errors import InvalidArgument

__all__ = ["DescriptionType", "IceCandidate", "SessionDescription"]

DescriptionType: TypeAlias = Literal["offer", "answer", "pranswer", "rollback"]
"""A value of ``RTCSdpType``."""

_TYPES: Final = ("offer", "answer", "pranswer", "rollback")


@attrs.frozen
class SessionDescription:
    """An offer, an answer, a provisional answer, or the wish to roll back.

    Attributes:
        type: ``"offer"``, ``"answer"``, ``"pranswer"`` or ``"rollback"``.
        sdp: the text (RFC 8866); empty for a rollback.
    """

    type: DescriptionType
    sdp: str = ""

    def __attrs_post_init__(self) -> None:
        """Refuse what can never be right."""
        if self.type not in _TYPES:
            raise InvalidArgument(
                f"the type of a description is offer, answer, pranswer or rollback, not {self.type!r}"
            )
        if not isinstance(self.sdp, str):
            raise InvalidArgument(f"the sdp of a session description is a str, not {self.sdp.__class__.__name__}")

    def to_json(self) -> str:
        """The object that a browser's ``RTCSessionDescription`` has as its JSON form."""
        return json.dumps({"type": self.type, "sdp": self.sdp})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the text that a browser's ``JSON.stringify(description)`` gives.

        Raises:
            InvalidArgument: it is not such an object; the message says which member is wrong.
        """
        value = _object(text, "a session description", "SessionDescription(each['type'], each['sdp'])")
        kind, sdp = value.get("type"), value.get("sdp", "")
        if kind not in _TYPES:
            raise InvalidArgument(
                f'a session description needs a "type" of offer, answer, pranswer or rollback, not {kind!r}'
            )
        if not isinstance(sdp, str):
            raise InvalidArgument('a session description\'s "sdp" must be a string')
        return cls(kind, sdp)


@attrs.frozen
class IceCandidate:
    """One ICE candidate on its way to the peer.

    Attributes:
        candidate: ``candidate:...`` as in RFC 8839 section 5.1; empty for the end of candidates.
        sdp_mid: the media section that it belongs to, by name, or ``None``.
        sdp_m_line_index: the same by position, or ``None``.
        username_fragment: the generation that it belongs to, or ``None`` for the current one.
    """

    candidate: str = ""
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None
    username_fragment: str | None = None

    def to_json(self) -> str:
        """The object that a browser's ``RTCIceCandidate`` has as its JSON form."""
        return json.dumps(
            {
                "candidate": self.candidate,
                "sdpMid": self.sdp_mid,
                "sdpMLineIndex": self.sdp_m_line_index,
                "usernameFragment": self.username_fragment,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what a browser's ``JSON.stringify(candidate)`` gives; ``null``, its last one, is the end of candidates.

        Raises:
            InvalidArgument: it is not such an object; the message says which member is wrong.
        """
        if isinstance(text, str) and text.strip() == "null":
            return cls()
        value = _object(text, "an ICE candidate", "IceCandidate(each['candidate'], each['sdpMid'])")
        candidate = value.get("candidate", "")
        mid, index, fragment = value.get("sdpMid"), value.get("sdpMLineIndex"), value.get("usernameFragment")
        if not isinstance(candidate, str):
            raise InvalidArgument('an ICE candidate\'s "candidate" must be a string')
        if mid is not None and not isinstance(mid, str):
            raise InvalidArgument('an ICE candidate\'s "sdpMid" must be a string or null')
        if index is not None and (not isinstance(index, int) or isinstance(index, bool)):
            raise InvalidArgument('an ICE candidate\'s "sdpMLineIndex" must be an integer or null')
        if fragment is not None and not isinstance(fragment, str):
            raise InvalidArgument('an ICE candidate\'s "usernameFragment" must be a string or null')
        return cls(candidate, mid, index, fragment)


def _object(text: object, what: str, from_object: str) -> dict[str, Any]:
    if not isinstance(text, str | bytes | bytearray):
        raise InvalidArgument(
            f"from_json reads the JSON text of {what}, not {type(text).__name__}; of an object make {from_object}"
        )
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"{what} must be a JSON object: {error}") from None
    if not isinstance(value, dict):
        raise InvalidArgument(f"{what} must be a JSON object, not {type(value).__name__}")
    return value
