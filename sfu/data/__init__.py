"""The relay of data messages between the participants of a room."""

from sfu.data.delivery import DeliveryPolicy, DeliveryQueue, policy_for
from sfu.data.packets import LABELS, LOSSY, RELIABLE, Stamped, stamp
from sfu.data.router import DataRouter, Receiver

__all__ = [
    "LABELS",
    "LOSSY",
    "RELIABLE",
    "DataRouter",
    "DeliveryPolicy",
    "DeliveryQueue",
    "Receiver",
    "Stamped",
    "policy_for",
    "stamp",
]
