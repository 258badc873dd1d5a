"""What an application gives, looked at where it is given: what can never be right is refused with what would be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pystack.errors import InvalidArgument
from pystack.peer.description import SessionDescription

__all__ = ["check_description", "check_direction", "check_kind", "check_names", "check_rids"]

_MAX_LAYERS: Final = 16
"""As many as are read of a peer's description."""


def check_rids(what: str, rids: Sequence[str]) -> None:
    """See that names of simulcast layers can stand in a description (RFC 8851 section 4, RFC 8852 section 3.3).

    ``what`` is the argument that they came as.

    Raises:
        InvalidArgument: one cannot, or is there twice, or there are too many.
    """
    if isinstance(rids, str):
        raise InvalidArgument(f"{what} is a list of rids, such as ['q', 'h', 'f'], not {rids!r}")
    for rid in rids:
        if not (0 < len(rid) <= 255 and rid.isascii() and rid.replace("-", "").replace("_", "").isalnum()):
            raise InvalidArgument(f"rid {rid[:40]!r} has something else than letters, digits, - and _")
    if len(set(rids)) != len(rids) or len(rids) > _MAX_LAYERS:
        raise InvalidArgument(f"{what} has a rid twice, or more than {_MAX_LAYERS}: {list(rids)[:20]}")


def check_names(track_id: str, stream_ids: Sequence[str]) -> None:
    """See that names of a track can stand in a description.

    Raises:
        InvalidArgument: one cannot.
    """
    for what, name in [("track id", track_id)] * bool(track_id) + [("stream id", each) for each in stream_ids]:
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
