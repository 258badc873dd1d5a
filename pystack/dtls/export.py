"""What a finished handshake leaves behind: the agreement, and keys for others from it.

RFC 5705 (keying material exporters) and RFC 5764 section 4.2 (SRTP keys). Made by the two handshakes, kept by the
engine. A later version of DTLS has an agreement of its own with the same members.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import attrs

from pystack.dtls.keys import key_log_line, prf
from pystack.dtls.suites import CipherSuite

__all__ = ["SRTP_PROFILES", "Agreement", "Agreement12", "srtp_keying_material"]

SRTP_PROFILES: Final[Mapping[int, tuple[int, int]]] = {1: (16, 14), 7: (16, 12), 8: (32, 12)}
"""Protection profile → master key and master salt sizes in bytes (RFC 5764 section 4.1.2, RFC 7714 section 14.2)."""
_SRTP_LABEL = b"EXTRACTOR-dtls_srtp"


class Agreement(Protocol):
    """What the two sides agreed on, whatever the version."""

    @property
    def version(self) -> str:
        """``"DTLS 1.2"``."""
        ...

    @property
    def cipher(self) -> str:
        """The registered name of the cipher suite."""
        ...

    @property
    def srtp_profile(self) -> int | None:
        """The SRTP protection profile, if one was negotiated."""
        ...

    @property
    def key_log(self) -> str:
        """The line that gives the session away to a debugger."""
        ...

    def export(self, label: bytes, length: int, context: bytes | None) -> bytes:
        """``length`` bytes of keying material for ``label``."""
        ...


@attrs.frozen(repr=False)
class Agreement12:
    """The agreement of a DTLS 1.2 handshake."""

    suite: CipherSuite
    srtp_profile: int | None
    master: bytes
    client_random: bytes
    server_random: bytes

    @property
    def version(self) -> str:
        """``"DTLS 1.2"``."""
        return "DTLS 1.2"

    @property
    def cipher(self) -> str:
        """The registered name of the cipher suite."""
        return self.suite.name

    @property
    def key_log(self) -> str:
        """The line that gives the session away to a debugger."""
        return key_log_line(self.client_random, self.master)

    def export(self, label: bytes, length: int, context: bytes | None) -> bytes:
        """RFC 5705 section 4; no context and an empty context differ."""
        seed = self.client_random + self.server_random
        if context is not None:
            seed += len(context).to_bytes(2) + context
        return prf(self.suite.hash, self.master, label, seed, length)


def srtp_keying_material(agreement: Agreement, profile: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Client key, server key, client salt, server salt for an SRTP profile of :data:`SRTP_PROFILES`."""
    key, salt = SRTP_PROFILES[profile]
    block = agreement.export(_SRTP_LABEL, 2 * (key + salt), None)
    return block[:key], block[key : 2 * key], block[2 * key : 2 * key + salt], block[2 * key + salt :]
