"""The eight laws on a pair of associations: damaged packets get past the checksum half of the time."""

import random

import pytest
from crc32c import crc32c
from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.sctp import Association, AssociationOptions
from pystack.testing.laws import Command, CoreLaws, Scenario, Side
from pystack.testing.strategies import mutate, payloads

MTU = 600
STREAMS = st.integers(0, 3)


def corrupt(data: bytes, chance: random.Random) -> bytes:
    """Damage a packet and repair its checksum half of the time, so that the damage gets in."""
    data = mutate(data, chance)
    if len(data) < 12 or chance.random() < 0.5:
        return data
    return data[:8] + crc32c(data[:8] + bytes(4) + data[12:]).to_bytes(4, "little") + data[12:]


def send(core: Association, what: tuple[int, bytes, bool, int], now: float) -> None:
    stream, data, ordered, limit = what
    core.send(
        stream,
        data,
        now,
        ppid=53,
        ordered=ordered,
        max_retransmits=limit if limit < 3 else None,
        lifetime=limit / 10 if limit > 7 else None,
    )


def scenario(options: AssociationOptions, seed: int) -> Scenario:
    cores = [Association(options, SeededRandomness(f"{seed} {name}")) for name in "ab"]
    return Scenario(
        sides=[Side(name, core, limit=options.mtu) for name, core in zip("ab", cores, strict=True)],
        commands=[
            Command("connect", lambda core, _, now: core.connect(now)),
            Command("send", send, st.tuples(STREAMS, payloads(4000), st.booleans(), st.integers(0, 9))),
            Command(
                "consume", lambda core, what, now: core.consume(*what, now), st.tuples(STREAMS, st.integers(0, 5000))
            ),
            Command("reset", lambda core, streams, now: core.reset(streams, now), st.lists(STREAMS, max_size=3)),
            Command("threshold", lambda core, stream, now: core.set_low_threshold(stream, 500), STREAMS),
            Command(
                "priority", lambda core, what, now: core.set_priority(*what), st.tuples(STREAMS, st.integers(0, 3))
            ),
            Command("shutdown", lambda core, _, now: core.shutdown(now)),
        ],
        end=lambda core, now: core.abort(now),
        corrupt=corrupt,
    )


class TestAssociationLaws(CoreLaws):
    def make(self, seed: int) -> Scenario:
        options = AssociationOptions(
            mtu=MTU,
            receive_window=32768,
            max_message_size=16384,
            send_buffer=8192,
            stream_send_buffer=4096,
            interleaving=seed % 4 > 0,
            scheduler="priority" if seed % 2 else "round-robin",
        )
        made = scenario(options, seed)
        if seed % 3:
            made.sides[0].core.connect(1000.0)
        if seed % 3 == 2:
            made.sides[1].core.connect(1000.0)
        return made


@pytest.mark.parametrize("blocking", [False, True], ids=["budget", "blocking"])
class TestBareAssociationLaws:
    def test_all_switched_off(self, blocking: bool) -> None:
        """The same laws without extensions and with the other kind of gate, on fewer schedules."""

        class Bare(CoreLaws):
            examples = 5

            def make(self, seed: int) -> Scenario:
                options = AssociationOptions(
                    mtu=MTU,
                    receive_window=32768,
                    max_message_size=16384,
                    partial_reliability=False,
                    stream_reset=False,
                    interleaving=False,
                    zero_checksum=blocking,
                    blocking_writes=blocking,
                    heartbeat_interval=0,
                    max_association_retransmits=3,
                )
                made = scenario(options, seed)
                made.sides[0].core.connect(1000.0)
                return made

        laws = Bare()
        laws.test_law_3_flush_runs_dry_and_an_early_tick_changes_nothing()
        laws.test_law_5_one_end_then_silence()
        laws.test_law_6_no_datagram_above_its_limit()
        laws.test_law_8_arbitrary_bytes()
