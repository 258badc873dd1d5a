"""The data channels of one connection, by handle: who hears which of their events.

Used by the connection alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pystack import datachannel
from pystack.aio import Driver
from pystack.errors import LOCAL, PeerClosed, Reason
from pystack.peer.datachannel import DataChannel
from pystack.session import Session

__all__ = ["Channels"]


class Channels:
    """A registry that routes.

    Args:
        session: whose channels they are.
        driver: what pumps it.
        on_added: called with each channel that the peer opened.

    Attributes:
        handlers: which method hears which event.
    """

    def __init__(self, session: Session, driver: Driver, on_added: Callable[[DataChannel], None]) -> None:
        self._session = session
        self._driver = driver
        self._on_added: Callable[[DataChannel], None] = on_added
        self._by_handle: dict[int, DataChannel] = {}
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

    def add(self, handle: int) -> DataChannel:
        """Hold a channel that this side opened."""
        channel = self._by_handle[handle] = DataChannel(self._session, self._driver, handle, "connecting")
        return channel

    def end(self, reason: Reason) -> None:
        """The connection ended: so does every channel."""
        channels, self._by_handle = self._by_handle, {}
        for channel in channels.values():
            channel.handle_closed(reason)
        self.handlers = {}

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
        channel = self._by_handle[event.handle] = DataChannel(self._session, self._driver, event.handle, "open")
        self._on_added(channel)

    def _handle_closing(self, event: datachannel.ChannelClosing) -> None:
        channel = self._by_handle.get(event.handle)
        if channel is not None:
            channel.handle_closing(PeerClosed("the peer closes the channel") if event.by_peer else LOCAL)

    def _handle_closed(self, event: datachannel.ChannelClosed) -> None:
        channel = self._by_handle.pop(event.handle, None)
        if channel is not None:
            channel.handle_closed(event.reason)
