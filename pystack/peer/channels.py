"""The data channels of one connection, by handle: who hears which of their events.

Used by the connection alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final
from weakref import ref

from pystack import datachannel
from pystack.aio import Driver
from pystack.errors import LOCAL, LocalProtocolError, PeerClosed, Reason
from pystack.peer.datachannel import DataChannel, DataChannelState
from pystack.session import Session

__all__ = ["Channels"]

_LEFT_OVER: Final = 256
"""Channels that are closed, or that this side closes, whose unread messages are kept for a late reader."""
_LEFT_OVER_BYTES: Final = 4 * 1024 * 1024
"""Bytes of them: the window is open again for what they hold, so it bounds nothing any more."""


class Channels:
    """A registry that routes.

    Args:
        session: whose channels they are.
        driver: what pumps it.
        on_added: called with each channel that the peer opened.
        standing: says in words where the connection stands, for whoever waits in vain.

    Attributes:
        handlers: which method hears which event.
    """

    def __init__(
        self,
        session: Session,
        driver: Driver,
        on_added: Callable[[DataChannel], None],
        standing: Callable[[], str],
    ) -> None:
        self._session = session
        self._driver = driver
        self._on_added: Callable[[DataChannel], None] = on_added
        self._standing: Callable[[], str] = standing
        self._by_handle: dict[int, DataChannel] = {}
        self._left_over: deque[ref[DataChannel]] = deque()
        self.handlers: dict[type, Callable[[Any], None]] = {
            datachannel.ChannelMessage: self._handle_message,
            datachannel.ChannelWritable: self._handle_writable,
            datachannel.ChannelBufferedAmountLow: self._handle_low,
            datachannel.ChannelOpened: self._handle_opened,
            datachannel.ChannelAnnounced: self._handle_announced,
            datachannel.ChannelClosing: self._handle_closing,
            datachannel.ChannelClosed: self._handle_closed,
        }

    @property
    def all(self) -> tuple[DataChannel, ...]:
        """Those that are not closed, oldest first."""
        return tuple(self._by_handle.values())

    @property
    def numbered(self) -> tuple[tuple[int, DataChannel], ...]:
        """The same with the number of each, which no other ever has."""
        return tuple(self._by_handle.items())

    def add(self, handle: int) -> DataChannel:
        """Hold a channel that this side opened."""
        channel = self._by_handle[handle] = self._make(handle, "connecting")
        return channel

    def end(self, reason: Reason) -> None:
        """The connection ended: so does every channel."""
        channels, self._by_handle = self._by_handle, {}
        for channel in channels.values():
            channel.handle_closed(reason)
        self.handlers = {}

    def _make(self, handle: int, state: DataChannelState) -> DataChannel:
        return DataChannel(self._session, self._driver, handle, state, self._standing, self._bound_left_over)

    def _handle_message(self, event: datachannel.ChannelMessage) -> None:
        channel = self._by_handle.get(event.handle)
        if channel is not None:
            channel.handle_message(event.data, event.binary)

    def _handle_writable(self, event: datachannel.ChannelWritable) -> None:
        channel = self._by_handle.get(event.handle)
        if channel is not None:
            channel.handle_writable()

    def _handle_low(self, event: datachannel.ChannelBufferedAmountLow) -> None:
        channel = self._by_handle.get(event.handle)
        if channel is not None:
            channel.handle_low()

    def _handle_opened(self, event: datachannel.ChannelOpened) -> None:
        channel = self._by_handle.get(event.handle)
        if channel is not None:
            channel.handle_open()

    def _handle_announced(self, event: datachannel.ChannelAnnounced) -> None:
        try:
            channel = self._make(event.handle, "open")
        except LocalProtocolError:  # the association ended in the same breath: there is nothing left to hold
            return
        self._by_handle[event.handle] = channel
        self._on_added(channel)

    def _handle_closing(self, event: datachannel.ChannelClosing) -> None:
        channel = self._by_handle.get(event.handle)
        if channel is not None:
            channel.handle_closing(PeerClosed("the peer closes the channel") if event.by_peer else LOCAL)

    def _handle_closed(self, event: datachannel.ChannelClosed) -> None:
        channel = self._by_handle.pop(event.handle, None)
        if channel is not None:
            channel.handle_closed(event.reason)
            self._bound_left_over(channel)

    def _bound_left_over(self, closed: DataChannel) -> None:
        """A peer that fills and closes channels faster than anybody reads them costs its oldest ones their messages."""
        if not closed.unread or any(kept() is closed for kept in self._left_over):
            return
        self._left_over.append(ref(closed))
        unread = [(kept, channel.unread) for kept in self._left_over if (channel := kept()) is not None]
        self._left_over = deque(kept for kept, size in unread if size)
        total = sum(size for _, size in unread)
        while total > _LEFT_OVER_BYTES or len(self._left_over) > _LEFT_OVER:
            oldest = self._left_over.popleft()()
            if oldest is not None:
                total -= oldest.unread
                oldest.discard_unread()
