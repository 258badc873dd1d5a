"""The one file that knows the peer connection: a participant's transport as a room's runtime uses it.

It turns plans into transceiver directions and an SDP, and tracks and routes into senders and receivers; data goes
through its lines. A client that receives on a peer connection of its own has two of these. Everything that it starts
belongs to its scope; ``close`` awaits nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol

import attrs
import structlog

from pystack import (
    Configuration,
    Congestion,
    CongestionChanged,
    ConnectionStateChanged,
    DataChannelAdded,
    IceCandidate,
    PeerConnection,
    PeerConnectionClosed,
    PeerEvent,
    SessionDescription,
    Transceiver,
)
from pystack.aio import Scope
from pystack.errors import PeerClosed, StackError
from pystack.rtp import StreamTold
from sfu.media import Munger, Outlet, PacketSource
from sfu.server.data_lines import DataLines, DataOwner
from sfu.server.sections import offered_sections
from sfu.tracks import OfferedSection, SectionPlan, SentSection

__all__ = ["MediaOwner", "MediaSession", "NegotiationFailed"]

_CLOCK_RATES: Final[Mapping[str, int]] = {"audio": 48000, "video": 90000}


class NegotiationFailed(Exception):
    """An offer cannot be made, or an answer to one; the text says why."""


class MediaOwner(DataOwner, Protocol):
    """Who is told what happens to a participant's transport."""

    def media_connected(self, session: MediaSession) -> None:
        """The transport works."""

    def media_lost(self, why: str, *, goodbye: bool = False) -> None:
        """The transport has ended by itself; ``goodbye`` if the client closed it in good order."""

    def media_congested(self, session: MediaSession, congestion: Congestion) -> None:
        """How the path to the client is has changed."""


@attrs.frozen
class Answer:
    """An SDP answer, and the MIME type that each section receives, by mid."""

    sdp: str
    mime_types: Mapping[str, str]


@attrs.frozen
class MadeOffer:
    """An SDP offer, and the mid of each of its sections, by name."""

    sdp: str
    mids: Mapping[str, str]


class MediaSession:
    """One participant's peer connection.

    Attributes:
        data: its data channels.
    """

    def __init__(self, configuration: Configuration, owner: MediaOwner, clock: Callable[[], float]) -> None:
        self._owner: MediaOwner | None = owner
        self._peer = PeerConnection(configuration)
        self._scope = Scope("media session", self._died)
        self.data = DataLines(owner, clock, self.start)
        self._stop_listening = self._peer.listen(self._handle)
        self._offering = asyncio.Lock()
        self._own: dict[str, Transceiver] = {}
        self._mungers: dict[str, Munger] = {}
        self._watching: dict[str, Callable[[], None]] = {}

    # ------------------------------------------------------------------ what runs

    def start(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Run something as long as this session lives."""
        if self._scope.closed:
            coroutine.close()
        else:
            self._scope.start(coroutine, name)

    # ------------------------------------------------------------------ negotiation

    async def apply_offer(self, sdp: str) -> tuple[OfferedSection, ...]:
        """Apply an offer and return its sections for the room to plan.

        Raises:
            NegotiationFailed: the offer cannot be used.
        """
        try:
            sections = offered_sections(sdp)
            await self._peer.set_remote_description(SessionDescription("offer", sdp))
        except (StackError, TimeoutError, ValueError) as error:
            raise NegotiationFailed(f"the offer cannot be used: {error}") from error
        return sections

    async def make_answer(self, plans: Sequence[SectionPlan]) -> Answer:
        """Answer the offer that was applied, by the room's plans.

        Raises:
            NegotiationFailed: no answer could be made.
        """
        by_mid = {transceiver.mid: transceiver for transceiver in self._peer.transceivers}
        try:
            for plan in plans:
                transceiver = by_mid.get(plan.mid)
                if transceiver is not None and not transceiver.stopped:  # else the client has just rejected it
                    _apply(plan, transceiver)
            await self._peer.set_local_description(await self._peer.create_answer())
        except (StackError, TimeoutError, ValueError) as error:
            raise NegotiationFailed(f"no answer could be made: {error}") from error
        description = self._peer.local_description
        assert description is not None
        received = {
            str(transceiver.mid): f"{transceiver.kind}/{transceiver.receiver.codecs[0].name}"
            for transceiver in self._peer.transceivers
            if transceiver.mid is not None and transceiver.receiver.codecs
        }
        return Answer(description.sdp, received)

    async def make_offer(self, sections: Sequence[SentSection], *, restart_ice: bool) -> MadeOffer:
        """Make and apply an offer of exactly these sections; the first brings the data channels too.

        Raises:
            NegotiationFailed: no offer could be made.
        """
        async with self._offering:  # one that took too long may still be at it
            try:
                if self._peer.local_description is None:
                    self.data.open(self._peer)
                for name in self._own.keys() - {section.name for section in sections}:
                    self._own.pop(name).stop()  # given up: what comes next takes its place in the description
                    self._mungers.pop(name, None)
                for section in sections:
                    self._place(section)
                await self._peer.set_local_description(await self._peer.create_offer(ice_restart=restart_ice))
            except (StackError, TimeoutError, ValueError) as error:
                raise NegotiationFailed(f"no offer could be made: {error}") from error
        description = self._peer.local_description
        assert description is not None
        mids = {name: transceiver.mid for name, transceiver in self._own.items() if transceiver.mid is not None}
        return MadeOffer(description.sdp, mids)

    async def apply_answer(self, sdp: str) -> None:
        """Apply the client's answer to our offer.

        Raises:
            NegotiationFailed: the answer cannot be used.
        """
        try:
            await self._peer.set_remote_description(SessionDescription("answer", sdp))
        except (StackError, TimeoutError, ValueError) as error:
            raise NegotiationFailed(f"the answer cannot be used: {error}") from error

    async def add_candidate(self, text: str) -> None:
        """Take the JSON of an ``RTCIceCandidateInit``; what cannot be used is ignored, as others may be usable."""
        try:
            await self._peer.add_ice_candidate(IceCandidate.from_json(text))
        except (StackError, ValueError, TypeError, KeyError, RecursionError, TimeoutError):
            return

    # ------------------------------------------------------------------ media

    def source(self, mid: str) -> PacketSource | None:
        """Where the packets of a section come from."""
        transceiver = self._find(mid)
        return transceiver.receiver if transceiver is not None else None

    def watch(self, mid: str, listener: Callable[[StreamTold], None]) -> None:
        """Let ``listener`` hear what happens to the streams of a section, in the place of whoever heard it before."""
        transceiver = self._find(mid)
        if transceiver is not None:
            stop = self._watching.pop(mid, None)
            if stop is not None:
                stop()
            self._watching[mid] = transceiver.receiver.listen(listener)

    def outlet(self, section: str) -> Outlet | None:
        """Where packets for a section (its mid, or its name where we offer) go, and the numbering of that stream."""
        transceiver = self._find(section)
        if transceiver is None:
            return None
        munger = self._mungers.setdefault(section, Munger(_CLOCK_RATES[transceiver.kind]))
        return Outlet(transceiver.sender, munger)

    # ------------------------------------------------------------------ end

    def close(self) -> None:
        """Let go of everything, now."""
        self._owner = None
        self._stop_listening()
        self._scope.cancel()
        self.data.close()
        self._own.clear()
        self._watching.clear()
        self._peer.abort()

    @property
    def congestion(self) -> Congestion:
        """How the path to the client is."""
        return self._peer.congestion

    def stats(self) -> dict[str, Any]:
        """What the debug page shows of this session."""
        return {"connection": self._peer.connection_state} | self.data.stats()

    # ------------------------------------------------------------------ inside

    def _handle(self, event: PeerEvent) -> None:
        owner = self._owner
        if owner is None:
            return
        if isinstance(event, ConnectionStateChanged):
            if event.state == "connected":
                owner.media_connected(self)
            elif event.state == "failed":
                owner.media_lost("the connection failed")
        elif isinstance(event, CongestionChanged):
            owner.media_congested(self, event.congestion)
        elif isinstance(event, DataChannelAdded):
            self.data.adopt(event.channel)
        elif isinstance(event, PeerConnectionClosed):
            owner.media_lost(f"the connection ended: {event.reason}", goodbye=isinstance(event.reason, PeerClosed))

    def _died(self, error: BaseException) -> None:
        """A task of ours died of a bug: the participant ends, the others go on."""
        structlog.get_logger("sfu.media").error("a media task died", exc_info=error)
        if self._owner is not None:
            self._owner.media_lost("internal error")

    def _place(self, section: SentSection) -> None:
        """Let a section of ours carry what it should, for the next offer."""
        transceiver = self._own.get(section.name)
        if transceiver is None or transceiver.stopped:  # the client rejected it, for want of a codec or at will
            transceiver = self._own[section.name] = self._peer.add_transceiver(section.kind, direction="inactive")
        _send(transceiver, section.track, section.stream_id)
        transceiver.direction = "sendonly" if section.track else "inactive"

    def _find(self, section: str) -> Transceiver | None:
        own = self._own.get(section)
        return own or next((each for each in self._peer.transceivers if each.mid == section), None)


def _send(transceiver: Transceiver, track: str, stream_id: str) -> None:
    if track:
        transceiver.sender.set_track(track, [stream_id])


def _apply(plan: SectionPlan, transceiver: Transceiver) -> None:
    _send(transceiver, plan.send, plan.stream_id)
    if plan.codec and transceiver.codecs[0].name.lower() != plan.codec:
        preferred = sorted(transceiver.codecs, key=lambda codec: codec.name.lower() != plan.codec)
        transceiver.set_codec_preferences(preferred)
    receives = bool(plan.receive)
    transceiver.direction = (
        "sendrecv" if receives and plan.send else "recvonly" if receives else "sendonly" if plan.send else "inactive"
    )
