"""DTLS 1.2, client and server, without input or output (RFC 6347): :class:`DtlsEngine` is the core to use.

Everything else is a part of it: see ``docs/explanation/dtls.md`` for the map.
"""

from pystack.dtls.certificate import FINGERPRINT_ALGORITHMS, Certificate, fingerprint
from pystack.dtls.engine import DtlsEngine
from pystack.dtls.events import Connected, DtlsEvent, PeerCertificate
from pystack.dtls.export import SRTP_PROFILES
from pystack.dtls.options import DtlsOptions
from pystack.dtls.provider import CryptoProvider, KeyShare, NativeProvider, SeededProvider
from pystack.dtls.states import EngineState

__all__ = [
    "FINGERPRINT_ALGORITHMS",
    "SRTP_PROFILES",
    "Certificate",
    "Connected",
    "CryptoProvider",
    "DtlsEngine",
    "DtlsEvent",
    "DtlsOptions",
    "EngineState",
    "KeyShare",
    "NativeProvider",
    "PeerCertificate",
    "SeededProvider",
    "fingerprint",
]
