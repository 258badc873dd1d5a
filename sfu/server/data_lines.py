"""A participant's data channels: the two for messages and the one for data tracks, in and out.

Whoever makes the channels, the client or we, they are known by their labels (LiveKit's ``_reliable``, ``_lossy`` and
``_data_track``). Nothing here blocks, and what is dropped is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from pystack import DataChannel, PeerConnection
from pystack.errors import Closed, LocalProtocolError, MessageTooLarge, WouldBlock
from sfu.data import DATA_TRACK, LABELS, LOSSY, RELIABLE, Backlog, DeliveryQueue, policy_for

__all__ = ["MAX_STRAYS", "DataLines", "DataOwner"]

MAX_STRAYS: Final = 16
"""Channels with other labels that may stay open; a client's own business, but each costs memory here."""

_Start = Callable[[Coroutine[Any, Any, None], str], None]


class DataOwner(Protocol):
    """Who is told what arrives."""

    def media_message(self, label: str, message: bytes) -> None:
        """A message arrived on one of the two channels for messages."""

    def media_frame(self, packet: bytes) -> None:
        """A packet of a data track arrived."""


class DataLines:
    """The data channels of one peer connection.

    Attributes:
        deliveries: what waits for each of the channels for messages, by label.
        frames, frame_drops: packets of data tracks that were written, and those that were not, by why.
        stray_messages: messages on channels that are not LiveKit's; counted and dropped.
        stray_channels: such channels announced so far; above :data:`MAX_STRAYS` they are closed at once.
    """

    def __init__(self, owner: DataOwner, clock: Callable[[], float], start: _Start) -> None:
        """``start`` runs a coroutine, with a name, as long as the peer connection lives."""
        self.deliveries = {label: DeliveryQueue(policy_for(label)) for label in LABELS}
        self.frames = 0
        self.frame_drops: dict[str, int] = {}
        self.stray_messages = 0
        self.stray_channels = 0
        self._owner: DataOwner | None = owner
        self._clock = clock
        self._start = start
        self._backlog = Backlog()
        self._channels: dict[str, DataChannel] = {}
        self._draining: set[str] = set()

    # ------------------------------------------------------------------ channels

    def open(self, peer: PeerConnection) -> None:
        """Make the three channels ourselves."""
        self.adopt(peer.create_data_channel(RELIABLE))
        for label in (LOSSY, DATA_TRACK):
            self.adopt(peer.create_data_channel(label, ordered=False, max_retransmits=0))

    def adopt(self, channel: DataChannel) -> None:
        """Use a channel by its label."""
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

    def close(self) -> None:
        """Let go of all channels, now."""
        self._owner = None
        for channel in self._channels.values():
            channel.on_message = None
        self._channels.clear()
        for queue in self.deliveries.values():
            queue.clear()

    # ------------------------------------------------------------------ out

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

    def stats(self) -> dict[str, Any]:
        """What the debug page shows of them."""
        return {
            "strays": {"channels": self.stray_channels, "messages": self.stray_messages},
            "data_tracks": {"packets": self.frames, "drops": self.frame_drops},
            "data": {
                label: {"waiting": len(queue), "delivered": queue.delivered, "drops": queue.drops}
                for label, queue in self.deliveries.items()
            },
        }

    # ------------------------------------------------------------------ inside

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
            self._start(self._drain(label), f"data {label}")

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
