"""The transceivers of one connection: how they come, follow what is agreed, and go (W3C webrtc-pc section 4.4.1.5).

Whatever a description means for a transceiver is decided here, from the values that ``pystack.sdp.jsep`` computed;
each method says what the application should hear. Used by the connection alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pystack.aio import Driver
from pystack.errors import LOCAL, Reason
from pystack.peer.agreed import apply_section, apply_transport, withdraw
from pystack.peer.configuration import Configuration
from pystack.peer.events import PeerEvent, TrackAdded, TrackRemoved
from pystack.peer.receiver import RtpReceiver
from pystack.peer.sender import RtpSender
from pystack.peer.transceiver import Direction, MediaKind, Transceiver
from pystack.sdp.attributes.direction import sends
from pystack.sdp.jsep import LocalSection, NegotiatedSection, Negotiation, RemoteSection
from pystack.session import Session

__all__ = ["Transceivers"]


class Transceivers:
    """All transceivers, by the connection's own number for each."""

    def __init__(
        self,
        session: Session,
        driver: Driver,
        configuration: Configuration,
        on_change: Callable[[], None],
    ) -> None:
        self._session = session
        self._driver = driver
        self._configuration = configuration
        self._on_change: Callable[[], None] = on_change
        self._by_key: dict[int, Transceiver] = {}
        self._next_key = 1
        self._ssrcs: set[int] = set()

    def __iter__(self) -> Iterator[Transceiver]:
        """In the order in which they came to be."""
        return iter(tuple(self._by_key.values()))

    def get(self, key: int | None) -> Transceiver | None:
        """Return the one with this number, or with one of a simulcast layer of its sender."""
        return None if key is None else self._by_key.get(key & 0xFFFFFFFF)

    def add(
        self,
        kind: MediaKind,
        direction: Direction,
        *,
        from_track: bool = False,
        encodings: tuple[str, ...] = (),
        asked: tuple[str, ...] = (),
    ) -> Transceiver:
        """Make one more; ``encodings`` are the layers to send, and ``asked`` those that the peer is asked for."""
        configuration = self._configuration
        key = self._next_key
        self._next_key += 1
        audio = kind == "audio"
        rtcp = configuration.inbox_rtcp
        sender = RtpSender(self._session, self._driver, key, kind, self._fresh_ssrc, self._on_change, rtcp, encodings)
        transceiver = self._by_key[key] = Transceiver(
            key=key,
            kind=kind,
            direction=direction,
            sender=sender,
            receiver=RtpReceiver(self._session, self._driver, key, kind, configuration.inbox_packets, rtcp, asked),
            codecs=configuration.audio_codecs if audio else configuration.video_codecs,
            extensions=configuration.audio_extensions if audio else configuration.video_extensions,
            on_change=self._on_change,
            on_stop=self._stop,
            from_track=from_track,
        )
        return transceiver

    def reusable(self, kind: MediaKind) -> Transceiver | None:
        """Return one that ``add_track`` may send on: of that kind, without a track, and never used to send."""
        for transceiver in self._by_key.values():
            usable = transceiver.kind == kind and not transceiver.stopped
            if usable and not transceiver.sender.track_id and not transceiver.used_to_send:
                return transceiver
        return None

    # ---- following the descriptions

    def place(self, sections: Sequence[LocalSection]) -> None:
        """A local description was applied: its sections name the transceivers."""
        for section in sections:
            transceiver = self.get(section.transceiver)
            if transceiver is not None and not section.rejected:
                transceiver.mid = section.mid

    def meet(self, sections: Sequence[RemoteSection], *, offered: bool) -> list[PeerEvent]:
        """A remote description was applied: give each section its transceiver; say which tracks came and went."""
        heard: list[PeerEvent] = []
        for section in sections:
            if section.kind not in {"audio", "video"}:
                continue
            transceiver = self.get(section.transceiver)
            if transceiver is None:
                if section.rejected or section.transceiver is not None:
                    continue
                transceiver = self.add("audio" if section.kind == "audio" else "video", "recvonly")
                transceiver.from_remote = True
            if not section.rejected:
                transceiver.mid = section.mid
                if offered and section.simulcast:
                    transceiver.sender.adopt_layers([rid.id for rid in section.receive_rids])
            heard += _hear(transceiver, section)
            if section.rejected and offered:  # for good, also when the offer is rolled back
                transceiver.current_direction = None
                transceiver.stop()
        return heard

    def settle(self, sections: Sequence[NegotiatedSection], *, final: bool) -> None:
        """An answer was applied: make the RTP session be what was agreed, for now or (``final``) until the next one."""
        apply_transport(self._session.rtp, sections)
        by_mid = {transceiver.mid: transceiver for transceiver in reversed(tuple(self))}
        for section in sections:
            transceiver = self.get(section.transceiver)
            if transceiver is None and section.rejected:  # an offered rejection names its section alone
                transceiver = by_mid.get(section.mid)
            if transceiver is None:
                continue
            apply_section(self._session.rtp, transceiver, section)
            if section.rejected and final:  # by either side: its m-line may be taken by another section from now on
                self._drop(transceiver, LOCAL)
            transceiver.gone |= transceiver.stopped and final and section.direction == "inactive"

    def unplace(self, negotiation: Negotiation) -> list[PeerEvent]:
        """An offer was rolled back: what it had brought is as it was before (W3C 4.4.1.5, step for rollback)."""
        heard: list[PeerEvent] = []
        before = {section.mid: section for section in negotiation.remote_sections}
        mids = negotiation.mids
        for transceiver in self:
            if transceiver.mid is None:
                continue
            if transceiver.mid in mids:
                if transceiver.mid in before and not transceiver.stopped:
                    heard += _hear(transceiver, before[transceiver.mid])
                continue
            transceiver.mid = None
            transceiver.sender.forget_layers()
            if transceiver.remote_sends:
                transceiver.remote_sends = False
                heard.append(TrackRemoved(transceiver))
            if transceiver.stopped or (transceiver.from_remote and not transceiver.from_track):
                self._drop(transceiver, LOCAL)
        return heard

    def end(self, reason: Reason) -> None:
        """The connection ended."""
        self._on_change = _nothing
        for transceiver in self._by_key.values():
            transceiver.current_direction = None
            transceiver.handle_end(reason)

    def _stop(self, transceiver: Transceiver) -> None:
        """Nothing goes out or comes in any more; the section is rejected with the next negotiation, if there is one."""
        if transceiver.mid is None:
            self._drop(transceiver, LOCAL)
        else:
            withdraw(self._session.rtp, transceiver)
            transceiver.handle_end(LOCAL)

    def _drop(self, transceiver: Transceiver, reason: Reason) -> None:
        withdraw(self._session.rtp, transceiver)
        transceiver.current_direction = None
        transceiver.handle_end(reason)
        self._by_key.pop(transceiver.key, None)

    def _fresh_ssrc(self) -> int:
        if len(self._ssrcs) > 64 + 4 * len(self._by_key):  # most were given up meanwhile
            self._ssrcs = {ssrc for transceiver in self for ssrc in transceiver.sender.all_ssrcs}
        while True:
            ssrc = self._configuration.randomness.integer(32)
            if ssrc and ssrc not in self._ssrcs:
                self._ssrcs.add(ssrc)
                return ssrc


def _nothing() -> None:
    return


def _hear(transceiver: Transceiver, section: RemoteSection) -> list[PeerEvent]:
    """Take over what the peer says of its side of a section; say whether its track came or went."""
    sending = not section.rejected and not transceiver.stopped and sends(section.direction)
    joined = False  # a stream that it was not in
    if sending:
        receiver = transceiver.receiver
        joined = not set(section.stream_ids) <= set(receiver.stream_ids)
        receiver.track_id = section.track_id
        receiver.stream_ids = section.stream_ids
        receiver.rids = tuple(rid.id for rid in section.rids)
    if sending == transceiver.remote_sends and not joined:
        return []
    transceiver.remote_sends = sending
    return [TrackAdded(transceiver) if sending else TrackRemoved(transceiver)]
