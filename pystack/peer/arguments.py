"""What an application gives, looked at where it is given: what can never be right is refused with what would be."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import iscoroutinefunction
from math import isnan
from typing import Any, Final

from pystack.errors import InvalidArgument
from pystack.peer.description import SessionDescription

__all__ = [
    "check_callback",
    "check_channel",
    "check_description",
    "check_direction",
    "check_flag",
    "check_kind",
    "check_listener",
    "check_names",
    "check_rids",
    "check_seconds",
    "check_timeout",
    "check_whole",
]

_MAX_STREAM: Final = 65534
_MAX_SHORT: Final = 65535
_MAX_LAYERS: Final = 16
"""As many as are read of a peer's description."""


def check_rids(what: str, rids: Sequence[str]) -> None:
    """See that names of simulcast layers can stand in a description (RFC 8851 section 4, RFC 8852 section 3.3).

    ``what`` is the argument that they came as.

    Raises:
        InvalidArgument: one cannot, or is there twice, or there are too many.
    """
    _check_list(what, rids, "rids, such as ['q', 'h', 'f']")
    for rid in rids:
        if not isinstance(rid, str):
            raise InvalidArgument(f"{what} has the rids themselves as texts, such as ['q', 'h', 'f'], not {rid!r:.80}")
        if not (0 < len(rid) <= 255 and rid.isascii() and rid.replace("-", "").replace("_", "").isalnum()):
            raise InvalidArgument(f"rid {rid[:40]!r} has something else than letters, digits, - and _")
    if len(set(rids)) != len(rids) or len(rids) > _MAX_LAYERS:
        raise InvalidArgument(f"{what} has a rid twice, or more than {_MAX_LAYERS}: {list(rids)[:20]}")


def check_names(track_id: str, stream_ids: Sequence[str]) -> None:
    """See that names of a track can stand in a description.

    Raises:
        InvalidArgument: one cannot.
    """
    _check_list("stream_ids", stream_ids, "texts, such as ['camera']")
    for what, name in [("track_id", track_id)] * bool(track_id) + [("stream_ids", each) for each in stream_ids]:
        if not isinstance(name, str):
            raise InvalidArgument(f"{what}: a name is a text, not {name!r:.80}")
        if not name or not name.isprintable() or any(letter.isspace() for letter in name):
            raise InvalidArgument(
                f"{what} {name[:40]!r} is empty or has a space or a control character; take a UUID, say"
            )


def check_kind(kind: object) -> None:
    """See that it is a kind of media.

    Raises:
        InvalidArgument: it is not.
    """
    if kind not in ("audio", "video"):
        raise InvalidArgument(f"kind must be audio or video, not {kind!r}")


def check_direction(direction: object) -> None:
    """See that it is a direction.

    Raises:
        InvalidArgument: it is not.
    """
    if direction not in ("sendrecv", "sendonly", "recvonly", "inactive"):
        raise InvalidArgument(f"direction must be sendrecv, sendonly, recvonly or inactive, not {direction!r}")


def check_description(description: object) -> None:
    """See that it is a description.

    Raises:
        InvalidArgument: it is not.
    """
    if not isinstance(description, SessionDescription):
        raise InvalidArgument(
            f"a description is a SessionDescription, not {type(description).__name__}; make one with "
            "SessionDescription(type, sdp), or with SessionDescription.from_json of what a browser's JSON gave"
        )


def check_flag(what: str, value: object) -> None:
    """See that it is true or false itself: a text such as "no" counts as true.

    Raises:
        InvalidArgument: it is not.
    """
    if not isinstance(value, bool):
        raise InvalidArgument(f"{what} is True or False, not {value!r:.80}")


def check_whole(what: str, value: object, most: int | None = None) -> None:
    """See that it is a whole number from 0 to ``most``.

    Raises:
        InvalidArgument: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0 or (most is not None and value > most):
        right = "that is not negative" if most is None else f"from 0 to {most}"
        raise InvalidArgument(f"{what} is a whole number {right}, not {value!r:.80}")


def check_timeout(timeout: object, what: str = "timeout") -> None:
    """See that it is a number of seconds, or ``None`` for no end.

    Raises:
        InvalidArgument: it is not.
    """
    if timeout is None:
        return
    if not isinstance(timeout, int | float) or isinstance(timeout, bool) or isnan(timeout):
        raise InvalidArgument(f"{what} is a number of seconds, or None, not {timeout!r:.80}")


def check_seconds(what: str, value: object) -> None:
    """See that it is a number of seconds that is not negative.

    Raises:
        InvalidArgument: it is not.
    """
    check_timeout(value, what)
    if value is None or value < 0:  # type: ignore[operator]
        raise InvalidArgument(f"{what} is a number of seconds that is not negative, not {value!r}")


def check_channel(
    *,
    ordered: object,
    max_packet_life_time: object,
    max_retransmits: object,
    negotiated: object,
    id: object,  # noqa: A002 - the W3C's name
) -> None:
    """See that a data channel can be as wanted (W3C webrtc-pc section 6.2); its texts are looked at where it is opened.

    Raises:
        InvalidArgument: it cannot.
    """
    check_flag("ordered", ordered)
    check_flag("negotiated", negotiated)
    if max_packet_life_time is not None:
        check_whole("max_packet_life_time", max_packet_life_time, _MAX_SHORT)
    if max_retransmits is not None:
        check_whole("max_retransmits", max_retransmits, _MAX_SHORT)
    if id is not None:
        check_whole("id", id, _MAX_STREAM)


def check_listener(what: str, callback: object, instead: str) -> None:
    """See that it can be called for each event; ``instead`` says what a coroutine does.

    Raises:
        InvalidArgument: it cannot, or it is an ``async def``, which nobody would await.
    """
    if not callable(callback):
        raise InvalidArgument(f"{what} is something to call, not {callback!r:.80}")
    call: Any = getattr(callback, "__call__", None)  # noqa: B004 - of an object, to see what calling it does
    if iscoroutinefunction(callback) or iscoroutinefunction(call):
        raise InvalidArgument(f"{what} is called and not awaited, so it cannot be an async def: {instead}")


def check_callback(what: str, callback: object, instead: str) -> None:
    """See the same of what may be ``None``, for no callback."""
    if callback is not None:
        check_listener(what, callback, instead)


def _check_list(what: str, value: object, entries: str) -> None:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise InvalidArgument(f"{what} is a list of {entries}, not {value!r:.80}")
