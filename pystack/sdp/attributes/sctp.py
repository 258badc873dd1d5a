"""Data channels in a description: ``a=sctp-port``, ``a=max-message-size`` (RFC 8841).

``a=sctp-init`` (an INIT chunk ahead of time) is kept as unknown: leaving it out of an answer means the ordinary
handshake. The port of the old form is in the format or in ``a=sctpmap`` (draft-ietf-mmusic-sctp-sdp-07).
"""

from __future__ import annotations

from typing import Final

from pystack.sdp.attributes.numbers import number
from pystack.sdp.model import MediaSection

__all__ = ["DEFAULT_MAX_MESSAGE_SIZE", "max_message_size_of", "parse_max_message_size", "parse_sctp_port", "port_of"]

DEFAULT_MAX_MESSAGE_SIZE: Final = 65536
"""In bytes, where nothing is said (RFC 8841 6.1)."""


def parse_sctp_port(value: str) -> int:
    """Read ``a=sctp-port``; :class:`DecodeError` if it is no port."""
    return number(value.strip(), "a port of 1 to 65535", 65535, 1)


def parse_max_message_size(value: str) -> int:
    """Read ``a=max-message-size`` in bytes, 0 for no limit; :class:`DecodeError` if it is no such number."""
    return number(value.strip(), "a size in bytes", 2**64 - 1)


def port_of(section: MediaSection) -> int:
    """Return the SCTP port of an application section, 5000 if it names none."""
    port = section.read_first("sctp-port", parse_sctp_port)
    if port is not None:
        return port
    old = section.formats[0] if section.formats else ""
    return int(old) if old.isascii() and old.isdigit() and len(old) <= 5 and 0 < int(old) <= 65535 else 5000


def max_message_size_of(section: MediaSection) -> int:
    """Return the largest message in bytes that the writer of ``section`` takes; 0 for no limit."""
    size = section.read_first("max-message-size", parse_max_message_size)
    return DEFAULT_MAX_MESSAGE_SIZE if size is None else size
