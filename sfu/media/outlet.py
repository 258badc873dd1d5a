"""One outgoing stream of a subscriber: where its packets go, and how they are numbered."""

from __future__ import annotations

import attrs

from sfu.media.munger import Munger
from sfu.media.ports import PacketSink

__all__ = ["Outlet"]


@attrs.frozen(eq=False)
class Outlet:
    """A sink with its numbering, which outlives the tracks that are sent on it one after the other (one SSRC)."""

    sink: PacketSink
    munger: Munger
