"""A network between clients and the server that takes only so much on the way down, for each client by itself.

The server takes media on loopback and advertises another address of the machine, at the same port; there this stands,
with a socket of its own towards the server for each client, as a NAT has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from pystack.testing.carrier import LinkCarrier
from pystack.testing.link import Link, LinkOptions

__all__ = ["ThinNetwork"]

Address = tuple[str, int]


class ThinNetwork(asyncio.DatagramProtocol):
    """``async with ThinNetwork.open(here, server) as network``.

    Attributes:
        options: of the link down to each client; replace them at any time.
    """

    def __init__(self, server: Address) -> None:
        self._options = LinkOptions()
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._flows: dict[Address, _Flow] = {}
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, here: Address, server: Address) -> AsyncIterator[ThinNetwork]:
        """Stand at ``here`` as long as the context lasts."""
        network = cls(server)
        transport, _ = await network._loop.create_datagram_endpoint(lambda: network, local_addr=here)
        network._transport = cast(asyncio.DatagramTransport, transport)
        try:
            yield network
        finally:
            transport.close()
            for flow in network._flows.values():
                flow.close()

    @property
    def options(self) -> LinkOptions:
        return self._options

    @options.setter
    def options(self, value: LinkOptions) -> None:
        self._options = value
        for flow in self._flows.values():
            flow.link.options = value

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """From a client: on to the server."""
        flow = self._flows.get(addr)
        if flow is None:
            flow = self._flows[addr] = _Flow(self, addr)
            self._loop.create_task(flow.begin(self._server))
        flow.up(data)

    def deliver(self, data: bytes, client: Address) -> None:
        """To a client."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, client)


class _Flow(asyncio.DatagramProtocol):
    """One client."""

    def __init__(self, network: ThinNetwork, client: Address) -> None:
        self.link: Link[bytes] = Link(network.options)
        self._network = network
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._down = LinkCarrier(self.link, self._deliver)
        self._transport: asyncio.DatagramTransport | None = None
        self._early: list[bytes] = []

    async def begin(self, server: Address) -> None:
        transport, _ = await self._loop.create_datagram_endpoint(lambda: self, remote_addr=server)
        self._transport = cast(asyncio.DatagramTransport, transport)
        for data in self._early:
            self._transport.sendto(data)

    def up(self, data: bytes) -> None:
        if self._transport is None:
            self._early.append(data)
        else:
            self._transport.sendto(data)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._down.put(data)

    def _deliver(self, arrived: list[bytes], now: float) -> None:
        for data in arrived:
            self._network.deliver(data, self._client)

    def close(self) -> None:
        self._down.close()
        if self._transport is not None:
            self._transport.close()
