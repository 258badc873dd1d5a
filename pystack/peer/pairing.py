"""Two connections in one process, introduced to each other by plain calls: for first steps, tests and loopbacks.

Between machines somebody has to carry the descriptions: :mod:`pystack.peer.negotiator`.
"""

from __future__ import annotations

import asyncio

from pystack.errors import LocalProtocolError
from pystack.peer.connection import PeerConnection
from pystack.peer.description import SessionDescription

__all__ = ["connect"]


async def connect(offerer: PeerConnection, answerer: PeerConnection, *, timeout: float = 10.0) -> None:
    """Negotiate ``offerer`` with ``answerer``, both in this process, and wait until they are connected.

    Call it again after a change to negotiate again.

    Args:
        offerer: makes the offer: what it wants to send or receive was added before, a data channel or a transceiver.
        answerer: answers it.
        timeout: seconds for all of it.

    Raises:
        LocalProtocolError: the offerer has nothing to offer.
        TimeoutError: not in time.
        Closed: one of the two ended; the reason says why.
    """
    if not (offerer.data_channels or offerer.transceivers):
        raise LocalProtocolError(
            "connect",
            offerer.signaling_state,
            "there is nothing to connect for yet: call create_data_channel, add_track or add_transceiver before",
        )
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    await offerer.set_local_description()
    await answerer.set_remote_description(await _gathered(offerer, end - loop.time()))
    await answerer.set_local_description()
    await offerer.set_remote_description(await _gathered(answerer, end - loop.time()))
    await offerer.wait_connected(timeout=end - loop.time())
    await answerer.wait_connected(timeout=end - loop.time())


async def _gathered(connection: PeerConnection, timeout: float) -> SessionDescription:
    await connection.wait_gathered(timeout=timeout)
    description = connection.local_description
    assert description is not None
    return description
