"""A UDP relay that stands between another peer and us and treats both ways badly: it loses, delays and reorders."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from pystack.testing.carrier import LinkCarrier
from pystack.testing.link import Link

__all__ = ["LossyRelay"]

LOOPBACK = "127.0.0.1"


class LossyRelay(asyncio.DatagramProtocol):
    """``async with LossyRelay.open(seed) as relay``; describe us to the other side by :meth:`rewrite`.

    Attributes:
        loss: the share of datagrams that is lost, each way.
        jitter: each datagram is late by up to so many seconds, whatever came before it.
        link: what the way down does besides, at first nothing.
        passed, lost: datagrams by direction, ``"up"`` (to us) or ``"down"``.
    """

    def __init__(self, seed: int) -> None:
        self.loss = 0.0
        self.jitter = 0.0
        self.passed: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._loop = asyncio.get_running_loop()
        self.link: Link[bytes] = Link()
        self._down = LinkCarrier(self.link, self._deliver)
        self._us: tuple[str, int] | None = None
        self._other: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, seed: int, address: str = LOOPBACK) -> AsyncIterator[LossyRelay]:
        """Stand there as long as the context lasts."""
        relay = cls(seed)
        transport, _ = await relay._loop.create_datagram_endpoint(lambda: relay, local_addr=(address, 0))
        relay._transport = cast(asyncio.DatagramTransport, transport)
        try:
            yield relay
        finally:
            transport.close()
            relay._down.close()

    def rewrite(self, sdp: str) -> str:
        """Our description with our one address replaced by the relay's."""
        found = re.search(r"^a=candidate:\S+ 1 udp \S+ (\S+) (\d+) typ host.*$", sdp, re.MULTILINE | re.IGNORECASE)
        assert found is not None, sdp
        self._us = (found[1], int(found[2]))
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")
        return sdp.replace(f" {found[1]} {found[2]} typ", f" {host} {port} typ")

    @staticmethod
    def conceal(sdp: str) -> str:
        """The other side's description without its addresses: we learn the relay's from what comes."""
        return re.sub(r"^a=candidate:.*\r?\n", "", sdp, flags=re.MULTILINE)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Carry one datagram to the other side, or not."""
        if addr == self._us:
            way, target = "down", self._other
        else:
            way, target = "up", self._us
            self._other = addr
        if target is None:
            return
        if self._random.random() < self.loss:
            self.lost[way] += 1
            return
        self.passed[way] += 1
        if self.jitter:
            self._loop.call_later(self._random.random() * self.jitter, self._forward, way, data, target)
        else:
            self._forward(way, data, target)

    def _forward(self, way: str, data: bytes, target: tuple[str, int]) -> None:
        if way == "down":
            self._down.put(data)
        else:
            self._send(data, target)

    def _deliver(self, arrived: list[bytes], now: float) -> None:
        if self._other is not None:
            for data in arrived:
                self._send(data, self._other)

    def _send(self, data: bytes, target: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, target)
