"""The eight laws on data channels over real associations."""

import random

from crc32c import crc32c
from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.datachannel import ChannelOptions, DataChannels
from pystack.sctp import Association, AssociationOptions
from pystack.testing.laws import START, Command, CoreLaws, Scenario, Side
from pystack.testing.strategies import mutate

MTU = 1191
HANDLES = st.integers(1, 6)


def corrupt(data: bytes, chance: random.Random) -> bytes:
    """Damage a packet and repair its checksum half of the time, so that the damage gets in."""
    data = mutate(data, chance)
    if len(data) < 12 or chance.random() < 0.5:
        return data
    bare = data[:8] + bytes(4) + data[12:]
    return data[:8] + crc32c(bare).to_bytes(4, "little") + data[12:]


def open_channel(core: DataChannels, parameters: tuple[int, bool, int], now: float) -> None:
    kind, ordered, number = parameters
    core.open(
        "x" * number,
        now,
        ordered=ordered,
        max_retransmits=number if kind == 1 else None,
        max_lifetime=number / 10 if kind == 2 else None,
        negotiated=kind == 3,
        id=number if kind == 3 else None,
    )


class TestDataChannelLaws(CoreLaws):
    def make(self, seed: int) -> Scenario:
        cores = [
            DataChannels(
                Association(AssociationOptions(mtu=MTU, stream_send_buffer=20_000), SeededRandomness(f"{seed} {name}")),
                ChannelOptions(max_channels=40, early_bytes=4000),
            )
            for name in "ab"
        ]
        for number, core in enumerate(cores):
            core.open("first", START)
            core.start(number == 0, START)
        return Scenario(
            sides=[Side(name, core, limit=MTU) for name, core in zip("ab", cores, strict=True)],
            commands=[
                Command("open", open_channel, st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 30))),
                Command(
                    "send",
                    lambda core, what, now: core.send(what[0], what[1], now),
                    st.tuples(HANDLES, st.binary(max_size=3000) | st.text(max_size=5)),
                ),
                Command("send much", lambda core, handle, now: core.send(handle, bytes(9000), now), HANDLES),
                Command("consume", lambda core, handle, now: core.consume(handle, 1000, now), HANDLES),
                Command("close", lambda core, handle, now: core.close(handle, now), HANDLES),
                Command("threshold", lambda core, handle, now: core.set_low_threshold(handle, 500), HANDLES),
                Command("shutdown", lambda core, _, now: core.shutdown(now)),
            ],
            end=lambda core, now: core.abort(now),
            corrupt=corrupt,
        )
