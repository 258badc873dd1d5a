"""One participant: a small object that holds what belongs to it. Behaviour lives with the noun that it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
from livekit.protocol import models

from pystack.base import Backoff, Machine
from sfu.rooms.grants import Grants
from sfu.rooms.lifecycle import ParticipantInput, ParticipantState
from sfu.signal import SignalSession
from sfu.tracks import DataTracks, Handles, OwnSections, Publications, Sections, Subscription

__all__ = ["Admission", "Participant", "SubscriptionRules"]

_DEPENDENT: Final = frozenset({models.ParticipantInfo.Kind.AGENT, models.ParticipantInfo.Kind.EGRESS})


@attrs.frozen(kw_only=True)
class Admission:
    """Who wants to join, as token and client say. ``identity`` is unique in a room.

    ``dual``: the client has a second peer connection, on which we offer, for what it receives.
    """

    identity: str
    name: str = ""
    metadata: str = ""
    attributes: Mapping[str, str] = attrs.field(factory=dict)
    grants: Grants = attrs.field(factory=Grants)
    client: models.ClientInfo = attrs.field(factory=models.ClientInfo)
    kind: int = 0
    kind_details: tuple[int, ...] = ()
    auto_subscribe: bool = True
    dual: bool = False

    @property
    def dependent(self) -> bool:
        """Whether it will neither count nor keep a room alive: an agent, a recorder or an egress."""
        return self.grants.dependent or self.kind in _DEPENDENT


@attrs.frozen(kw_only=True)
class SubscriptionRules:
    """Who may subscribe to what of one publisher: everybody, or those named with the tracks named."""

    everybody: bool = True
    by_identity: Mapping[str, frozenset[str] | None] = attrs.field(factory=dict)  # None: all tracks

    def allow(self, identity: str, track: str) -> bool:
        """Whether this subscriber may have this track."""
        if self.everybody:
            return True
        tracks = self.by_identity.get(identity, frozenset())
        return tracks is None or track in tracks


@attrs.define(eq=False, kw_only=True)
class Participant:
    """One session of one identity.

    Attributes:
        sid: ``PA_…``, this session; a later session of the same identity has another.
        joined_at: Unix time in seconds.
        version: grows with every announcement; receivers drop older ones.
        active_since: monotonic seconds of the first working transport, ``None`` before.
        subscriptions: by track sid.
        sections: what carries tracks to it: sections of its own offers, or of ours.
        retries: how long to wait before unmet subscriptions are looked at again.
        data_tracks, data_wanted, data_handles: the data tracks that it publishes; the sids of those that it asked for;
            what those that it receives are called in its packets.
        missed: who left while its signalling was lost, to be told when it comes back; ``None`` while it is there.
        reason: why it left, 0 while it is here.
    """

    sid: str
    identity: str
    name: str
    metadata: str
    attributes: dict[str, str]
    grants: Grants
    client: models.ClientInfo
    kind: int
    kind_details: tuple[int, ...]
    auto_subscribe: bool
    joined_at: float
    machine: Machine[ParticipantState, ParticipantInput]
    session: SignalSession
    retries: Backoff
    version: int = 1
    active_since: float | None = None
    publications: Publications = attrs.field(factory=Publications)
    subscriptions: dict[str, Subscription] = attrs.field(factory=dict)
    sections: Sections | OwnSections = attrs.field(factory=Sections)
    rules: SubscriptionRules = attrs.field(factory=SubscriptionRules)
    data_tracks: DataTracks = attrs.field(factory=DataTracks)
    data_wanted: set[str] = attrs.field(factory=set)
    data_handles: Handles = attrs.field(factory=Handles)
    missed: list[models.ParticipantInfo] | None = None
    reason: int = 0

    @property
    def state(self) -> ParticipantState:
        """Where the participant stands."""
        return self.machine.state

    @property
    def active(self) -> bool:
        """Whether its transport works."""
        return self.machine.state is ParticipantState.ACTIVE

    @property
    def dependent(self) -> bool:
        """Whether it neither counts nor keeps a room alive: an agent, a recorder or an egress."""
        return self.grants.dependent or self.kind in _DEPENDENT

    def lets(self, subscriber: Participant, track: str) -> bool:
        """Whether a subscriber may have this track, of whatever kind, of mine. Recorders may have all."""
        return subscriber.recorder or self.rules.allow(subscriber.identity, track)

    @property
    def recorder(self) -> bool:
        """Whether it is a recorder, by its kind or by its grant."""
        return self.grants.recorder or self.kind == models.ParticipantInfo.Kind.EGRESS

    @property
    def agent(self) -> bool:
        """Whether it is an agent, by its kind or by its grant."""
        return self.grants.agent or self.kind == models.ParticipantInfo.Kind.AGENT
