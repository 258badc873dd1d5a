"""What the shared port drops, it counts under a reason."""

from __future__ import annotations

import asyncio
import socket

from pystack.aio import UdpMux


def test_what_only_begins_like_stun_is_counted() -> None:
    async def main() -> None:
        async with await UdpMux.open("127.0.0.1") as mux:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.sendto(b"\x00\x01 not a check at all, but long enough", mux.addresses[0])
                stranger.sendto(b"\x80 nobody", mux.addresses[0])
                for _ in range(5000):
                    await asyncio.sleep(0)
                    if mux.counters()["datagrams_in"] == 2:
                        break
            counters = mux.counters()
            assert (counters["not_stun"], counters["unknown_source"]) == (1, 1)

    asyncio.run(main())
