"""A path as ICE sees it: which of our sockets, and which address of the peer.

Everybody else treats a path as an opaque hashable. ICE needs the peer's address, because a response tells it to the
peer (XOR-MAPPED-ADDRESS). Made by the mux, once per address and not per packet.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

__all__ = ["Path"]


class Path(NamedTuple):
    """``local`` names our socket, whatever that is to its owner; ``host`` and ``port`` are the peer's."""

    local: Hashable
    host: str
    port: int
