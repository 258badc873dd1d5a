"""Two peers in one process talk over a data channel: the shortest whole program.

Run it: ``python examples/two_peers.py``
"""

import asyncio

from pystack import DataChannelAdded, PeerConnection


async def main() -> None:
    async with PeerConnection() as alice, PeerConnection() as bob:
        chat = alice.create_data_channel("chat")

        # Signalling is yours: here the descriptions go from hand to hand.
        await alice.set_local_description()
        await alice.wait_gathered(timeout=5)
        await bob.set_remote_description(alice.local_description)
        await bob.set_local_description()
        await bob.wait_gathered(timeout=5)
        await alice.set_remote_description(bob.local_description)

        async def answer() -> None:
            async for event in bob.events():
                if isinstance(event, DataChannelAdded):
                    async for message in event.channel:
                        print("bob got:", message)
                        await event.channel.write(f"you said {message!r}")

        answering = asyncio.create_task(answer())
        async with chat:  # waits until it is open; closes it in good order
            await chat.write("hello, Bob")
            print("alice got:", await chat.read(timeout=10))
        answering.cancel()


if __name__ == "__main__":
    asyncio.run(main())
