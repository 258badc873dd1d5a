"""Two connections in one process, introduced to each other by plain calls: for first steps, tests and loopbacks.

Between machines somebody has to carry the descriptions: :mod:`pystack.peer.negotiator`.
"""

from __future__ import annotations

import asyncio

from pystack.errors import Closed, InvalidArgument, LocalProtocolError
from pystack.peer.arguments import check_timeout
from pystack.peer.connection import PeerConnection
from pystack.peer.description import SessionDescription
from pystack.peer.progress import missing_step

__all__ = ["connect"]


async def connect(offerer: PeerConnection, answerer: PeerConnection, *, timeout: float | None = 10.0) -> None:
    """Negotiate ``offerer`` with ``answerer``, both in this process, and wait until they are connected.

    Call it again after a change to negotiate again.

    Args:
        offerer: makes the offer: what it wants to send or receive was added before, a data channel or a transceiver.
        answerer: answers it.
        timeout: seconds for all of it; ``None``: as long as it takes.

    Raises:
        InvalidArgument: they are not two connections.
        LocalProtocolError: the offerer has nothing to offer.
        TimeoutError: not in time; the message says what is missing.
        Closed: one of the two ended; the reason says why.
    """
    for what, one in (("offerer", offerer), ("answerer", answerer)):
        if not isinstance(one, PeerConnection):
            raise InvalidArgument(f"{what} is a PeerConnection, not {type(one).__name__}")
    if offerer is answerer:
        raise InvalidArgument("offerer and answerer are the same connection; a connection is between two")
    check_timeout(timeout)
    for one in (offerer, answerer):
        if one.reason is not None:
            raise Closed.because("peer connection", one.reason)
    if not (offerer.data_channels or offerer.transceivers):
        raise LocalProtocolError(
            "connect",
            offerer.signaling_state,
            "there is nothing to connect for yet: call create_data_channel, add_track or add_transceiver before",
        )
    deadline = asyncio.timeout(timeout)
    try:
        async with deadline:
            await offerer.set_local_description()
            await answerer.set_remote_description(await _gathered(offerer))
            await answerer.set_local_description()
            await offerer.set_remote_description(await _gathered(answerer))
            await offerer.wait_connected()
            await answerer.wait_connected()
    except TimeoutError:
        if not deadline.expired():
            raise
        late = answerer if offerer.connection_state == "connected" else offerer
        dtls = str(dict(late.get_stats()["T"]).get("dtlsState"))
        raise TimeoutError(f"not connected within {timeout:g} s; {missing_step(late, dtls)}") from None


async def _gathered(connection: PeerConnection) -> SessionDescription:
    await connection.wait_gathered()
    description = connection.local_description
    assert description is not None
    return description
