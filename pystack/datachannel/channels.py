"""All data channels of one association: DCEP, closing, and what a stream's bytes mean (RFC 8831, RFC 8832).

A composer over the association that it is handed: datagrams, time and the deadline pass through, the association's
events become channel events. The library's own writes (OPEN, ACK) take the same gate as a user's: each ends when the
association takes it, at its time-out, or with the association. The session is the only caller in the stack.
"""

from __future__ import annotations

from contextlib import suppress
from math import inf

from pystack.base import Ended
from pystack.datachannel import messages
from pystack.datachannel.association import StreamAssociation
from pystack.datachannel.channel import Channel, ChannelInfo, ChannelInput, ChannelState, ChannelStats
from pystack.datachannel.early import EarlyMessages
from pystack.datachannel.events import (
    ChannelAnnounced,
    ChannelBufferedAmountLow,
    ChannelClosed,
    ChannelClosing,
    ChannelEvent,
    ChannelMessage,
    ChannelOpened,
    ChannelWritable,
    TransportEstablished,
)
from pystack.datachannel.ids import MAX_STREAM_ID, StreamIds
from pystack.datachannel.messages import MessageType, Open, Ppid
from pystack.datachannel.options import ChannelOptions
from pystack.datachannel.patience import Patience
from pystack.datachannel.pieces import Pieces
from pystack.errors import (
    LOCAL,
    Closed,
    DecodeError,
    InvalidArgument,
    LocalProtocolError,
    MessageTooLarge,
    PeerClosed,
    Reason,
    RemoteProtocolError,
)
from pystack.sctp import events as sctp

__all__ = ["DataChannels"]

_DCEP = int(Ppid.DCEP)
_STRING = int(Ppid.STRING)
_BINARY = int(Ppid.BINARY)
_STRING_EMPTY = int(Ppid.STRING_EMPTY)
_BINARY_EMPTY = int(Ppid.BINARY_EMPTY)
_WHOLE = (_BINARY, _STRING)
_NOTHING = (_BINARY_EMPTY, _STRING_EMPTY)
_PIECES = (int(Ppid.BINARY_PARTIAL), int(Ppid.STRING_PARTIAL))
_BINARIES = (_BINARY, _BINARY_EMPTY)
_EMPTY = b"\0"  # what stands for an empty message on the wire (RFC 8831 section 6.6)


class DataChannels:
    """The channels of one association, a Core that owns the association below it.

    Args:
        association: not yet connected; nobody else drives it from here on.
        options: bounds and time-outs.

    Attributes:
        association: the one below, to read its statistics.
        max_message_size: the largest message in bytes that the peer takes (``a=max-message-size``, RFC 8841 section
            6); 0 means no limit. Set it when the peer's description is known.
        drops: how often something of the peer's was dropped, by reason.
        opened: channels that became usable so far. ``closed``: those of them that are gone again.
    """

    def __init__(self, association: StreamAssociation, options: ChannelOptions | None = None) -> None:
        self.association = association
        self.options = options or ChannelOptions()
        self.max_message_size = 65536
        self.drops: dict[str, int] = {}
        self.opened = 0
        self.closed = 0
        self._channels: dict[int, Channel] = {}  # by handle
        self._streams: dict[int, Channel] = {}  # by stream identifier: those that are not closed yet
        self._ids = StreamIds()
        self._early = EarlyMessages(self.options.early_bytes, self.options.early_messages)
        self._opening = Patience(self.options.open_timeout, self._waits_to_open)
        self._resetting = Patience(self.options.close_timeout, self._waits_for_its_reset)
        self._closing = Patience(self.options.close_timeout, self._channels.__contains__)
        self._own_deadline = inf
        self._events: list[ChannelEvent] = []
        self._next_handle = 1
        self._now = -inf
        self._established = False
        self._draining = False
        self._ended = False

    # ------------------------------------------------------------------ the five members of a core

    @property
    def deadline(self) -> float:
        """The earlier of the association's deadline and ours."""
        below = self.association.deadline
        return below if below < self._own_deadline else self._own_deadline

    def receive(self, data: bytes, now: float) -> None:
        """Take one SCTP packet."""
        self.association.receive(data, now)
        self._pump(now)

    def tick(self, now: float) -> None:
        """Time has come; harmless when early."""
        self.association.tick(now)
        self._pump(now)
        if now >= self._own_deadline:
            self._expire(now)

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        """Hand over the association's packets.

        What departs may open the gate for an OPEN or ACK of ours; those leave in the same flush.
        """
        packets = self.association.flush(now, limit)
        while self._pump(now) and len(packets) < limit:
            more = self.association.flush(now, limit - len(packets))
            if not more:
                break
            packets += more
        return packets

    def take_events(self) -> list[ChannelEvent]:
        """What happened since the last call, oldest first."""
        self._pump(self._now)
        events = self._events
        if events:
            self._events = []
        return events

    # ------------------------------------------------------------------ commands

    def start(self, is_dtls_client: bool, now: float) -> None:
        """The DTLS role is known: assign identifiers and connect the association.

        Channels opened before get theirs in the order of opening (RFC 8832 section 6).

        Raises:
            LocalProtocolError: already started, or ended.
        """
        self._require_alive("start")
        if self._ids.known:
            raise LocalProtocolError("start", "started")
        self._ids.set_role(is_dtls_client)
        waiting = [channel for channel in self._channels.values() if channel.id is None]
        for channel in waiting:
            self._assign(channel, now)
        for channel in waiting if self._established else ():  # the peer was faster
            if channel.id is not None:
                self._launch(channel, now)
        self._own_deadline = self._earliest()
        self.association.connect(now)
        self._pump(now)

    def open(
        self,
        label: str,
        now: float,
        *,
        protocol: str = "",
        ordered: bool = True,
        max_retransmits: int | None = None,
        max_lifetime: float | None = None,
        negotiated: bool = False,
        id: int | None = None,  # noqa: A002 - the W3C's name
    ) -> int:
        """Open a channel, or claim one that was agreed upon out of band; return its handle.

        Args:
            label: its name, at most 65535 bytes of UTF-8.
            now: the time.
            protocol: the subprotocol's name.
            ordered: whether messages keep their order.
            max_retransmits: how often a message is sent again at most.
            max_lifetime: seconds that a message is tried; not with ``max_retransmits``.
            negotiated: both sides claim ``id``; nothing is sent for it.
            id: the stream of a negotiated channel, 0 to 65534; otherwise chosen here.

        Raises:
            InvalidArgument: contradicting or impossible parameters.
            LocalProtocolError: the identifier is in use, none is left, there are ``max_channels``, or it all ended.
        """
        self._require_alive("open")
        if negotiated != (id is not None):
            raise InvalidArgument("an id is given for a negotiated channel, and only for one")
        if max_lifetime is not None and not (
            isinstance(max_lifetime, int | float) and 0 <= max_lifetime <= 4_294_967  # and so no nan
        ):
            raise InvalidArgument(f"a lifetime of {max_lifetime!r} s does not fit in 32 bits of milliseconds")
        opening = messages.write_open(
            Open(
                label=label,
                protocol=protocol,
                ordered=ordered,
                max_retransmits=max_retransmits,
                max_lifetime_ms=None if max_lifetime is None else round(max_lifetime * 1000),
            )
        )
        if id is not None and (not isinstance(id, int) or isinstance(id, bool) or not 0 <= id <= MAX_STREAM_ID):
            raise InvalidArgument(f"id: a stream identifier is 0 to {MAX_STREAM_ID}, not {id!r}")
        if len(self._channels) >= self.options.max_channels:
            raise LocalProtocolError("open", "full", f"there are {self.options.max_channels} channels already")
        if id is not None:
            if id >= self._ids.limit:
                raise LocalProtocolError("open", "established", f"the peer has no stream {id}")
            if not self._ids.take(id):
                raise LocalProtocolError("open", "in use", f"stream {id} is in use")
        elif self._ids.known:
            id = self._ids.allocate()  # noqa: A001
            if id is None:
                raise LocalProtocolError("open", "exhausted", "no stream identifier is free")
        channel = self._add(
            Channel(
                handle=self._next_handle,
                label=label,
                protocol=protocol,
                ordered=ordered,
                max_retransmits=max_retransmits,
                max_lifetime=max_lifetime,
                negotiated=negotiated,
                id=id,
                control=None if negotiated else opening,
                pieces=Pieces(self.options.max_message_size),
                ordered_until_known=not negotiated,
            )
        )
        if self._established and channel.id is not None:
            self._launch(channel, now)
            self._own_deadline = self._earliest()
        return channel.handle

    def send(self, handle: int, data: bytes | str, now: float) -> bool:
        """Send a message: text when it is ``str``; a lone surrogate in it becomes U+FFFD (W3C USVString).

        False: refused and untouched, and exactly one ``ChannelWritable`` or ``ChannelClosed`` of the handle follows.
        A channel takes messages as soon as its OPEN was taken, before the peer acknowledged it.

        Raises:
            LocalProtocolError: the channel is closing or closed.
            MessageTooLarge: above what the peer takes.
        """
        channel = self._channels.get(handle)
        if channel is None or channel.machine.state is ChannelState.CLOSING:
            raise LocalProtocolError("send", "closed" if channel is None else "closing")
        if data.__class__ is str:
            try:
                payload, ppid = data.encode(), _STRING
            except UnicodeEncodeError:
                payload, ppid = _as_scalar_values(data).encode(), _STRING
        else:
            payload, ppid = data, _BINARY  # type: ignore[assignment]
        size = len(payload)
        if size > self.max_message_size > 0:
            raise MessageTooLarge(self.max_message_size, size)
        # A stream that owes an answer is not asked again: the association answers each refusal once.
        if channel.control is not None or channel.gate_asked or not self._established:
            channel.user_waits = True
            return False
        if not size:
            payload, ppid = _EMPTY, _STRING_EMPTY if ppid == _STRING else _BINARY_EMPTY
        stream = channel.id
        assert stream is not None
        if not self.association.send(
            stream,
            payload,
            now,
            ppid=ppid,
            ordered=channel.ordered or channel.ordered_until_known,
            max_retransmits=channel.max_retransmits,
            lifetime=channel.max_lifetime,
        ):
            channel.gate_asked = channel.user_waits = True
            return False
        channel.started = True
        channel.messages_sent += 1
        channel.bytes_sent += size
        return True

    def consume(self, handle: int, nbytes: int, now: float) -> None:
        """The user read ``nbytes`` of the channel's messages: the receive window opens again.

        Harmless after the channel closed, because its unread bytes were given back then.
        """
        channel = self._channels.get(handle)
        if channel is not None:
            nbytes = min(nbytes, channel.unread)
            if nbytes > 0:
                channel.unread -= nbytes
                assert channel.id is not None
                self.association.consume(channel.id, nbytes, now)

    def close(self, handle: int, now: float) -> None:
        """Close a channel: first its queued data goes out, then its stream is reset, then ``ChannelClosed`` comes.

        What its user has not read is given back to the receive window at once: a peer that goes on sending until it
        hears of the end would hold up all other channels. Harmless on a channel that is closing or gone (RFC 8831
        section 6.7).
        """
        channel = self._channels.get(handle)
        if channel is not None and channel.machine.allows(ChannelInput.CLOSE):
            if channel.unread:
                self.consume(handle, channel.unread, now)
            self._begin_close(channel, now, LOCAL)
            self._own_deadline = self._earliest()

    def shutdown(self, now: float) -> None:
        """End the association in good order: queued data goes first."""
        if not self._ended:
            self.association.shutdown(now)
            self._pump(now)

    def abort(self, now: float, reason: Reason = LOCAL) -> None:
        """End it all at once; the next flush may carry a farewell."""
        if not self._ended:
            self.association.abort(now, reason)
            self._pump(now)

    def end_all(self, now: float, reason: Reason) -> None:
        """End every channel, before there is an association to end."""
        for channel in list(self._channels.values()):
            if channel.id is not None:
                self._ids.free(channel.id)
            self._end(channel, reason, now)
        self._own_deadline = self._earliest()

    def buffered_amount(self, handle: int) -> int:
        """Bytes of the channel that have not departed; 0 for a channel that is gone."""
        channel = self._channels.get(handle)
        if channel is None or channel.id is None:
            return 0
        return self.association.buffered_amount(channel.id)

    def set_low_threshold(self, handle: int, nbytes: int) -> None:
        """Say at which buffered amount ``ChannelBufferedAmountLow`` comes; harmless on a channel that is gone."""
        channel = self._channels.get(handle)
        if channel is not None:
            channel.low_threshold = nbytes
            if channel.id is not None:
                self.association.set_low_threshold(channel.id, nbytes)

    def info(self, handle: int) -> ChannelInfo:
        """What the channel is.

        Raises:
            LocalProtocolError: it is closed.
        """
        return self._require(handle, "info").info()

    def stats(self, handle: int) -> ChannelStats:
        """What passed over the channel.

        Raises:
            LocalProtocolError: it is closed.
        """
        return self._require(handle, "stats").stats()

    # ------------------------------------------------------------------ the association's events

    def _pump(self, now: float) -> bool:
        """Turn the association's events into ours; return whether there were any."""
        events = self.association.take_events()
        self._now = now
        if not events:
            return False
        while events:
            for event in events:
                if event.__class__ is sctp.MessageReceived:
                    self._handle_message(event.stream, event.ppid, event.data, now)
                else:
                    self._handle_rare(event, now)
            events = self.association.take_events()
        self._own_deadline = self._earliest()
        return True

    def _handle_rare(self, event: object, now: float) -> None:
        match event:
            case sctp.Writable(stream=stream):
                self._handle_writable(stream, now)
            case sctp.BufferedAmountLow(stream=stream):
                if stream in self._streams:
                    self._events.append(ChannelBufferedAmountLow(self._streams[stream].handle))
            case sctp.IncomingReset(streams=streams):
                for stream in streams:
                    self._handle_incoming_reset(stream, now)
            case sctp.OutgoingResetAsked(streams=streams):
                for stream in streams:
                    if stream in self._streams:
                        self._resetting.begin(self._streams[stream].handle, now)
            case sctp.OutgoingResetDone(streams=streams):
                for stream in streams:
                    self._handle_outgoing_reset(stream, now)
            case sctp.OutgoingResetFailed(streams=streams):
                for stream in streams:
                    # The peer will not have it: the channel ends, and its identifier is never used again.
                    if stream in self._streams:
                        self._end(
                            self._streams[stream], RemoteProtocolError("the peer refused to reset the stream"), now
                        )
            case sctp.Established():
                self._handle_established(event, now)
            case sctp.Restarted():
                self._handle_restart(now)
            case sctp.ShutdownStarted(remote=remote):
                self._handle_shutdown(remote)
            case Ended(reason=reason):
                self._handle_ended(reason, now)

    def _handle_established(self, event: sctp.Established, now: float) -> None:
        self._established = True
        self._ids.limit = min(MAX_STREAM_ID + 1, event.inbound_streams, event.outbound_streams)
        self._events.append(TransportEstablished())
        for channel in list(self._channels.values()):
            if channel.id is not None and channel.id >= self._ids.limit:
                self._ids.free(channel.id)
                self._end(channel, RemoteProtocolError(f"the peer has no stream {channel.id}"), now)
            elif channel.machine.state is ChannelState.CONNECTING and channel.id is not None:  # else later, or closing
                self._launch(channel, now)

    def _handle_writable(self, stream: int, now: float) -> None:
        channel = self._streams.get(stream)
        if channel is None:
            return
        channel.gate_asked = False
        if channel.control is not None and not self._send_control(channel, now):
            return
        self._answer(channel)

    def _handle_incoming_reset(self, stream: int, now: float) -> None:
        self._drop_early(stream, now)  # it belonged to what was reset
        channel = self._streams.get(stream)
        free = self._ids.incoming_reset(stream)
        if channel is not None and channel.machine.allows(ChannelInput.CLOSE):
            self._events.append(ChannelClosing(channel.handle))
            self._begin_close(channel, now, PeerClosed("the peer closed the channel"))
        elif free:
            self._handle_freed(stream, now)

    def _handle_outgoing_reset(self, stream: int, now: float) -> None:
        if self._ids.outgoing_reset(stream):
            self._handle_freed(stream, now)
        elif stream in self._streams:
            self._closing.begin(self._streams[stream].handle, now)

    def _handle_freed(self, stream: int, now: float) -> None:
        channel = self._streams.get(stream)
        if channel is not None:
            self._end(channel, channel.closing_reason, now)
        # The peer may have begun the next channel on this stream before we heard that the last one is over.
        self._replay(stream, now)

    def _handle_restart(self, now: float) -> None:
        """The peer lost its state and began anew: no channel of ours exists there (RFC 9260 section 5.2).

        What had not departed would reach a peer that knows nothing of it, so each stream is reset behind it.
        """
        reason = RemoteProtocolError("the peer restarted the association")
        for stream in self._ids.taken():
            self._drop_early(stream, now)
            self._ids.incoming_reset(stream)
            channel = self._streams.get(stream)
            if channel is not None:
                if channel.machine.state is not ChannelState.CLOSING:
                    self._reset(stream, now)
                self._end(channel, reason, now)
        for stream in self._early.streams():
            self._drop_early(stream, now)

    def _handle_shutdown(self, remote: bool) -> None:
        """Nothing more is taken below; every channel closes with the association."""
        self._draining = True
        for channel in self._channels.values():
            if channel.machine.allows(ChannelInput.CLOSE):
                channel.machine.move(ChannelInput.CLOSE)
                channel.control = None
                self._events.append(ChannelClosing(channel.handle, by_peer=remote))

    def _handle_ended(self, reason: Reason, now: float) -> None:
        self._ended = True
        for channel in list(self._channels.values()):
            self._end(channel, reason, now)
        self._early.clear()
        self._ids.clear()
        self._opening.clear()
        self._resetting.clear()
        self._closing.clear()
        self._events.append(Ended(reason))

    # ------------------------------------------------------------------ messages

    def _handle_message(self, stream: int, ppid: int, data: bytes, now: float) -> None:
        channel = self._streams.get(stream)
        if channel is None or (channel.machine.state is ChannelState.CLOSING and self._ids.incoming_is_reset(stream)):
            self._handle_unknown(stream, ppid, data, now)
        elif ppid == _DCEP:
            self.association.consume(stream, len(data), now)
            self._handle_dcep(channel, data)
        else:
            self._handle_user_message(channel, ppid, data, now)

    def _handle_user_message(self, channel: Channel, ppid: int, data: bytes, now: float) -> None:
        if channel.ordered_until_known:
            self._establish(channel)
        size = len(data)
        if ppid in _WHOLE:
            if channel.pieces:
                self._join(channel, ppid, data, now)
                return
        elif ppid in _NOTHING:
            assert channel.id is not None
            self.association.consume(channel.id, size, now)
            size, data = 0, b""
        elif ppid in _PIECES:
            self._keep_piece(channel, data, now)
            return
        else:
            self._drop("ppid-unknown", channel.id, size, now)
            return
        channel.unread += size
        channel.messages_received += 1
        channel.bytes_received += size
        self._events.append(ChannelMessage(channel.handle, data, ppid in _BINARIES))

    def _keep_piece(self, channel: Channel, data: bytes, now: float) -> None:
        """A piece of a message in the deprecated form; the last piece comes with the ordinary PPID."""
        refused = channel.pieces.add(data)
        if refused:
            self._drop("partial-too-large", channel.id, refused, now)

    def _join(self, channel: Channel, ppid: int, data: bytes, now: float) -> None:
        self._keep_piece(channel, data, now)
        if channel.pieces:
            whole = channel.pieces.join()
            channel.unread += len(whole)
            channel.messages_received += 1
            channel.bytes_received += len(whole)
            self._events.append(ChannelMessage(channel.handle, whole, ppid == _BINARY))

    def _handle_unknown(self, stream: int, ppid: int, data: bytes, now: float) -> None:
        """No open channel is on this stream: an OPEN, an early message, or a late one."""
        if stream in self._ids:
            # Its last channel is gone for the user, not yet for the peer; behind the peer's reset the next one begins.
            if not self._ids.incoming_is_reset(stream):
                self._drop("stream-closed", stream, len(data), now)
                return
        elif ppid == _DCEP:
            self.association.consume(stream, len(data), now)
            if data[:1] == bytes((MessageType.OPEN,)):
                self._handle_open(stream, data, now)
            else:
                self._count("ack-unexpected" if data == messages.ACK else "dcep-unknown")
            return
        if not self._early.keep(stream, ppid, data):
            self._drop("early-overflow", stream, len(data), now)

    def _handle_dcep(self, channel: Channel, data: bytes) -> None:
        kind = data[0] if data else -1
        if kind == MessageType.ACK and channel.ordered_until_known:
            self._establish(channel)
        elif kind == MessageType.ACK:
            self._count("ack-unexpected")
        elif kind == MessageType.OPEN:
            self._count("open-in-use")
        else:
            self._count("dcep-unknown")

    def _handle_open(self, stream: int, data: bytes, now: float) -> None:
        """A peer's OPEN on a free stream (RFC 8832 section 6): accept it, or reset the stream without an ACK."""
        try:
            what = messages.read_open(data)
        except DecodeError as error:
            self._refuse(stream, error.message, now)
            return
        if self._draining:
            self._count("open-while-ending")
            return
        if self._ids.is_ours(stream):
            self._refuse(stream, "open-wrong-parity", now)
            return
        if len(self._channels) >= self.options.max_channels or stream > MAX_STREAM_ID:
            self._refuse(stream, "open-too-many", now)
            return
        self._ids.take(stream)
        channel = self._add(
            Channel(
                handle=self._next_handle,
                label=what.label,
                protocol=what.protocol,
                ordered=what.ordered,
                max_retransmits=what.max_retransmits,
                max_lifetime=None if what.max_lifetime_ms is None else what.max_lifetime_ms / 1000,
                negotiated=False,
                id=stream,
                control=messages.ACK,
                pieces=Pieces(self.options.max_message_size),
                by_peer=True,
            )
        )
        channel.machine.move(ChannelInput.ESTABLISH)
        self._count_open(channel)
        self._events.append(ChannelAnnounced(channel.handle))
        if not self._send_control(channel, now):
            self._opening.begin(channel.handle, now)
        self._replay(stream, now)

    def _refuse(self, stream: int, why: str, now: float) -> None:
        self._count(why)
        # Our direction is reset so that the peer's channel closes; how many such streams we track is bounded.
        if len(self._ids) - len(self._streams) < self.options.max_channels and self._ids.take(stream):
            self._reset(stream, now)

    def _replay(self, stream: int, now: float) -> None:
        for ppid, data in self._early.take(stream):
            self._handle_message(stream, ppid, data, now)

    # ------------------------------------------------------------------ the life of a channel

    def _add(self, channel: Channel) -> Channel:
        self._next_handle += 1
        self._channels[channel.handle] = channel
        if channel.id is not None:
            self._streams[channel.id] = channel
        return channel

    def _assign(self, channel: Channel, now: float) -> None:
        channel.id = self._ids.allocate()
        if channel.id is None:
            self._end(channel, LocalProtocolError("open", "exhausted", "no stream identifier is free"), now)
        else:
            self._streams[channel.id] = channel

    def _launch(self, channel: Channel, now: float) -> None:
        """The association is up: send OPEN, or nothing for a negotiated channel (RFC 8832 section 6)."""
        assert channel.id is not None
        if channel.low_threshold:
            self.association.set_low_threshold(channel.id, channel.low_threshold)
        if channel.negotiated:
            self._become_open(channel)
        else:
            self._opening.begin(channel.handle, now)
            if not self._send_control(channel, now):
                return
        self._answer(channel)
        if channel.negotiated:
            self._replay(channel.id, now)

    def _send_control(self, channel: Channel, now: float) -> bool:
        """Offer OPEN or ACK to the association, always ordered and reliable (RFC 8832 section 6)."""
        assert channel.id is not None
        assert channel.control is not None
        try:
            taken = self.association.send(channel.id, channel.control, now, ppid=_DCEP)
        except (LocalProtocolError, Closed):
            # It began to end or has ended, and says so further on in the events that we are reading; that answers all
            # who wait.
            return False
        if not taken:
            channel.gate_asked = True
            return False
        channel.control = None
        channel.started = True
        return True

    def _answer(self, channel: Channel) -> None:
        """Answer a user's refused write, if one is owed an answer; a closing channel answers by its end."""
        if channel.user_waits and channel.machine.state is not ChannelState.CLOSING:
            channel.user_waits = False
            self._events.append(ChannelWritable(channel.handle))

    def _establish(self, channel: Channel) -> None:
        channel.ordered_until_known = False
        if channel.machine.state is ChannelState.CONNECTING:
            self._become_open(channel)

    def _become_open(self, channel: Channel) -> None:
        channel.machine.move(ChannelInput.ESTABLISH)
        self._count_open(channel)
        self._events.append(ChannelOpened(channel.handle))

    def _begin_close(self, channel: Channel, now: float, reason: Reason) -> None:
        """Data, then reset, then closed (RFC 8831 section 6.7)."""
        channel.machine.move(ChannelInput.CLOSE)
        channel.closing_reason = reason
        if channel.id is None or not self._established or self._is_unknown_to_peer(channel):
            if channel.id is not None:
                self._ids.free(channel.id)
            self._end(channel, reason, now)
            return
        channel.control = None
        self._reset(channel.id, now)

    def _reset(self, stream: int, now: float) -> None:
        with suppress(LocalProtocolError, Closed):  # as in _send_control: it is ending, and every stream with it
            self.association.reset([stream], now)

    def _is_unknown_to_peer(self, channel: Channel) -> bool:
        return not (channel.started or channel.negotiated or channel.by_peer)

    def _end(self, channel: Channel, reason: Reason, now: float) -> None:
        """The one way out of every channel; whether its identifier is free is not decided here."""
        if channel.was_open:
            self.closed += 1
        channel.machine.move(ChannelInput.END)
        del self._channels[channel.handle]
        if channel.id is not None:
            del self._streams[channel.id]
            unread = channel.unread + channel.pieces.size
            if unread and not self._ended:
                self.association.consume(channel.id, unread, now)
        self._events.append(ChannelClosed(channel.handle, reason))

    # ------------------------------------------------------------------ time-outs and drops

    def _expire(self, now: float) -> None:
        for handle in self._opening.expired(now):
            self._give_up(self._channels[handle], now)
        for handle in (*self._resetting.expired(now), *self._closing.expired(now)):
            channel = self._channels[handle]
            self._end(channel, channel.closing_reason, now)
        self._own_deadline = self._earliest()

    def _give_up(self, channel: Channel, now: float) -> None:
        """The peer did not answer OPEN, or the gate did not take OPEN or ACK, in time."""
        assert channel.id is not None
        reason = RemoteProtocolError(f"the channel did not open within {self.options.open_timeout:g} s")
        if self._is_unknown_to_peer(channel):
            self._ids.free(channel.id)
        else:
            self._reset(channel.id, now)
        self._end(channel, reason, now)

    def _waits_to_open(self, handle: int) -> bool:
        """Whether the open time-out still means something: no answer to OPEN, or an OPEN or ACK not even taken."""
        channel = self._channels.get(handle)
        if channel is None:
            return False
        state = channel.machine.state
        return state is ChannelState.CONNECTING or (state is ChannelState.OPEN and channel.control is not None)

    def _waits_for_its_reset(self, handle: int) -> bool:
        """Whether the peer has not confirmed yet that our direction is reset."""
        channel = self._channels.get(handle)
        return channel is not None and channel.id is not None and not self._ids.outgoing_is_reset(channel.id)

    def _earliest(self) -> float:
        return min(self._opening.deadline(), self._resetting.deadline(), self._closing.deadline())

    def _drop_early(self, stream: int, now: float) -> None:
        for _, data in self._early.take(stream):
            self._drop("early-reset", stream, len(data), now)

    def _drop(self, why: str, stream: int | None, size: int, now: float) -> None:
        self._count(why)
        assert stream is not None
        self.association.consume(stream, size, now)

    def _count_open(self, channel: Channel) -> None:
        self.opened += 1
        channel.was_open = True

    def _count(self, why: str) -> None:
        self.drops[why] = self.drops.get(why, 0) + 1

    def _require(self, handle: int, operation: str) -> Channel:
        channel = self._channels.get(handle)
        if channel is None:
            raise LocalProtocolError(operation, "closed")
        return channel

    def _require_alive(self, operation: str) -> None:
        if self._draining or self._ended:
            raise LocalProtocolError(operation, "ended" if self._ended else "shutting down")


def _as_scalar_values(text: str) -> str:
    """Join surrogates that are a pair, and put U+FFFD for those that are not (Web IDL section 3.2.12)."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
