"""Which receivers a data message goes to: a pure function over who is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

from pystack.errors import DecodeError
from sfu.data.packets import Stamped, stamp

__all__ = ["DataRouter", "Receiver"]


class Receiver(Protocol):
    """Somebody in a room, as far as data is concerned."""

    @property
    def sid(self) -> str: ...  # noqa: D102
    @property
    def identity(self) -> str: ...  # noqa: D102


R = TypeVar("R", bound=Receiver)

_NOT_BY_CLIENTS: Final = frozenset({"speaker", "metrics"})
"""Who speaks the server says alone, and metrics are for a server that gathers them."""
_BY_AGENTS: Final = frozenset({"transcription"})
_NOTHING: Final = Stamped(b"", frozenset(), frozenset(), 0)


class DataRouter:
    """Routes the data messages of one room.

    Attributes:
        drops: messages that went to nobody, by why: ``not permitted``, ``undecodable``, and what no client or only
            an agent may send: ``speaker``, ``metrics``, ``transcription``.
        messages: routed so far.
    """

    def __init__(self) -> None:
        self.drops: dict[str, int] = {}
        self.messages = 0

    def route(
        self,
        message: bytes,
        sender: Receiver,
        permitted: bool,
        others: Iterable[R],
        *,
        anonymous: bool = False,
        agent: bool = False,
    ) -> tuple[Stamped, list[R]]:
        """The message as its receivers get it, and who they are (never the sender; nobody, if it is refused).

        ``anonymous`` is for a sender whom the others cannot see: they do not learn who it was either.
        ``agent``: what it writes may be for somebody else.
        """
        if not permitted:
            self._drop("not permitted")
            return _NOTHING, []
        try:
            sid, identity = ("", "") if anonymous else (sender.sid, sender.identity)
            stamped = stamp(message, sid, identity, agent=agent)
        except DecodeError:
            self._drop("undecodable")
            return _NOTHING, []
        if stamped.content in _NOT_BY_CLIENTS or (stamped.content in _BY_AGENTS and not agent):
            self._drop(stamped.content)
            return _NOTHING, []
        self.messages += 1
        return stamped, [each for each in others if stamped.is_for(each.sid, each.identity)]

    def _drop(self, why: str) -> None:
        self.drops[why] = self.drops.get(why, 0) + 1
