"""The relay of data messages between the participants of a room."""

from sfu.data.backlog import Backlog
from sfu.data.delivery import DeliveryPolicy, DeliveryQueue, policy_for
from sfu.data.frame_packet import DATA_TRACK, FramePacket, check_packet, redirect
from sfu.data.packets import LABELS, LOSSY, RELIABLE, Stamped, stamp
from sfu.data.router import DataRouter, Receiver

__all__ = [
    "DATA_TRACK",
    "LABELS",
    "LOSSY",
    "RELIABLE",
    "Backlog",
    "DataRouter",
    "DeliveryPolicy",
    "DeliveryQueue",
    "FramePacket",
    "Receiver",
    "Stamped",
    "check_packet",
    "policy_for",
    "redirect",
    "stamp",
]
