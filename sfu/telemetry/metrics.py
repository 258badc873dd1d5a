"""What the server does, as numbers for Prometheus: read when somebody asks, so that they cost nothing in between.

Gauges are counted from what is there at the moment. Counters only grow: those of datagrams are the port's own, those of
events are counted as rooms tell them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sfu.telemetry.event_message import event_name

__all__ = ["CONTENT_TYPE", "Census", "Metrics"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@attrs.frozen(kw_only=True)
class Census:
    """What there is at one moment.

    Attributes:
        rooms, participants: open rooms, and who is in them; agents and recorders do not count.
        tracks: published, by kind.
        subscriptions: tracks on their way to somebody.
        limited: subscribers whose path does not take everything.
        traffic: the counters of the media port: ``datagrams_in``, ``bytes_out``, and so on.
        webhooks: what became of events, by address.
    """

    rooms: int
    participants: int
    tracks: dict[str, int]
    subscriptions: int
    limited: int
    traffic: dict[str, int]
    webhooks: dict[str, dict[str, int]]


class Metrics(Collector):
    """The numbers of one server.

    Args:
        count: takes a census.
    """

    def __init__(self, version: str, count: Callable[[], Census]) -> None:
        self._version = version
        self._count = count
        self._events: Counter[str] = Counter()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def note(self, event: Any) -> None:
        """A room has told this event."""
        self._events[event_name(event)] += 1

    def text(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        census = self._count()
        yield _gauge("sfu_info", "The version of the server.", {(self._version,): 1}, "version")
        yield _gauge("sfu_rooms", "Open rooms.", {(): census.rooms})
        yield _gauge("sfu_participants", "Participants; agents and recorders do not count.", {(): census.participants})
        tracks = {(kind,): number for kind, number in census.tracks.items()}
        yield _gauge("sfu_tracks", "Published tracks.", tracks, "kind")
        yield _gauge("sfu_subscriptions", "Tracks on their way to somebody.", {(): census.subscriptions})
        limited = "Subscribers whose path does not take everything."
        yield _gauge("sfu_limited_subscribers", limited, {(): census.limited})
        for what in ("datagrams", "bytes"):
            told = {(way,): census.traffic.get(f"{what}_{way}", 0) for way in ("in", "out")}
            yield _counter(f"sfu_media_{what}", f"{what.capitalize()} of the media port.", told, "direction")
        events = {(name,): number for name, number in self._events.items()}
        yield _counter("sfu_room_events", "What happened in rooms, as webhooks name it.", events, "event")
        outcomes = {
            (url, outcome): number
            for url, counts in census.webhooks.items()
            for outcome, number in counts.items()
            if outcome != "waiting"
        }
        yield _counter("sfu_webhook_events", "What became of webhooks.", outcomes, "url", "outcome")
        waiting = {(url,): counts["waiting"] for url, counts in census.webhooks.items()}
        yield _gauge("sfu_webhook_waiting", "Events that wait to be told.", waiting, "url")


def _gauge(name: str, text: str, values: Mapping[Any, int], *labels: str) -> Metric:
    return _fill(GaugeMetricFamily(name, text, labels=labels), values)


def _counter(name: str, text: str, values: Mapping[Any, int], *labels: str) -> Metric:
    return _fill(CounterMetricFamily(name, text, labels=labels), values)


def _fill(
    family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[Any, int]
) -> GaugeMetricFamily | CounterMetricFamily:
    for labels, number in values.items():
        family.add_metric(labels, number)
    return family
