"""Two peers in one process talk over a data channel: the shortest whole program.

Run it: ``python examples/two_peers.py``
"""

import asyncio

from pystack import PeerConnection, connect


async def answer(peer: PeerConnection) -> None:
    async for message in await peer.next_data_channel():
        print("bob got:", message)


async def main() -> None:
    async with PeerConnection() as alice, PeerConnection() as bob:
        chat = alice.create_data_channel("chat")
        await connect(alice, bob)
        answering = asyncio.create_task(answer(bob))
        async with chat:  # waits until it is open; closes it in good order
            await chat.write("hello, Bob")
            await chat.write("and goodbye")
        await answering


if __name__ == "__main__":
    asyncio.run(main())
