"""A media section's two halves, as an application holds them (W3C ``RTCRtpTransceiver``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from pystack.errors import Closed, InvalidArgument, Reason
from pystack.peer.arguments import check_direction
from pystack.peer.receiver import RtpReceiver
from pystack.peer.sender import RtpSender
from pystack.sdp.jsep import CodecCapability, ExtensionCapability

__all__ = ["Direction", "MediaKind", "Transceiver"]

MediaKind = Literal["audio", "video"]
"""What a section carries; data has a section of its own."""
Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
"""Which way media goes, from the view of whoever says it."""


class Transceiver:
    """One media section: what we want of it, and what was agreed.

    Attributes:
        kind: ``"audio"`` or ``"video"``.
        mid: the section's name once it has one.
        current_direction: as agreed, from our view; ``None`` before the first answer, and when the section is no more.
        sender, receiver: the two halves.
        stopped: it was stopped, by either side or with the connection; where the connection lives, its section is
            rejected at the next negotiation.
        key: the connection's number for it, as statistics name it.
        from_remote: a remote offer brought it; rolling that back takes it away again, unless ``add_track`` chose it.
        from_track: ``add_track`` made or chose it; a section that the peer offers newly may take it.
        gone: it was stopped, and the peer agreed; where its section owns the transport, it stays there without media.
        used_to_send: it was agreed once that we send here, so ``add_track`` leaves it alone.
    """

    def __init__(
        self,
        *,
        key: int,
        kind: MediaKind,
        direction: Direction,
        sender: RtpSender,
        receiver: RtpReceiver,
        codecs: tuple[CodecCapability, ...],
        extensions: tuple[ExtensionCapability, ...],
        on_change: Callable[[], None],
        on_stop: Callable[[Transceiver], None],
        from_track: bool = False,
    ) -> None:
        self.key = key
        self.kind: MediaKind = kind
        self.mid: str | None = None
        self.current_direction: Direction | None = None
        self.used_to_send = self.gone = False
        self.sender = sender
        self.receiver = receiver
        self.stopped = False
        self.from_track = from_track
        self.from_remote = False
        self.remote_sends = False
        self.codecs = codecs
        self.codecs_chosen = False
        self.extensions = extensions
        self._available = codecs
        self._ended: Reason | None = None
        self._direction: Direction = direction
        self._on_change: Callable[[], None] = on_change
        self._on_stop: Callable[[Transceiver], None] = on_stop

    def __repr__(self) -> str:
        return f"<Transceiver {self.kind} mid={self.mid} {self._direction}, agreed {self.current_direction}>"

    @property
    def direction(self) -> Direction:
        """What we want; setting it asks for a negotiation.

        Raises:
            InvalidArgument: it is no direction.
            Closed: set on a transceiver that was stopped, or whose connection ended.
        """
        return self._direction

    @direction.setter
    def direction(self, value: Direction) -> None:
        check_direction(value)
        self._check_open()
        if value != self._direction:
            self._direction = value
            self._on_change()

    def set_codec_preferences(self, codecs: Sequence[CodecCapability]) -> None:
        """Offer and answer with these codecs, in this order; empty restores the configuration's.

        Raises:
            InvalidArgument: it is no list, or one of them is not among the configuration's.
            Closed: the transceiver was stopped, or its connection ended.
        """
        self._check_open()
        if not isinstance(codecs, list | tuple):
            raise InvalidArgument(
                f"codecs is a list of those of transceiver.codecs, empty for the configuration's, not {codecs!r:.80}"
            )
        for codec in codecs:
            if codec not in self._available:
                name = getattr(codec, "name", None)
                if name is None:
                    raise InvalidArgument(f"{codec!r} is no codec; choose from the transceiver's codecs by their name")
                raise InvalidArgument(f"{name} is not among the configured codecs; add it to the Configuration")
        self.codecs = tuple(codecs) or self._available
        self.codecs_chosen = bool(codecs)
        self._on_change()

    def handle_end(self, reason: Reason) -> None:
        """The connection, or the section, ended."""
        self.stopped = True
        self._ended = self._ended or reason
        self.sender.handle_end(reason)
        self.receiver.handle_end(reason)
        self._on_change = self._on_stop = _nothing

    def stop(self) -> None:
        """Stop both halves for good, at once; the section is rejected at the next negotiation."""
        if not self.stopped:
            self.stopped = True
            self._on_change()
            self._on_stop(self)

    def _check_open(self) -> None:
        if self._ended is not None:
            raise Closed.because(f"{self.kind} transceiver", self._ended)


def _nothing(*_: object) -> None:
    return
