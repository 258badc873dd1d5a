"""What forwarding needs of a transport: small protocols, so that it runs in tests on plain objects.

``pystack.RtpReceiver`` is a :class:`PacketSource`, ``pystack.RtpSender`` a :class:`PacketSink`,
``pystack.rtp.RtpPacket`` a :class:`Packet` and ``pystack.rtp.CodecSpec`` a :class:`Codec`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

__all__ = ["Codec", "Packet", "PacketSink", "PacketSource", "Reception", "Report"]


class Codec(Protocol):
    """One negotiated payload type."""

    @property
    def payload_type(self) -> int: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def clock_rate(self) -> int: ...  # noqa: D102
    @property
    def channels(self) -> int | None: ...  # noqa: D102
    @property
    def fmtp(self) -> Mapping[str, str]: ...  # noqa: D102


class Packet(Protocol):
    """One RTP packet as it arrived; ``arrival`` in monotonic seconds."""

    ssrc: int
    payload_type: int
    marker: bool
    sequence_number: int
    timestamp: int
    payload: bytes
    arrival: float
    extension_map: Any
    """What the ids of its header extension mean; ``None`` if it has none."""


class Reception(Protocol):
    """What was received in a while; ``max_jitter`` in seconds."""

    @property
    def expected(self) -> int: ...  # noqa: D102
    @property
    def lost(self) -> int: ...  # noqa: D102
    @property
    def max_jitter(self) -> float: ...  # noqa: D102


class Report(Protocol):
    """What a receiver reported in a while; ``max_jitter`` in timestamp units."""

    @property
    def packets(self) -> int: ...  # noqa: D102
    @property
    def lost(self) -> int: ...  # noqa: D102
    @property
    def max_jitter(self) -> int: ...  # noqa: D102
    @property
    def max_round_trip_time(self) -> float | None: ...  # noqa: D102


class PacketSource(Protocol):
    """Where the packets of a published track come from."""

    on_packet: Callable[[Any, str], object] | None

    @property
    def codecs(self) -> Sequence[Codec]:
        """The negotiated payload types."""
        ...

    def request_key_frame(self, rid: str = "") -> None:
        """Ask the sender for a key frame of one layer; asking often is merged below."""

    def reception_window(self, rid: str = "", observer: str = "") -> Reception | None:
        """What was received of one layer since ``observer`` asked last; ``None`` at its first question."""
        ...


class PacketSink(Protocol):
    """Where packets for one subscriber go."""

    on_key_frame_request: Callable[[], None] | None

    @property
    def codecs(self) -> Sequence[Codec]:
        """The negotiated payload types."""
        ...

    def write(
        self,
        packet: Any,
        *,
        payload_type: int | None = None,
        sequence_number: int | None = None,
        timestamp: int | None = None,
    ) -> bool:
        """Send one packet with these fields replaced; false if it was dropped."""
        ...

    def pad(self, size: int) -> int:
        """Send about so many bytes that hold nothing new; return how many went."""
        ...

    def report_window(self, rid: str = "", observer: str = "") -> Report | None:
        """What the receiver reported since ``observer`` asked last; ``None`` at its first question."""
        ...
