"""The candidate pair in use, in the W3C's words (webrtc-stats: candidate-pair, local-candidate, remote-candidate).

Called by :mod:`pystack.peer.stats`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pystack.peer.dictionaries import CandidatePairStats, IceCandidateStats

if TYPE_CHECKING:
    from pystack.aio import SelectedPair
    from pystack.peer.dictionaries import StatsReport

__all__ = ["add_pair"]


def add_pair(report: StatsReport, pair: SelectedPair, capacity: float | None, at: float) -> str:
    """Add the pair and its two candidates, and return its id: ``CP``, and ``CP2`` for the second that was selected.

    ``capacity`` is what is known of what its path takes, in bits a second.
    """
    which = "" if pair.number == 1 else str(pair.number)
    name, near, far = f"CP{which}", f"CL{which}", f"CR{which}"
    entry: CandidatePairStats = {
        "type": "candidate-pair",
        "id": name,
        "timestamp": at,
        "transportId": "T",
        "localCandidateId": near,
        "remoteCandidateId": far,
        "state": "succeeded",
        "nominated": True,
        "packetsSent": pair.packets_sent,
        "packetsReceived": pair.packets_received,
        "bytesSent": pair.bytes_sent,
        "bytesReceived": pair.bytes_received,
        "requestsSent": pair.checks_sent,
        "consentRequestsSent": pair.requests,
        "responsesReceived": pair.responses,
        "requestsReceived": pair.checks,
        "responsesSent": pair.answers,
        "totalRoundTripTime": pair.total_round_trip_time,
    }
    if pair.round_trip_time is not None:
        entry["currentRoundTripTime"] = pair.round_trip_time
    if capacity is not None:
        entry["availableOutgoingBitrate"] = capacity
    report[name] = entry
    local = _candidate("local-candidate", near, pair.local, pair.local_type, pair.protocol, at)
    if pair.relay_protocol is not None:
        local["relayProtocol"] = pair.relay_protocol
    report[near] = local
    report[far] = _candidate("remote-candidate", far, pair.remote, pair.remote_type, pair.protocol, at)
    return name


def _candidate(
    kind: Literal["local-candidate", "remote-candidate"],
    name: str,
    address: tuple[str, int],
    candidate_type: str,
    protocol: str,
    at: float,
) -> IceCandidateStats:
    return {
        "type": kind,
        "id": name,
        "timestamp": at,
        "transportId": "T",
        "address": address[0],
        "port": address[1],
        "protocol": protocol,
        "candidateType": candidate_type,
    }
