"""One data channel as an application holds it: awaitable, iterable, and always ending (W3C webrtc-pc section 6.2).

Every wait in here ends with its result, at its deadline, or with the channel, whichever is first. A message is taken
whole or not at all. Messages that arrive before anybody reads are kept: nothing is taken from the peer's window until
they are read, so the window is the bound.

The channel's life itself (OPEN, ACK, resets, identifiers) is ``pystack.datachannel``; this is only where one waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Final, Literal, Self

from pystack.datachannel import ChannelStats
from pystack.errors import (
    LOCAL,
    Closed,
    InvalidArgument,
    LocalProtocolError,
    PeerClosed,
    Reason,
    RemoteProtocolError,
    WouldBlock,
)
from pystack.peer.arguments import check_callback, check_timeout, check_whole
from pystack.peer.inbox import Inbox
from pystack.peer.outward import call_out
from pystack.peer.parked import ParkedWriters
from pystack.peer.waiting import Awaited

if TYPE_CHECKING:
    from types import TracebackType

    from pystack.aio import Driver
    from pystack.session import Session

__all__ = ["DataChannel", "DataChannelState"]

DataChannelState = Literal["connecting", "open", "closing", "closed"]
"""A value of ``RTCDataChannelState``."""

_MAX_EMPTY: Final = 16384
"""Empty messages that are kept for a reader; they take nothing of the window, so nothing else bounds them."""
_START_A_TASK: Final = "start a task in a plain function, or take the messages by async for"


class DataChannel:
    """A data channel of a connection; made by ``create_data_channel`` or brought by ``DataChannelAdded``.

    Attributes:
        label: its name.
        protocol: the subprotocol's name.
        ordered: whether messages keep their order.
        max_packet_life_time: milliseconds that a message is tried, or ``None``.
        max_retransmits: how often a message is sent again at most, or ``None``.
        negotiated: whether it was agreed upon out of band.
        reason: why it ended; ``None`` while it lives.
    """

    def __init__(
        self,
        session: Session,
        driver: Driver,
        handle: int,
        state: DataChannelState,
        standing: Callable[[], str],
        on_left: Callable[[DataChannel], None],
    ) -> None:
        info = session.channels.info(handle)
        self.label = info.label
        self.protocol = info.protocol
        self.ordered = info.ordered
        self.max_retransmits = info.max_retransmits
        self.max_packet_life_time = None if info.max_lifetime is None else round(info.max_lifetime * 1000)
        self.negotiated = info.negotiated
        self.reason: Reason | None = None
        self._on_close: Callable[[Reason], None] | None = None
        self._on_low: Callable[[], None] | None = None
        self._standing: Callable[[], str] = standing
        self._session = session
        self._driver = driver
        # Messages stay behind that nothing is charged for any more. Let go at the end, for it holds the connection.
        self._on_left: Callable[[DataChannel], None] | None = on_left
        self._handle = handle
        self._id = info.id
        self._state: DataChannelState = state
        self._closing: Reason | None = None  # why it closes, while it does
        self._low_threshold = 0
        self._writers = ParkedWriters(self._send, self._why_late)
        self._inbox: Inbox[tuple[bytes | str, int]] = Inbox(self._what)  # with the size on the wire
        self._unread = 0
        self._empty = 0
        self._openers = Awaited()
        self._closers = Awaited()
        self._on_message: Callable[[bytes | str], None] | None = None

    def __repr__(self) -> str:
        return f"<DataChannel {self.label!r} {self._state}>"

    @property
    def _what(self) -> str:
        return f'data channel "{self.label}"'

    # ---- what it is

    @property
    def id(self) -> int | None:
        """The SCTP stream, or ``None`` before the DTLS role is known."""
        if self._id is None and self._state in {"connecting", "open"}:
            self._learn_id()
        return self._id

    @property
    def ready_state(self) -> DataChannelState:
        """``connecting``, ``open``, ``closing`` or ``closed``."""
        return self._state

    @property
    def buffered_amount(self) -> int:
        """Bytes that were taken and have not departed yet."""
        return 0 if self._state == "closed" else self._session.channels.buffered_amount(self._handle)

    @property
    def buffered_amount_low_threshold(self) -> int:
        """The number of bytes at which ``on_buffered_amount_low`` is called; settable.

        Raises:
            InvalidArgument: set to what is no whole number, or a negative one.
        """
        return self._low_threshold

    @buffered_amount_low_threshold.setter
    def buffered_amount_low_threshold(self, nbytes: int) -> None:
        check_whole("buffered_amount_low_threshold", nbytes)
        self._low_threshold = nbytes
        if self._state != "closed":
            self._session.channels.set_low_threshold(self._handle, nbytes)

    @property
    def max_message_size(self) -> int:
        """The largest message in bytes that the peer takes; 0 means no limit."""
        return self._session.channels.max_message_size

    def counters(self) -> ChannelStats:
        """Messages and bytes that passed so far; all zero once the channel is closed."""
        try:
            return self._session.channels.stats(self._handle)
        except LocalProtocolError:  # it is gone; if we were not told yet, we are about to be
            return ChannelStats(messages_sent=0, bytes_sent=0, messages_received=0, bytes_received=0)

    # ---- writing

    async def write(self, data: bytes | str, *, timeout: float | None = None) -> None:
        """Hand over one message; wait while there is no room for it. Text when it is ``str``.

        Returns once the message was taken, not once it was acknowledged.

        Args:
            data: the message; a ``bytearray`` or a ``memoryview`` is copied.
            timeout: seconds to wait at most, beside the deadline of :meth:`set_write_deadline`.

        Raises:
            InvalidArgument: neither bytes nor text, or a ``timeout`` that is no number.
            TimeoutError: a deadline has passed; nothing was taken. The message says where the connection stands.
            MessageTooLarge: above :attr:`max_message_size`.
            Closed: the channel ended, or is closing.
        """
        if timeout is not None:
            check_timeout(timeout)
        self._check_usable()
        if data.__class__ is not bytes and data.__class__ is not str:
            data = _as_message(data)
        if self._writers.expired:
            raise TimeoutError(self._why_late())
        if self._writers.offer(data):
            self._driver.soon()
            return
        deadline = inf if timeout is None else self._driver.now() + timeout
        await self._writers.park(data, deadline)

    def write_nowait(self, data: bytes | str) -> None:
        """Hand over one message now or not at all.

        Raises:
            InvalidArgument: neither bytes nor text.
            WouldBlock: there is no room, or others wait already.
            MessageTooLarge: above :attr:`max_message_size`.
            Closed: the channel ended, or is closing.
        """
        self._check_usable()
        if data.__class__ is not bytes and data.__class__ is not str:
            data = _as_message(data)
        if not self._writers.offer(data):
            raise WouldBlock(f"{self._what} has no room now; await writable() and try again")
        self._driver.soon()

    async def writable(self, *, timeout: float | None = None) -> None:
        """Wait, behind those who wait already, until there is room after a refusal.

        Raises:
            InvalidArgument: a ``timeout`` that is no number.
            TimeoutError: a deadline has passed.
            Closed: the channel ended, or is closing.
        """
        check_timeout(timeout)
        self._check_usable()
        if not self._writers.blocked:
            return
        await self._writers.park(None, inf if timeout is None else self._driver.now() + timeout)

    def set_write_deadline(self, at: float | None) -> None:
        """Set the loop time at which waiting writes give up, those who wait now included; ``None`` for none.

        Raises:
            InvalidArgument: it is no number.
        """
        check_timeout(at, "at")
        self._writers.set_deadline(inf if at is None else at)

    # ---- reading

    async def read(self, *, timeout: float | None = None) -> bytes | str:
        """Return the next message; ``str`` if it was sent as text.

        Messages that arrived before the end can still be read after it.

        Raises:
            TimeoutError: nothing came in time.
            Closed: the channel ended and everything was read.
        """
        item = await self._inbox.take(timeout)
        self._forget(item)
        return item[0]

    async def __aiter__(self) -> AsyncIterator[bytes | str]:
        """Yield the messages until the channel ends in good order; raise :class:`Closed` if it ends otherwise."""
        while True:
            try:
                message = await self.read()
            except Closed as end:
                if end.reason == LOCAL or isinstance(end.reason, PeerClosed):
                    return
                raise
            yield message

    @property
    def on_message(self) -> Callable[[bytes | str], None] | None:
        """Called with each message instead of keeping it for a reader; those kept so far are delivered first.

        Raises:
            InvalidArgument: set to what cannot be called, or to an ``async def``, which nobody would await.
        """
        return self._on_message

    @on_message.setter
    def on_message(self, callback: Callable[[bytes | str], None] | None) -> None:
        check_callback("on_message", callback, _START_A_TASK)
        self._on_message = callback
        self._inbox.set_tap(None if callback is None else self._deliver)

    # ---- being told

    @property
    def on_close(self) -> Callable[[Reason], None] | None:
        """Called once with the reason when the channel has ended.

        Raises:
            InvalidArgument: set to what cannot be called, or to an ``async def``.
        """
        return self._on_close

    @on_close.setter
    def on_close(self, callback: Callable[[Reason], None] | None) -> None:
        check_callback("on_close", callback, "start a task in a plain function")
        self._on_close = callback

    @property
    def on_buffered_amount_low(self) -> Callable[[], None] | None:
        """Called when what is buffered falls to :attr:`buffered_amount_low_threshold`.

        Raises:
            InvalidArgument: set to what cannot be called, or to an ``async def``.
        """
        return self._on_low

    @on_buffered_amount_low.setter
    def on_buffered_amount_low(self, callback: Callable[[], None] | None) -> None:
        check_callback("on_buffered_amount_low", callback, "start a task in a plain function, or await writable()")
        self._on_low = callback

    # ---- opening and closing

    async def wait_open(self, *, timeout: float | None = None) -> None:
        """Wait until the channel can be used by both sides.

        Raises:
            InvalidArgument: a ``timeout`` that is no number.
            TimeoutError: not in time; the message says what is missing.
            Closed: it ended instead; the reason says why.
        """
        try:
            await self._openers.until(self._is_open, timeout)
        except TimeoutError:
            raise TimeoutError(f"{self._what} did not open within {timeout:g} s; {self._standing()}") from None

    async def close(self, *, timeout: float = 5.0) -> None:
        """Close: what was taken goes out first, then the stream is reset. Returns within ``timeout`` in any case.

        Idempotent; a second caller waits for the same end. Cancelling the call leaves the channel closing.
        """
        check_timeout(timeout)
        if self._state == "closed":
            return
        self.begin_close()
        with suppress(TimeoutError):
            await self._closers.until(lambda: self._state == "closed", timeout)

    def begin_close(self) -> None:
        """The part of :meth:`close` that does not wait."""
        self._begin_end(LOCAL)

    async def __aenter__(self) -> Self:
        try:
            await self.wait_open()
        except BaseException:
            self.begin_close()  # nobody will leave what nobody entered
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        if (
            error is None
            and self.reason is not None
            and self.reason != LOCAL
            and not isinstance(self.reason, PeerClosed)
        ):
            raise Closed.because(self._what, self.reason)

    # ---- what the connection tells it

    def handle_open(self) -> None:
        """Both sides know of the channel."""
        if self._state == "connecting":
            self._state = "open"
            self._learn_id()
        self._openers.ring()

    def handle_message(self, data: bytes, binary: bool) -> None:
        """A whole message arrived."""
        size = len(data)
        if self._closing == LOCAL:  # W3C 6.2: what comes after close() is discarded
            self._consume(size)
            return
        self._unread += size
        self._empty += not size
        self._inbox.put((data if binary else data.decode("utf-8", "replace"), size))
        if self._empty > _MAX_EMPTY:
            self._begin_end(RemoteProtocolError(f"{_MAX_EMPTY} empty messages and nobody reads them"))

    def handle_writable(self) -> None:
        """The core answers a refusal."""
        self._writers.serve()

    def handle_low(self) -> None:
        """What is buffered fell to the threshold."""
        if self._on_low is not None:
            call_out(self._on_low)

    def handle_closing(self, reason: Reason) -> None:
        """The channel closes: who waits on it hears it now; what was taken still goes out."""
        if self._state in {"connecting", "open"}:
            self._state = "closing"
            self._closing = reason
            self._release(reason)

    def handle_closed(self, reason: Reason) -> None:
        """The one exit."""
        if self.reason is not None:
            return
        self._state = "closed"
        # An end of ours may have had a reason that the layer below does not know.
        self.reason = reason = self._closing if reason == LOCAL and self._closing is not None else reason
        self._release(reason)
        self._closers.ring()
        self._on_message = self._on_low = self._on_left = None
        self._standing = _ended
        self._inbox.set_tap(None)
        callback, self._on_close = self._on_close, None
        if callback is not None:
            call_out(callback, reason)

    @property
    def unread(self) -> int:
        """Bytes that arrived and that nobody has taken."""
        return self._unread

    def discard_unread(self) -> None:
        """Let go of what nobody has taken, of a channel that is closed or that this side closes."""
        self._inbox.clear()
        self._unread = self._empty = 0

    # ---- parts

    def _send(self, data: bytes | str) -> bool:
        try:
            taken = self._session.channels.send(self._handle, data, self._driver.now())
        except LocalProtocolError:
            return False  # it ends below, and says so further on in the events: that is the answer
        if taken:
            self._driver.soon()
        return taken

    def _deliver(self, item: tuple[bytes | str, int]) -> None:
        self._forget(item)
        if self._on_message is not None:
            call_out(self._on_message, item[0])

    def _forget(self, item: tuple[bytes | str, int]) -> None:
        """An item was taken: the window opens again."""
        size = item[1]
        self._unread -= size
        self._empty -= not size
        self._consume(size)

    def _consume(self, size: int) -> None:
        if size and self._state != "closed":
            self._session.channels.consume(self._handle, size, self._driver.now())
            self._driver.soon()

    def _begin_end(self, reason: Reason) -> None:
        if self._state in {"connecting", "open"}:
            self._session.channels.close(self._handle, self._driver.now())
            self.handle_closing(reason)
            if self._on_left is not None:
                self._on_left(self)
            self._driver.soon()

    def _release(self, reason: Reason) -> None:
        self._writers.terminate(self._what, reason)
        self._inbox.terminate(reason)
        self._openers.ring()

    def _why_late(self) -> str:
        return f"{self._what}: the write deadline has passed; {self._standing()}"

    def _learn_id(self) -> None:
        with suppress(LocalProtocolError):  # as in _send
            self._id = self._session.channels.info(self._handle).id

    def _is_open(self) -> bool:
        self._check_usable()
        return self._state == "open"

    def _check_usable(self) -> None:
        reason = self.reason if self.reason is not None else self._closing
        if reason is not None:
            raise Closed.because(self._what, reason)


def _ended() -> str:
    return "the channel has ended"


def _as_message(data: object) -> bytes | str:
    """Copy what is neither ``bytes`` nor ``str`` itself: it may change while the message waits."""
    if isinstance(data, str):
        return str.__str__(data)
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise InvalidArgument(f"a message is bytes or str, not {type(data).__name__}")
