"""What can be chosen about a connection, with defaults that need no choice (W3C webrtc-pc section 4.2.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import attrs

from pystack.aio import DebugOptions, IceServer, IceTransport
from pystack.base import Randomness, SecretRandomness, Trace
from pystack.dtls import Certificate
from pystack.errors import InvalidArgument
from pystack.peer.arguments import check_flag, check_listener, check_seconds, check_whole
from pystack.peer.capabilities import check_codecs, check_extensions, check_instance, check_part
from pystack.peer.media import AUDIO_CODECS, AUDIO_EXTENSIONS, VIDEO_CODECS, VIDEO_EXTENSIONS
from pystack.sdp.jsep import CodecCapability, ExtensionCapability
from pystack.session import SessionOptions

__all__ = ["Configuration", "IceTransports"]


class IceTransports(Protocol):
    """Whatever makes the ICE transport of a new connection: a :class:`~pystack.aio.UdpMux`, or a simulated network."""

    def transport(self) -> IceTransport:
        """Make one."""
        ...


@attrs.frozen(kw_only=True)
class Configuration:
    """Options of one :class:`~pystack.peer.PeerConnection`.

    What can never be right is refused here, by the member's name (:class:`~pystack.errors.InvalidArgument`).

    Attributes:
        ice_servers: STUN and TURN servers for the full ICE agent.
        ice_transport_policy: ``"all"``, or ``"relay"`` to use relayed candidates alone.
        bundle_policy: ``"balanced"`` or ``"max-bundle"``: everything rides on one transport either way, and of a peer
            that does not bundle only the first living section does. ``"max-compat"``, a transport for each section,
            is refused.
        mux: a shared UDP port. With it the connection is ICE-lite on that port, as a server wants it; without it a
            full ICE agent gathers ports of its own.
        certificate: the DTLS certificate; by default each connection makes one.
        port_range: lowest and highest local UDP port of the full agent.
        address_filter: asked for each local address whether the full agent may use it.
        loopback: whether the full agent uses loopback addresses although there are others.
        audio_codecs, video_codecs: what is offered and accepted, in order of preference. Payload types are 0 to 63 or
            96 to 127: what lies between would be taken for RTCP (RFC 5761 section 4).
        audio_extensions, video_extensions: header extensions, likewise.
        session: options of the layers below.
        operation_timeout: seconds that one negotiation operation may take, its turn included (requirements row 8).
        failed_timeout: seconds in the state ``failed`` after which the connection ends, and with it everything that
            waits on it; an ICE restart in time brings it back. ``None``: never, as the W3C's.
        close_timeout: seconds that ``close()`` gives the peer to take what is still queued on channels.
        inbox_packets: RTP packets that a receiver keeps for a reader; above it the oldest are dropped and counted.
        inbox_rtcp: RTCP packets that each receiver, each sender and the connection keep for a reader; above it the
            oldest are dropped and counted. 0: RTCP is dealt with and not handed out.
        randomness: where random numbers come from.
        trace: a write-only observer of the layers.
        debug: a folder in which this connection is written down: a trace to read, a capture for Wireshark that
            decrypts by itself, and the keys. By default the environment's ``PYSTACK_DEBUG``; else nothing is written.
    """

    ice_servers: tuple[IceServer, ...] = attrs.field(default=())
    ice_transport_policy: Literal["all", "relay"] = attrs.field(default="all")
    bundle_policy: Literal["balanced", "max-bundle"] = attrs.field(default="balanced")
    mux: IceTransports | None = None
    certificate: Certificate | None = None
    port_range: tuple[int, int] | None = attrs.field(default=None)
    address_filter: Callable[[str], bool] | None = None
    loopback: bool = False
    audio_codecs: tuple[CodecCapability, ...] = AUDIO_CODECS
    video_codecs: tuple[CodecCapability, ...] = VIDEO_CODECS
    audio_extensions: tuple[ExtensionCapability, ...] = AUDIO_EXTENSIONS
    video_extensions: tuple[ExtensionCapability, ...] = VIDEO_EXTENSIONS
    session: SessionOptions = attrs.field(factory=SessionOptions)
    operation_timeout: float = 15.0
    failed_timeout: float | None = 30.0
    close_timeout: float = 2.0
    inbox_packets: int = 1024
    inbox_rtcp: int = 32
    randomness: Randomness = attrs.field(factory=SecretRandomness)
    trace: Trace | None = None
    debug: DebugOptions | str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what can never be right; what has a validator of its own was looked at before."""
        check_part("mux", self.mux, "a UdpMux, which UdpMux.open(...) gives, or None", ("transport",), optional=True)
        check_part("randomness", self.randomness, "a Randomness", ("token", "integer", "uniform"))
        check_part("trace", self.trace, "a Trace or None", ("packet", "state", "timer", "dropped"), optional=True)
        check_instance("certificate", self.certificate, Certificate | None, "a Certificate or None")
        check_instance("session", self.session, SessionOptions, "a SessionOptions")
        if not hasattr(self.debug, "__fspath__"):  # a path is a folder too
            check_instance("debug", self.debug, DebugOptions | str | None, "a folder, a DebugOptions or None")
        if self.address_filter is not None:
            check_listener("address_filter", self.address_filter, "its answer is needed at once")
        check_flag("loopback", self.loopback)
        check_codecs("audio_codecs", self.audio_codecs)
        check_codecs("video_codecs", self.video_codecs)
        check_extensions("audio_extensions", self.audio_extensions)
        check_extensions("video_extensions", self.video_extensions)
        check_seconds("operation_timeout", self.operation_timeout)
        check_seconds("close_timeout", self.close_timeout)
        check_whole("inbox_packets", self.inbox_packets)
        check_whole("inbox_rtcp", self.inbox_rtcp)

    @ice_servers.validator
    def _check_ice_servers(self, _: object, value: object) -> None:
        if not isinstance(value, list | tuple):
            raise InvalidArgument(f"ice_servers is a tuple of IceServer, not {type(value).__name__}")
        for each in value:
            if not isinstance(each, IceServer):
                raise InvalidArgument(
                    f"ice_servers has {each!r}; write IceServer.from_url('turn:example.org', username, credential)"
                )

    @ice_transport_policy.validator
    def _check_ice_transport_policy(self, _: object, value: object) -> None:
        if value not in ("all", "relay"):
            raise InvalidArgument(f"ice_transport_policy must be all or relay, not {value!r}")

    @port_range.validator
    def _check_port_range(self, _: object, value: object) -> None:
        match value:
            case None:
                return
            case (int(first), int(last)) if 0 < first <= last <= 65535:
                return
        raise InvalidArgument(f"port_range is the lowest and the highest port, such as (50000, 50100), not {value!r}")

    @bundle_policy.validator
    def _check_bundle_policy(self, _: object, value: str) -> None:
        if value not in {"balanced", "max-bundle"}:
            raise InvalidArgument(
                f"bundle_policy {value!r} is not supported: a connection has one transport; take balanced or max-bundle"
            )
