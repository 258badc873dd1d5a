"""What can be chosen about a DTLS engine."""

from __future__ import annotations

import attrs

from pystack.dtls.export import SRTP_PROFILES
from pystack.errors import InvalidArgument

__all__ = ["DtlsOptions"]

_SMALLEST_MTU = 200


@attrs.frozen(kw_only=True)
class DtlsOptions:
    """Options of a :class:`~pystack.dtls.DtlsEngine`. Sizes in bytes, times in seconds.

    Attributes:
        mtu: the largest datagram that the handshake builds.
        srtp_profiles: SRTP protection profiles (RFC 5764, RFC 7714 numbers) in order of preference; empty: no use_srtp.
        retransmit_initial: the wait before a flight is sent again for the first time; it doubles with each.
        retransmit_maximum: the longest such wait.
        repeat_spacing: a peer that repeats itself is answered by the last flight again, but not more often than this.
        handshake_timeout: from ``start()`` to the end of the handshake.
        trust_timeout: from the end of the handshake to ``trust()``.
        alert_grace: how long a handshake may go on without progress after an alert that anybody could have sent.
        replay_window: how many record numbers behind the highest are remembered.
        held_bytes: most bytes kept of records that came before their keys, and again of data that came before trust.
        data_bytes: most bytes kept of data that nobody has taken yet.
        require_extended_master_secret: refuse peers without RFC 7627. All of today's have it.
        cookie_exchange: as server, prove the client's address first (HelloVerifyRequest). Off: ICE has proved it.
    """

    mtu: int = 1200
    srtp_profiles: tuple[int, ...] = (8, 7, 1)
    retransmit_initial: float = 0.2
    retransmit_maximum: float = 4.0
    repeat_spacing: float = 0.05
    handshake_timeout: float = 60.0
    trust_timeout: float = 60.0
    alert_grace: float = 5.0
    replay_window: int = 256
    held_bytes: int = 65536
    data_bytes: int = 1 << 20
    require_extended_master_secret: bool = True
    cookie_exchange: bool = False

    def __attrs_post_init__(self) -> None:
        if self.mtu < _SMALLEST_MTU:
            raise InvalidArgument(f"mtu {self.mtu} is below {_SMALLEST_MTU}")
        if not set(self.srtp_profiles) <= SRTP_PROFILES.keys():
            raise InvalidArgument(f"unknown SRTP profile among {self.srtp_profiles}")
        if self.replay_window < 1:
            raise InvalidArgument(f"replay_window {self.replay_window} is below 1")
        if min(self.retransmit_initial, self.retransmit_maximum, self.handshake_timeout, self.trust_timeout) <= 0:
            raise InvalidArgument("time-outs must be above zero")
        if min(self.repeat_spacing, self.alert_grace, self.held_bytes, self.data_bytes) < 0:
            raise InvalidArgument("bounds cannot be negative")
