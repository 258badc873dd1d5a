"""DATA and I-DATA in, messages out (RFC 9260 sections 6.2, 6.5, 6.6, 6.9; RFC 3758 section 3.6; RFC 8260).

Puts the tracker, the window, reassembly and the acker to work on each chunk, and keeps the order of each stream. The
read of a DATA chunk in sequence is the hot path; everything unusual turns off it at a comparison.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import Final

from pystack.errors import RemoteProtocolError
from pystack.sctp.events import MessageReceived
from pystack.sctp.options import AssociationOptions
from pystack.sctp.outbox import Outbox
from pystack.sctp.rx.acker import Acker
from pystack.sctp.rx.interleaved import InterleavedReassembly
from pystack.sctp.rx.reassembly import Reassembly
from pystack.sctp.rx.tracker import MAX_AHEAD, TsnTracker
from pystack.sctp.rx.window import ReceiveWindow
from pystack.sctp.stats import Counters
from pystack.sctp.wire.causes import CauseCode
from pystack.sctp.wire.control import encode_abort, encode_error
from pystack.sctp.wire.data import BEGIN, END, IMMEDIATE, UNORDERED
from pystack.sctp.wire.fast import MASK32, unpack_data, unpack_idata
from pystack.sctp.wire.forward import ForwardTsnChunk, IForwardTsnChunk

__all__ = ["IncomingStream", "Receiver"]

_WHOLE: Final = BEGIN | END
_HALF: Final = 1 << 31
_DATA: Final = 0
_I_DATA: Final = 64


class IncomingStream:
    """One incoming stream.

    Attributes:
        next_ssn: of the ordered message that may be handed up next; its MID when interleaving.
        waiting: whole messages that wait for an earlier one, by the same number.
        order: a heap of their numbers, plain, so that nobody walks over all that wait.
        unread: sizes of what was handed up and not consumed, oldest first.
    """

    __slots__ = ("next_ssn", "order", "unread", "waiting")

    def __init__(self) -> None:
        self.next_ssn = 0
        self.waiting: dict[int, MessageReceived] = {}
        self.order: list[int] = []
        self.unread: deque[int] = deque()


class Receiver:
    """The receiving half.

    Attributes:
        tracker, window, acker, reassembly, interleaved: its parts; see their modules.
        data_kind: the type of chunk that data comes in, DATA or I-DATA.
        streams: identifiers below this are valid.
        saw_data: the packet being read held DATA; the composer ends it with :meth:`packet_done`.
    """

    __slots__ = (
        "_counters",
        "_mask",
        "_outbox",
        "_parted",
        "_streams",
        "acker",
        "data_kind",
        "interleaved",
        "reassembly",
        "saw_data",
        "streams",
        "tracker",
        "window",
    )

    def __init__(self, options: AssociationOptions, outbox: Outbox, counters: Counters) -> None:
        self._outbox = outbox
        self._counters = counters
        self._streams: dict[int, IncomingStream] = {}  # those that something came on since they were reset
        self._parted: dict[int, deque[int]] = {}  # what is unread of streams that were reset
        self.window = ReceiveWindow(options)
        self.tracker = TsnTracker(options)
        self.acker = Acker(options, self.tracker, self.window)
        self.reassembly = Reassembly(self.window, options.max_message_size)
        self.interleaved = InterleavedReassembly(self.window, options.max_message_size)
        self.data_kind = _DATA
        self._mask = 0xFFFF
        self.streams = options.streams
        self.saw_data = False

    def begin(self, initial_tsn: int, streams: int, *, interleaving: bool = False) -> None:
        """The handshake is done, or done again: expect the peer's first TSN; what was handed up stays counted."""
        self.streams = streams
        self.data_kind = _I_DATA if interleaving else _DATA
        self._mask = MASK32 if interleaving else 0xFFFF
        self.tracker.begin(initial_tsn)
        self.reassembly.clear()
        self.interleaved.clear()
        self.acker.begin()
        for stream in self._streams.values():
            self._forget_order(stream)

    # -- DATA --------------------------------------------------------------------------------------------------------

    def handle_data(self, body: bytes, at: int, stop: int, now: float) -> None:
        """The DATA chunk in ``body[at:stop]``, without padding. Hot."""
        self.saw_data = True
        size = stop - at - 16
        if size <= 0:
            self._refuse_empty(body, at, stop, now)
            return
        _, flags, _, tsn, number, ssn, ppid = unpack_data(body, at)
        tracker = self.tracker
        window = self.window
        ahead = (tsn - tracker.cumulative) & MASK32
        plain = tracker.cumulative + ahead
        # Right behind the highest, the usual case while something is missing: new without a search.
        follows = tracker.gapped and plain == tracker.highest + 1 and ahead <= MAX_AHEAD
        if ahead != 1 and not follows and not self._take_ahead(tsn, ahead, now):
            return
        if (window.held + size > window.limit or window.items >= window.max_items) and not window.takes(
            size, fills_gap=ahead == 1 and tracker.gapped
        ):
            self.acker.urgent = True
            self._outbox.drop("window-full", now)
            return
        if ahead == 1 and not tracker.gapped:
            tracker.cumulative = plain
        else:
            tracker.add(plain)
            self.acker.urgent = True  # a gap was made, or filled
        if flags & IMMEDIATE:
            self.acker.urgent = True
        stream = self._streams.get(number)
        if stream is None:
            if number >= self.streams:
                self._refuse_stream(number, now)
                return
            stream = self._streams[number] = IncomingStream()
        payload = body[at + 16 : stop]
        if flags & _WHOLE == _WHOLE:
            window.held += size
            window.items += 1
            if flags & UNORDERED or ssn == stream.next_ssn:
                # The same as _accept, without its calls.
                self._counters.messages_received += 1
                self._counters.bytes_received += size
                stream.unread.append(size)
                if flags & UNORDERED:
                    self._outbox.events.append(MessageReceived(number, ppid, payload, False))
                else:
                    stream.next_ssn = (ssn + 1) & 0xFFFF
                    self._outbox.events.append(MessageReceived(number, ppid, payload, True))
                    if stream.waiting:
                        self._release(stream)
            else:
                self._accept(stream, MessageReceived(number, ppid, payload, True), ssn, now)
            return
        piece = self.reassembly.add(plain, flags, number, ssn, ppid, payload)
        if self.reassembly.violation:
            self._violate(self.reassembly.violation)
        elif piece is not None:
            ordered = not piece.flags & UNORDERED
            self._accept(stream, MessageReceived(number, piece.ppid, b"".join(piece.parts), ordered), piece.ssn, now)

    def handle_idata(self, body: bytes, at: int, stop: int, now: float) -> None:
        """The I-DATA chunk in ``body[at:stop]``, without padding. Hot; the same steps with other numbers."""
        self.saw_data = True
        size = stop - at - 20
        if size <= 0:
            self._refuse_empty(body, at, stop, now)
            return
        _, flags, _, tsn, number, _, mid, last = unpack_idata(body, at)
        tracker = self.tracker
        window = self.window
        ahead = (tsn - tracker.cumulative) & MASK32
        plain = tracker.cumulative + ahead
        # Right behind the highest, the usual case while something is missing: new without a search.
        follows = tracker.gapped and plain == tracker.highest + 1 and ahead <= MAX_AHEAD
        if ahead != 1 and not follows and not self._take_ahead(tsn, ahead, now):
            return
        if (window.held + size > window.limit or window.items >= window.max_items) and not window.takes(
            size, fills_gap=ahead == 1 and tracker.gapped
        ):
            self.acker.urgent = True
            self._outbox.drop("window-full", now)
            if ahead == 1 and not tracker.gapped and window.held == self.interleaved.size:
                # Nothing that anybody could read: it would stay so for ever.
                self._outbox.end(
                    RemoteProtocolError("unfinished messages fill the receive window"),
                    encode_abort([(CauseCode.OUT_OF_RESOURCE, b"")]),
                )
            return
        if ahead == 1 and not tracker.gapped:
            tracker.cumulative = plain
        else:
            tracker.add(plain)
            self.acker.urgent = True
        if flags & IMMEDIATE:
            self.acker.urgent = True
        stream = self._streams.get(number)
        if stream is None:
            if number >= self.streams:
                self._refuse_stream(number, now)
                return
            stream = self._streams[number] = IncomingStream()
        payload = body[at + 20 : stop]
        if flags & _WHOLE == _WHOLE:
            window.held += size
            window.items += 1
            if flags & UNORDERED or mid == stream.next_ssn:
                self._counters.messages_received += 1
                self._counters.bytes_received += size
                stream.unread.append(size)
                if flags & UNORDERED:
                    self._outbox.events.append(MessageReceived(number, last, payload, False))
                else:
                    stream.next_ssn = (mid + 1) & MASK32
                    self._outbox.events.append(MessageReceived(number, last, payload, True))
                    if stream.waiting:
                        self._release(stream)
            else:
                self._accept(stream, MessageReceived(number, last, payload, True), mid, now)
            return
        unordered = flags & UNORDERED
        if not unordered and (mid != stream.next_ssn and (mid - stream.next_ssn) & MASK32 >= _HALF):
            self._outbox.drop("mid-stale", now)
            return
        whole = self.interleaved.add(number << 1 | bool(unordered), mid, flags, last, payload)
        if self.interleaved.violation:
            self._violate(self.interleaved.violation)
        elif whole is not None:
            self._accept(stream, MessageReceived(number, whole.ppid, b"".join(whole.parts), not unordered), mid, now)

    def refuse_kind(self) -> None:
        """Data came in the kind of chunk that was not agreed upon (RFC 8260 section 2.2.1)."""
        self._violate("DATA where I-DATA was agreed" if self.data_kind == _I_DATA else "I-DATA without agreement")

    def _take_ahead(self, tsn: int, ahead: int, now: float) -> bool:
        """A TSN that is not the next one: whether it is new and near enough."""
        tracker = self.tracker
        plain = tracker.cumulative + ahead
        if ahead == 0 or ahead >= _HALF or (plain <= tracker.highest and plain in tracker.ranges):
            tracker.duplicate(tsn)
            self._counters.duplicates_received += 1
            self.acker.urgent = True
            return False
        if not tracker.acceptable(plain):
            self._outbox.drop("tsn-far-ahead", now)
            return False
        return True

    def _accept(self, stream: IncomingStream, message: MessageReceived, ssn: int, now: float) -> None:
        """A whole message, its bytes counted in the window: hand it up, keep it for its turn, or drop it as stale."""
        if not message.ordered:
            self._hand_up(stream, message)
            return
        mask = self._mask
        early = (ssn - stream.next_ssn) & mask
        if early == 0:
            stream.next_ssn = (ssn + 1) & mask
            self._hand_up(stream, message)
            if stream.waiting:
                self._release(stream)
        elif early <= mask >> 1 and ssn not in stream.waiting:
            stream.waiting[ssn] = message
            oldest = stream.order[0] if stream.order else ssn
            half = (mask >> 1) + 1
            heappush(stream.order, oldest + ((ssn - oldest + half) & mask) - half)
        else:
            self.window.held -= len(message.data)
            self.window.items -= 1
            self._outbox.drop("ssn-stale", now)

    def _hand_up(self, stream: IncomingStream, message: MessageReceived) -> None:
        self._counters.messages_received += 1
        self._counters.bytes_received += len(message.data)
        stream.unread.append(len(message.data))
        self._outbox.events.append(message)

    def _release(self, stream: IncomingStream) -> None:
        while (message := stream.waiting.pop(stream.next_ssn, None)) is not None:
            heappop(stream.order)  # what is next is the oldest of them
            stream.next_ssn = (stream.next_ssn + 1) & self._mask
            self._hand_up(stream, message)

    def _refuse_stream(self, number: int, now: float) -> None:
        self._outbox.chunk(encode_error([(CauseCode.INVALID_STREAM_IDENTIFIER, number.to_bytes(2, "big") + b"\0\0")]))
        self._outbox.drop("stream-identifier", now)

    def _refuse_empty(self, body: bytes, at: int, stop: int, now: float) -> None:
        if stop - at < 16:
            self._outbox.drop("malformed", now)
            return
        tsn = body[at + 4 : at + 8]
        self._outbox.end(RemoteProtocolError("DATA without user data"), encode_abort([(CauseCode.NO_USER_DATA, tsn)]))

    def _violate(self, what: str) -> None:
        self._outbox.end(RemoteProtocolError(what), encode_abort([(CauseCode.PROTOCOL_VIOLATION, what.encode())]))

    def packet_done(self, now: float) -> None:
        """The end of a packet that held DATA."""
        self.saw_data = False
        self.acker.packet_done(now)

    # -- the rest ----------------------------------------------------------------------------------------------------

    def handle_forward(self, chunk: ForwardTsnChunk) -> None:
        """FORWARD-TSN (RFC 3758 section 3.6): stop waiting, hand up what only waited for that.

        However many there are in a packet, they are acknowledged once, at its end.
        """
        self.saw_data = self.acker.urgent = True
        tracker = self.tracker
        plain = tracker.plain(chunk.cumulative_tsn)
        if plain > tracker.cumulative:
            tracker.skip_to(plain)
            self.reassembly.drop_through(plain)
            for number, ssn in chunk.skips:
                if number < self.streams:
                    self._skip(number, ssn)

    def handle_iforward(self, chunk: IForwardTsnChunk) -> None:
        """I-FORWARD-TSN (RFC 8260 section 2.3.1): the same by MID; named twice, the higher one counts."""
        self.saw_data = self.acker.urgent = True
        tracker = self.tracker
        plain = tracker.plain(chunk.cumulative_tsn)
        if plain > tracker.cumulative:
            tracker.skip_to(plain)
            highest: dict[int, int] = {}
            for number, unordered, mid in chunk.skips:
                kind = number << 1 | unordered
                if number < self.streams and (mid - highest.get(kind, mid)) & MASK32 < _HALF:
                    highest[kind] = mid
            for kind, mid in highest.items():
                self.interleaved.drop_through(kind, mid)
                if not kind & 1:
                    self._skip(kind >> 1, mid)

    def _skip(self, number: int, ssn: int) -> None:
        stream = self._streams.get(number)
        if stream is None:
            stream = self._streams[number] = IncomingStream()
        mask = self._mask
        distance = (ssn - stream.next_ssn) & mask
        if distance > mask >> 1:
            return
        # Whole messages up to the skipped one are still good, in their order.
        order = stream.order
        while order and (order[0] - stream.next_ssn) & mask <= distance:
            self._hand_up(stream, stream.waiting.pop(heappop(order) & mask))
        stream.next_ssn = (ssn + 1) & mask
        self._release(stream)

    def consume(self, number: int, nbytes: int) -> None:
        """The application took ``nbytes`` of what was handed up on that stream; more than there is counts as all."""
        if self._parted:
            nbytes = self._consume_parted(number, nbytes)
        stream = self._streams.get(number)
        if stream is not None:
            window = self.window
            unread = stream.unread
            while unread and nbytes >= unread[0]:
                size = unread.popleft()
                nbytes -= size
                window.held -= size
                window.items -= 1
            if unread and nbytes > 0:
                unread[0] -= nbytes
                window.held -= nbytes
        self.acker.window_moved()

    def _consume_parted(self, number: int, nbytes: int) -> int:
        """What came before the stream was reset is read first; return what is left of ``nbytes``."""
        unread = self._parted.pop(number, None)
        if unread is None:
            return nbytes
        window = self.window
        while unread and nbytes >= unread[0]:
            size = unread.popleft()
            nbytes -= size
            window.held -= size
            window.items -= 1
        if not unread:
            return nbytes
        unread[0] -= nbytes
        window.held -= nbytes
        self._parted[number] = unread
        return 0

    def reset(self, numbers: tuple[int, ...]) -> tuple[int, ...]:
        """The peer reset these streams: they begin at SSN 0 (RFC 6525 section 5.2.2). Return which.

        None named means all that something came on since they were reset last. A stream is forgotten with its reset, so
        that each costs as much as came on it, however often all of them are reset.
        """
        chosen = tuple(dict.fromkeys(numbers)) or tuple(self._streams)
        for number in chosen:
            stream = self._streams.pop(number, None)
            if stream is not None:
                self._forget_order(stream)
                if stream.unread:
                    self._parted.setdefault(number, deque()).extend(stream.unread)
        return chosen

    def _forget_order(self, stream: IncomingStream) -> None:
        stream.next_ssn = 0
        for message in stream.waiting.values():
            self.window.held -= len(message.data)
            self.window.items -= 1
        stream.waiting.clear()
        stream.order.clear()

    def close(self) -> None:
        """The association ended: nothing more is acknowledged."""
        self.acker.begin()
        self.reassembly.clear()
        self.interleaved.clear()
        self._streams.clear()
        self._parted.clear()
