"""The laws of a core, on the lite agent and on consent: the one answers what the other asks."""

from functools import cache

from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.ice import Consent, Credentials, LiteAgent, LiteOptions, Path, make_credentials
from pystack.ice.stun import binding_request
from pystack.testing.laws import START, Command, CoreLaws, Scenario, Side
from pystack.testing.strategies import mutated, noise

OURS = Credentials("liteufrg", "l" * 24)
PEERS = Credentials("peer", "p" * 24)
PATH = Path(0, "192.0.2.10", 5000)


@cache
def checks():
    """What a peer of the lite agent might send: checks of all kinds, sound and damaged, and noise."""
    sound = [
        binding_request(
            bytes([number, *range(11)]),
            f"{ufrag}:{theirs}",
            key,
            priority=number,
            tie_breaker=1,
            controlling=number % 5 != 0,
            use_candidate=number % 2 == 0,
            extra=[(0x7777, b"")] if number % 7 == 0 else [],
        )
        for number, (ufrag, theirs, key) in enumerate(
            [(OURS.ufrag, PEERS.ufrag, OURS.key)] * 9
            + [("otherone", PEERS.ufrag, OURS.key), (OURS.ufrag, "who", OURS.key), (OURS.ufrag, PEERS.ufrag, b"no")]
        )
    ]
    return st.sampled_from(sound) | mutated(sound) | noise()


class TestLiteLaws(CoreLaws):
    def make(self, seed):
        lite = LiteAgent(OURS, LiteOptions(max_paths=3))
        lite.set_remote(PEERS.ufrag)
        asking = Consent(PEERS, OURS, SeededRandomness(f"{seed}"), controlling=True, tie_breaker=9, now=START)
        renewed = make_credentials(SeededRandomness(f"{seed} renewed"))
        ports = st.integers(1, 6)
        return Scenario(
            sides=[Side("lite", lite, limit=548, path=PATH), Side("asking", asking, limit=548)],
            commands=[
                Command("start", lambda core, _, now: core.start(now), sides=(0,)),
                Command("restart", lambda core, _, now: core.restart(renewed, now), sides=(0,)),
                Command(
                    "set_remote",
                    lambda core, ufrag, _: core.set_remote(ufrag),
                    st.sampled_from((None, "peer", "new")),
                    (0,),
                ),
                Command(
                    "check from elsewhere",
                    lambda core, drawn, now: core.receive(drawn[0], Path(0, "192.0.2.10", drawn[1]), now),
                    st.tuples(checks(), ports),
                    (0,),
                ),
                Command("role", lambda core, role, _: core.set_controlling(role), st.booleans(), (1,)),
                Command("close", lambda core, _, now: core.close(now)),
            ],
            end=lambda core, now: core.abort(now),
            feeds=checks(),
            memory=64 * 1024,
        )
