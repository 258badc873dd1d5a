"""One interface over both ways of doing ICE: lite on a shared port, and the full agent.

The idea: :mod:`pystack.peer` negotiates, starts, restarts and closes an :class:`IceTransport` and moves bytes over
it as over any :class:`~pystack.aio.path.DatagramPath`; it never knows which of the two it holds:

* :class:`pystack.aio.lite.LiteTransport` (RFC 8445 section 2.5) from :meth:`pystack.aio.mux.UdpMux.transport`;
* :class:`pystack.aio.full.FullTransport` (RFC 8445, RFC 8838, RFC 7675) with agents by aioice.

All commands are synchronous and return at once; what comes of them arrives by the four callbacks, each of which is
called from the event loop. The order of calls in a negotiation::

    transport = mux.transport()                     # or FullTransport(FullIceOptions(...))
    transport.on_datagrams = ...; on_writable, on_state, on_candidate likewise
    transport.local_parameters                      # for the description: at once
    transport.gather()                              # host candidates are in local_candidates when it returns
    transport.set_remote_parameters(parameters)     # as soon as the remote description is known
    transport.add_remote_candidate(text)            # any time, also before; None: no more will come
    transport.start(controlling)                    # checks begin; on_state tells "connected", then start DTLS
    transport.restart()                             # new local_parameters; then gather, set_remote..., start again
    transport.close(); await transport.wait_closed()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol, TypeAlias

import attrs

from pystack.aio.path import DatagramPath
from pystack.errors import Reason

__all__ = ["GatheringState", "IceParameters", "IceState", "IceTransport", "SelectedPair", "StunTap"]

IceState: TypeAlias = Literal["new", "checking", "connected", "completed", "disconnected", "failed", "closed"]
"""The values of W3C's ``RTCIceTransportState``."""

StunTap: TypeAlias = Callable[[bytes, tuple[str, int], tuple[str, int], bool], None]
"""``(message, our address, the peer's, whether it arrived)``."""

GatheringState: TypeAlias = Literal["new", "gathering", "complete"]
"""The values of W3C's ``RTCIceGatheringState``."""


@attrs.frozen
class IceParameters:
    """What one side tells the other (RFC 8839 section 5.4): ``a=ice-ufrag``, ``a=ice-pwd``, ``a=ice-lite``."""

    ufrag: str
    pwd: str = attrs.field(repr=False)
    lite: bool = False


@attrs.frozen
class SelectedPair:
    """Where the datagrams go now, and what is known of that path; equal to itself whatever was counted meanwhile.

    Attributes:
        local, remote: ``(host, port)``.
        local_type, remote_type: of candidate: ``host``, ``srflx``, ``prflx`` or ``relay``. A lite agent knows the
            peer by its checks alone, which makes it ``prflx``.
        protocol: ``udp`` or ``tcp`` between us and the peer, or a relay's end of it.
        relay_protocol: ``udp``, ``tcp`` or ``tls`` between us and our relay; ``None`` without one.
        number: how many were selected by now, this one included.
        packets_sent, packets_received, bytes_sent, bytes_received: of data, since the pair is in use.
        checks_sent: requests sent to find the path; none by a lite agent.
        requests: requests sent for consent; likewise.
        responses: authentic answers to both.
        checks: authenticated requests of the peer, for either purpose. A lite agent counts them for all its pairs
            together.
        answers: responses sent to them.
        round_trip_time: seconds, of the last answer; ``None`` before.
        total_round_trip_time: of all answers.
    """

    local: tuple[str, int]
    remote: tuple[str, int]
    local_type: str
    remote_type: str = "prflx"
    protocol: str = "udp"
    relay_protocol: str | None = None
    number: int = attrs.field(default=1, eq=False)
    packets_sent: int = attrs.field(default=0, eq=False)
    packets_received: int = attrs.field(default=0, eq=False)
    bytes_sent: int = attrs.field(default=0, eq=False)
    bytes_received: int = attrs.field(default=0, eq=False)
    checks_sent: int = attrs.field(default=0, eq=False)
    requests: int = attrs.field(default=0, eq=False)
    responses: int = attrs.field(default=0, eq=False)
    checks: int = attrs.field(default=0, eq=False)
    answers: int = attrs.field(default=0, eq=False)
    round_trip_time: float | None = attrs.field(default=None, eq=False)
    total_round_trip_time: float = attrs.field(default=0.0, eq=False)


class IceTransport(DatagramPath, Protocol):
    """A datagram path that ICE finds and keeps.

    Attributes:
        on_state: set by the user; called at each change of ``state``, with the new one. ``closed`` is not announced
            (whoever calls ``close()`` knows).
        on_stun: may be set by a debugger, before anything begins: called with each STUN message of the transport, our
            and the peer's address, and whether it arrived.
        on_candidate: set by the user; the value of an ``a=candidate`` line from ``candidate:`` on, or ``None`` once
            all are out. Host candidates are announced from inside ``gather()``.
        state: where the transport stands.
        reason: why it is ``failed``; ``None`` otherwise.
        gathering_state: where the gathering stands.
    """

    on_state: Callable[[IceState], None]
    on_candidate: Callable[[str | None], None]
    on_stun: StunTap | None

    @property
    def state(self) -> IceState:
        """Where the transport stands. ``failed`` is left only by :meth:`restart`, or by :meth:`close`."""
        ...

    @property
    def reason(self) -> Reason | None:
        """Why it is ``failed`` (a ``TransportLost`` value); ``None`` in the other states."""
        ...

    @property
    def gathering_state(self) -> GatheringState:
        """Where the gathering of local candidates stands."""
        ...

    @property
    def local_parameters(self) -> IceParameters:
        """Our credentials: those of the newest generation, from construction on."""
        ...

    @property
    def remote_parameters(self) -> IceParameters | None:
        """What :meth:`set_remote_parameters` was last told, in this generation."""
        ...

    @property
    def local_candidates(self) -> tuple[str, ...]:
        """The candidates of the newest generation that are known by now, each as ``candidate:...``."""
        ...

    @property
    def selected_pair(self) -> SelectedPair | None:
        """The pair in use, if any."""
        ...

    def gather(self) -> None:
        """Begin to gather; harmless when it was begun. Ends with ``on_candidate(None)``, after 5 s at the latest."""

    def set_remote_parameters(self, parameters: IceParameters) -> None:
        """Tell the peer's credentials. The same ones again change nothing.

        Raises:
            LocalProtocolError: others were set in this generation; call :meth:`restart` first.
        """

    def add_remote_candidate(self, candidate: str | None) -> None:
        """Tell a candidate of the peer (``candidate:...``, an ``a=`` before it is tolerated), ``""``/``None`` the end.

        What cannot be used (TCP, component 2, a ``.local`` name, a port 0, garbage) is counted and ignored: the peer
        may still be found by its own checks.
        """

    @property
    def controlling(self) -> bool | None:
        """The role that the checks of the running generation settled; ``None`` where none has led to a path."""
        ...

    def start(self, controlling: bool) -> None:
        """Begin the checks (or wait for the peer's); harmless when begun in this generation.

        ICE-lite is always controlled. Ends in ``connected`` or, by the connect time-out at the latest, ``failed``.
        """

    def restart(self) -> None:
        """Begin a new generation with new ``local_parameters`` (RFC 8445 section 9).

        The old one keeps carrying datagrams until the new one connects. Call :meth:`gather`,
        :meth:`set_remote_parameters` and :meth:`start` again, and :meth:`keep_restart` once both sides agree on it.
        """

    def keep_restart(self) -> None:
        """Both sides agree on the generation that :meth:`restart` began: there is no way back. Else harmless."""

    def undo_restart(self) -> bool:
        """Go back to the generation before :meth:`restart`, as if it had not been called (RFC 9429 section 5.7).

        Returns:
            false if there is no way back: nothing was restarted, it was kept, or the new generation is in use.
        """
        ...

    def counters(self) -> Mapping[str, int]:
        """Datagrams and bytes in and out, and everything dropped, by name. A copy."""
        ...

    async def wait_closed(self) -> None:
        """After :meth:`close`: wait until the farewell to relays is over, 1 s at most. Safe to call any time."""
