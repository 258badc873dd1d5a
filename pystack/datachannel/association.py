"""What the channels need of the association below, and nothing more: the seam between the two layers.

:class:`pystack.sctp.Association` is the one in the stack; siblings do not import each other, so it is named here by its
shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Protocol

from pystack.errors import LOCAL, Reason

__all__ = ["StreamAssociation"]


class StreamAssociation(Protocol):
    """What the channels need of the association below; :class:`pystack.sctp.Association` is the one in the stack."""

    @property
    def deadline(self) -> float:
        """The association's own deadline."""
        ...

    def connect(self, now: float) -> None:
        """Begin the handshake; both sides may."""

    def send(
        self,
        stream: int,
        data: bytes,
        now: float,
        *,
        ppid: int,
        ordered: bool = True,
        max_retransmits: int | None = None,
        lifetime: float | None = None,
    ) -> bool:
        """Take a message whole, or refuse it and answer by one later ``Writable`` or ``Ended``."""
        ...

    def consume(self, stream: int, nbytes: int, now: float) -> None:
        """Give bytes back to the receive window."""

    def reset(self, streams: Sequence[int], now: float) -> None:
        """Reset our direction of the streams once their queued data departed."""

    def set_low_threshold(self, stream: int, nbytes: int) -> None:
        """Say when ``BufferedAmountLow`` comes."""

    def buffered_amount(self, stream: int) -> int:
        """Bytes queued and not departed."""
        ...

    def shutdown(self, now: float) -> None:
        """End in good order."""

    def abort(self, now: float, reason: Reason = LOCAL) -> None:
        """End at once."""

    def receive(self, data: bytes, now: float) -> None:
        """Take one packet."""

    def tick(self, now: float) -> None:
        """Time has come."""

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        """Hand over what should go down now."""
        ...

    def take_events(self) -> list[Any]:
        """What happened."""
        ...
