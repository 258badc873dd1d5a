"""What a room knows about media: published tracks, subscriptions, and the sections that carry them."""

from sfu.tracks.data_tracks import MAX_DATA_TRACKS, DataTrack, DataTracks, Handles
from sfu.tracks.own_sections import OwnSections
from sfu.tracks.publication import MAX_LIVE, MAX_PENDING, Publications
from sfu.tracks.section import OfferedSection, SectionPlan, SentSection
from sfu.tracks.sections import Sections
from sfu.tracks.subscription import Action, Subscription, reconcile
from sfu.tracks.track_info import Kind, TrackInfo
from sfu.tracks.wish import Wish

__all__ = [
    "MAX_DATA_TRACKS",
    "MAX_LIVE",
    "MAX_PENDING",
    "Action",
    "DataTrack",
    "DataTracks",
    "Handles",
    "Kind",
    "OfferedSection",
    "OwnSections",
    "Publications",
    "SectionPlan",
    "Sections",
    "SentSection",
    "Subscription",
    "TrackInfo",
    "Wish",
    "reconcile",
]
