"""The lite agent and a peer that checks, on a simulated network: moves, losses, silence."""

import pytest

from pystack.base import SeededRandomness
from pystack.ice import (
    Consent,
    ConsentOptions,
    Credentials,
    LiteAgent,
    LiteState,
    Path,
    PathSelected,
    StateChanged,
)
from pystack.ice.stun import binding_request
from pystack.testing import LinkOptions, World

OURS = Credentials("liteufrg", "l" * 24)
PEERS = Credentials("peer", "p" * 24)
HOME = Path(0, "192.0.2.10", 5000)
AWAY = Path(0, "198.51.100.7", 40000)


class Nominating:
    """A controlling peer on one path: nominates it first, then asks for consent as our own full agent does."""

    def __init__(self, seed, now):
        self.core = Consent(
            PEERS, OURS, SeededRandomness(seed), controlling=True, tie_breaker=1, now=now, options=ConsentOptions()
        )
        self.nominations = [
            binding_request(
                bytes([seed, *range(11)]), "liteufrg:peer", OURS.key, priority=seed, tie_breaker=1, use_candidate=True
            )
        ]

    @property
    def deadline(self):
        return self.core.deadline

    def receive(self, data, now):
        self.core.receive(data, now)

    def tick(self, now):
        self.core.tick(now)

    def flush(self, now, limit=float("inf")):
        out, self.nominations = self.nominations, []
        return out + self.core.flush(now, limit)

    def take_events(self):
        return self.core.take_events()


GOOD = LinkOptions(delay=0.02)


def scene(link=GOOD, seed=1):
    world = World(seed)
    lite = world.add("lite", LiteAgent(OURS))
    lite.core.start(world.now)
    peer = world.add("peer", Nominating(1, world.now))
    links = world.connect(lite, peer, link, path_at_a=HOME)
    return world, lite, peer, links


def states(node):
    return [event.state for event in node.all(StateChanged)]


def test_both_stay_connected_for_hours_on_a_lossy_path():
    world, lite, peer, _ = scene(LinkOptions(delay=0.1, loss=0.05, duplicate=0.05, reorder=0.05), seed=3)
    lite.core.receive(peer.core.nominations.pop(), HOME, world.now)  # the one packet that must arrive
    world.run(for_=7200.0, limit=8000.0)
    assert states(lite) == [LiteState.CHECKING, LiteState.CONNECTED]
    assert states(peer) == []


def test_a_black_hole_is_noticed_by_both_within_fifteen_seconds_and_a_bit():
    world, lite, peer, links = scene()
    world.run(for_=60)
    cut = world.now
    for link in links:
        link.black_hole()
    world.run(lambda: LiteState.FAILED in states(lite) and peer.core.core.state is LiteState.CLOSED, for_=20)
    assert 12.5 <= world.now - cut <= 15.1
    assert states(lite)[-2:] == [LiteState.DISCONNECTED, LiteState.FAILED]


def test_a_short_outage_ends_where_it_began():
    world, lite, _, links = scene()
    world.run(for_=5)
    for link in links:
        link.black_hole()
    world.run(for_=12)
    for link in links:
        link.heal()
    world.run(for_=20)
    assert states(lite)[1:] == [LiteState.CONNECTED, LiteState.DISCONNECTED, LiteState.CONNECTED]


def test_the_session_follows_a_peer_that_moves_to_another_network():
    world, lite, _, links = scene()
    world.run(for_=5)
    for link in links:
        link.black_hole()
    moved = world.add("moved", Nominating(0, world.now))
    world.connect(lite, moved, LinkOptions(delay=0.05), path_at_a=AWAY)
    world.run(for_=30)
    assert lite.core.selected == AWAY
    assert [event.path for event in lite.all(PathSelected)] == [HOME, AWAY]
    assert lite.core.state is LiteState.CONNECTED


@pytest.mark.parametrize("seed", range(5))
def test_an_aggressive_peer_ends_on_its_best_path_whatever_arrives_first(seed):
    world = World(seed)
    lite = world.add("lite", LiteAgent(OURS))
    lite.core.start(world.now)
    for number in range(1, 7):
        peer = world.add(f"pair {number}", Nominating(number, world.now))
        world.connect(lite, peer, LinkOptions(delay=0.01, jitter=0.2), path_at_a=Path(0, "192.0.2.10", number))
    world.run(for_=5)
    assert lite.core.selected == Path(0, "192.0.2.10", 6)
