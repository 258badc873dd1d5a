"""The one file that knows the peer connection: a participant's transport as a room's runtime uses it.

It turns plans into transceiver directions, tracks and routes into senders and receivers, and the two LiveKit data
channels into messages in and out. Everything that it starts belongs to its scope; ``close`` awaits nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import attrs
import structlog

from pystack import (
    Configuration,
    ConnectionStateChanged,
    DataChannel,
    DataChannelAdded,
    IceCandidate,
    PeerConnection,
    PeerConnectionClosed,
    PeerEvent,
    SessionDescription,
    Transceiver,
)
from pystack.aio import Scope
from pystack.errors import Closed, LocalProtocolError, MessageTooLarge, PeerClosed, StackError, WouldBlock
from pystack.rtp import StreamTold
from sfu.data import DATA_TRACK, LABELS, Backlog, DeliveryQueue, policy_for
from sfu.media import Munger, Outlet, PacketSource
from sfu.server.sections import offered_sections
from sfu.tracks import OfferedSection, SectionPlan

__all__ = ["MediaOwner", "MediaSession", "NegotiationFailed"]

MAX_STRAYS: Final = 16
"""Channels with other labels that may stay open; a client's own business, but each costs memory here."""
_CLOCK_RATES: Final[Mapping[str, int]] = {"audio": 48000, "video": 90000}


class NegotiationFailed(Exception):
    """An offer cannot be answered; the text says why."""


class MediaOwner(Protocol):
    """Who is told what happens to a participant's transport."""

    def media_connected(self) -> None:
        """The transport works."""

    def media_lost(self, why: str, *, goodbye: bool = False) -> None:
        """The transport has ended by itself; ``goodbye`` if the client closed it in good order."""

    def media_message(self, label: str, message: bytes) -> None:
        """A message arrived on one of the two LiveKit channels."""

    def media_frame(self, packet: bytes) -> None:
        """A packet of a data track arrived."""


@attrs.frozen
class Answer:
    """An SDP answer, and the MIME type that each section receives, by mid."""

    sdp: str
    mime_types: Mapping[str, str]


class MediaSession:
    """One participant's peer connection.

    Attributes:
        frames, frame_drops: packets of data tracks that were written, and those that were not, by why.
        deliveries: what waits for each of the participant's data channels, by label.
        stray_messages: messages on channels that are not LiveKit's; counted and dropped.
        stray_channels: such channels announced so far; above :data:`MAX_STRAYS` they are closed at once.
    """

    def __init__(self, configuration: Configuration, owner: MediaOwner, clock: Callable[[], float]) -> None:
        self.deliveries = {label: DeliveryQueue(policy_for(label)) for label in LABELS}
        self.frames = 0
        self.frame_drops: dict[str, int] = {}
        self._backlog = Backlog()
        self.stray_messages = 0
        self.stray_channels = 0
        self._owner: MediaOwner | None = owner
        self._clock = clock
        self._peer = PeerConnection(configuration)
        self._stop_listening = self._peer.listen(self._handle)
        self._scope = Scope("media session", self._died)
        self._channels: dict[str, DataChannel] = {}
        self._draining: set[str] = set()
        self._mungers: dict[str, Munger] = {}
        self._watching: dict[str, Callable[[], None]] = {}

    # ------------------------------------------------------------------ negotiation

    def start(self, coroutine: Any, name: str) -> None:
        """Run something as long as this session lives."""
        if self._scope.closed:
            coroutine.close()
        else:
            self._scope.start(coroutine, name)

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
                if transceiver is not None:
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

    def outlet(self, mid: str) -> Outlet | None:
        """Where packets for a section go, and the numbering of that stream."""
        transceiver = self._find(mid)
        if transceiver is None:
            return None
        munger = self._mungers.setdefault(mid, Munger(_CLOCK_RATES[transceiver.kind]))
        return Outlet(transceiver.sender, munger)

    # ------------------------------------------------------------------ data

    def deliver(self, label: str, message: bytes) -> None:
        """Send a message to the participant, or let it wait; never blocks, and what is dropped is counted."""
        queue = self.deliveries[label]
        channel = self._channels.get(label)
        if channel is not None and not queue and label not in self._draining and self._write(queue, channel, message):
            return
        if queue.offer(message, self._clock()):
            self._drain_later(label)

    def deliver_frame(self, packet: bytes) -> None:
        """Send a packet of a data track, unless it would wait too long. Hot."""
        channel = self._channels.get(DATA_TRACK)
        if channel is None:
            self._drop_frame("no channel")
        elif not self._backlog.admit(len(packet), channel.buffered_amount, self._clock()):
            self._drop_frame("late")
        else:
            try:
                channel.write_nowait(packet)
            except (WouldBlock, MessageTooLarge, Closed, LocalProtocolError) as error:
                self._drop_frame(type(error).__name__)
            else:
                self.frames += 1

    # ------------------------------------------------------------------ end

    def close(self) -> None:
        """Let go of everything, now."""
        self._owner = None
        self._stop_listening()
        self._scope.cancel()
        for channel in self._channels.values():
            channel.on_message = None
        self._channels.clear()
        self._watching.clear()
        for queue in self.deliveries.values():
            queue.clear()
        self._peer.abort()

    def stats(self) -> dict[str, Any]:
        """What the debug page shows of this session."""
        return {
            "connection": self._peer.connection_state,
            "strays": {"channels": self.stray_channels, "messages": self.stray_messages},
            "data_tracks": {"packets": self.frames, "drops": self.frame_drops},
            "data": {
                label: {"waiting": len(queue), "delivered": queue.delivered, "drops": queue.drops}
                for label, queue in self.deliveries.items()
            },
        }

    # ------------------------------------------------------------------ inside

    def _handle(self, event: PeerEvent) -> None:
        owner = self._owner
        if owner is None:
            return
        if isinstance(event, ConnectionStateChanged):
            if event.state == "connected":
                owner.media_connected()
            elif event.state == "failed":
                owner.media_lost("the connection failed")
        elif isinstance(event, DataChannelAdded):
            self._adopt(event.channel)
        elif isinstance(event, PeerConnectionClosed):
            owner.media_lost(f"the connection ended: {event.reason}", goodbye=isinstance(event.reason, PeerClosed))

    def _died(self, error: BaseException) -> None:
        """A task of ours died of a bug: the participant ends, the others go on."""
        structlog.get_logger("sfu.media").error("a media task died", exc_info=error)
        if self._owner is not None:
            self._owner.media_lost("internal error")

    def _adopt(self, channel: DataChannel) -> None:
        label = channel.label
        if label in self._channels or label not in {DATA_TRACK, *LABELS}:
            self.stray_channels += 1
            channel.on_message = self._stray
            if self.stray_channels > MAX_STRAYS:
                channel.begin_close()
            return
        self._channels[label] = channel
        channel.on_close = lambda _: self._forget(label, channel)
        if label == DATA_TRACK:
            channel.on_message = self._receive_frame
        else:
            channel.on_message = lambda message: self._receive(label, message)
            self._drain_later(label)

    def _forget(self, label: str, channel: DataChannel) -> None:
        if self._channels.get(label) is channel:
            del self._channels[label]

    def _receive(self, label: str, message: bytes | str) -> None:
        if self._owner is not None:
            self._owner.media_message(label, message.encode() if isinstance(message, str) else message)

    def _receive_frame(self, message: bytes | str) -> None:
        if self._owner is not None:
            self._owner.media_frame(message.encode() if isinstance(message, str) else message)

    def _drop_frame(self, why: str) -> None:
        self.frame_drops[why] = self.frame_drops.get(why, 0) + 1

    def _stray(self, message: bytes | str) -> None:
        self.stray_messages += 1

    def _drain_later(self, label: str) -> None:
        if label in self._channels and label not in self._draining and self.deliveries[label]:
            self._draining.add(label)
            self.start(self._drain(label), f"data {label}")

    async def _drain(self, label: str) -> None:
        """Empty the queue of one channel as fast as the participant takes it."""
        queue = self.deliveries[label]
        try:
            while (message := queue.front(self._clock())) is not None:
                channel = self._channels.get(label)
                if channel is None:
                    return
                try:
                    channel.write_nowait(message)
                    queue.delivered_front()
                except WouldBlock:
                    await self._room(channel, queue.deadline)
                except MessageTooLarge:
                    queue.drop_front("too large")
        except (Closed, LocalProtocolError):
            queue.clear()
        finally:
            self._draining.discard(label)

    async def _room(self, channel: DataChannel, deadline: float) -> None:
        try:
            await channel.writable(timeout=max(0.0, deadline - self._clock()))
        except TimeoutError:
            return  # `front` drops what waited too long

    @staticmethod
    def _write(queue: DeliveryQueue, channel: DataChannel, message: bytes) -> bool:
        try:
            channel.write_nowait(message)
        except WouldBlock:
            return False
        except MessageTooLarge:
            queue.drop("too large")
        except (Closed, LocalProtocolError):
            queue.drop("closed")
        else:
            queue.delivered += 1
        return True

    def _find(self, mid: str) -> Transceiver | None:
        return next((each for each in self._peer.transceivers if each.mid == mid), None)


def _apply(plan: SectionPlan, transceiver: Transceiver) -> None:
    if plan.send:
        transceiver.sender.set_track(plan.send, [plan.stream_id])
    receives = bool(plan.receive)
    transceiver.direction = (
        "sendrecv" if receives and plan.send else "recvonly" if receives else "sendonly" if plan.send else "inactive"
    )
