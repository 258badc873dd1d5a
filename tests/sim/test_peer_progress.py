"""A time-out says what is missing, so that the next step is in the message."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pystack.dtls import DtlsOptions
from pystack.peer import Configuration, PeerConnection, SessionDescription, connect
from pystack.session import SessionOptions
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import peer_pair


async def nothing(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    return


async def offered(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    await one.set_local_description()


async def heard(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    other.create_data_channel("chat")
    await other.set_local_description()
    assert other.local_description is not None
    await one.set_remote_description(other.local_description)


async def answered(one: PeerConnection, other: PeerConnection, network: MemoryNetwork, *, strip: bool = False) -> None:
    await one.set_local_description()
    assert one.local_description is not None
    await other.set_remote_description(one.local_description)
    await other.set_local_description()
    assert other.local_description is not None
    text = other.local_description.sdp
    if strip:
        text = "".join(line for line in text.splitlines(keepends=True) if "candidate" not in line)
    await one.set_remote_description(SessionDescription("answer", text))
    network.black_hole()


async def without_candidates(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    await answered(one, other, network, strip=True)


async def mute(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    """ICE is through, and the handshake is not."""
    await answered(one, other, network)
    network.heal()
    one._ice._path._carrier.link.lose = lambda _, data: 20 <= data[0] <= 63  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (nothing, "no description was applied: call set_local_description"),
        (offered, "the offer has no answer yet: give the other side's to set_remote_description"),
        (heard, "the remote offer has no answer yet: call set_local_description"),
        (answered, "ICE is checking: no candidate of the other side could be reached$"),
        (without_candidates, r"could be reached, and none came with its description: trickle, or wait_gathered\(\)"),
        (mute, "ICE is connected, DTLS is connecting: the other side does not finish the handshake"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_connection_that_does_not_get_on_says_what_is_missing(prepare: Callable[..., object], words: str) -> None:
    async def main() -> None:
        network = MemoryNetwork(LinkOptions(delay=0.01))
        patient = Configuration(session=SessionOptions(dtls=DtlsOptions(handshake_timeout=60)))
        async with peer_pair(network, patient) as (one, other):
            if prepare is not heard:
                one.create_data_channel("chat")
            await prepare(one, other, network)  # type: ignore[misc]
            with pytest.raises(TimeoutError, match=r"^not connected within 3 s; .*" + words):
                await one.wait_connected(timeout=3)

    run(main())


def test_connect_says_the_same() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with peer_pair(network) as (one, other):
            one.create_data_channel("chat")
            network.black_hole()
            with pytest.raises(TimeoutError, match="ICE is checking"):
                await connect(one, other, timeout=2)

    run(main())
