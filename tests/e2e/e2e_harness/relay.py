"""A UDP relay between one browser and the server, so that a test can speak on the browser's own 5-tuple.

The browser's datagrams arrive on one port; each of its addresses gets a leg with a socket of its own towards the
server, so that for the server a leg *is* the browser. The page's remote candidates are rewritten to the relay's port by
the preload in :mod:`e2e_harness.room`.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

LOOPBACK = "127.0.0.1"


def classify(data: bytes) -> str:
    """Name the class of a datagram by its first bytes (RFC 7983, RFC 5761)."""
    if not data:
        return "empty"
    first = data[0]
    if first < 4:
        return "stun"
    if 20 <= first <= 63:
        return "dtls"
    if 128 <= first <= 191:
        return "rtcp" if len(data) > 1 and 192 <= data[1] <= 223 else "rtp"
    return "unknown"


class Leg(asyncio.DatagramProtocol):
    """One address of the browser.

    Attributes:
        carried: the browser's own datagrams that went up, by class.
        injected: datagrams of ours that went up, by the name that the test gave them.
        seen: the browser's latest datagrams of each class, as they went up.
        rewrite: applied to each of the browser's datagrams on the way up.
    """

    def __init__(self, relay: Relay, browser: tuple[str, int]) -> None:
        self.relay = relay
        self.browser = browser
        self.carried: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self.down: Counter[str] = Counter()
        self.seen: dict[str, deque[bytes]] = {name: deque(maxlen=64) for name in ("stun", "dtls", "rtp", "rtcp")}
        self.rewrite: Callable[[bytes], bytes] = lambda data: data
        self._up: asyncio.DatagramTransport | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._up = cast(asyncio.DatagramTransport, transport)
        for data in self._early:
            self.carry(data)
        self._early.clear()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.down[classify(data)] += 1
        self.relay.send_down(data, self.browser)

    def carry(self, data: bytes) -> None:
        """Take one of the browser's datagrams up."""
        if self._up is None:
            self._early.append(data)
            return
        kind = classify(data)
        if kind in self.seen:
            self.seen[kind].append(data)
        self.carried[kind] += 1
        self._up.sendto(self.rewrite(data))

    def inject(self, name: str, data: bytes) -> None:
        """Send a datagram of ours up, as if the browser had."""
        assert self._up is not None
        self.injected[name] += 1
        self._up.sendto(data)

    @property
    def local(self) -> tuple[str, int]:
        """What the server takes for the browser's address."""
        assert self._up is not None
        return self._up.get_extra_info("sockname")

    def close(self) -> None:
        if self._up is not None:
            self._up.close()


class Relay(asyncio.DatagramProtocol):
    """``async with Relay.open(server_port) as relay``; the browser sends to ``relay.port``."""

    def __init__(self, server_port: int) -> None:
        self.server = (LOOPBACK, server_port)
        self.legs: dict[tuple[str, int], Leg] = {}
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._opening: set[asyncio.Task[object]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, server_port: int) -> AsyncIterator[Relay]:
        """Stand between a browser and the server's media port as long as the context lasts."""
        relay = cls(server_port)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: relay, local_addr=(LOOPBACK, 0)
        )
        relay._transport = transport
        relay.port = transport.get_extra_info("sockname")[1]
        try:
            yield relay
        finally:
            relay.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        leg = self.legs.get(addr)
        if leg is None:
            leg = self.legs[addr] = Leg(self, addr)
            opening = asyncio.get_running_loop().create_task(self._connect(leg))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
        leg.carry(data)

    async def _connect(self, leg: Leg) -> None:
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: leg, remote_addr=self.server)

    def send_down(self, data: bytes, browser: tuple[str, int]) -> None:
        """Take one of the server's datagrams down."""
        assert self._transport is not None
        self._transport.sendto(data, browser)

    @property
    def busiest(self) -> Leg:
        """The leg that the call runs over."""
        return max(self.legs.values(), key=lambda leg: leg.carried["rtp"] + leg.carried["dtls"])

    def close(self) -> None:
        for leg in self.legs.values():
            leg.close()
        if self._transport is not None:
            self._transport.close()
