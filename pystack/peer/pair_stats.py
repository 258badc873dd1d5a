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


def add_pair(report: StatsReport, pair: SelectedPair, capacity: float | None, at: float) -> None:
    """Add the pair and its two candidates; ``capacity`` is what is known of what its path takes, in bits a second."""
    entry: CandidatePairStats = {
        "type": "candidate-pair",
        "id": "CP",
        "timestamp": at,
        "transportId": "T",
        "localCandidateId": "CL",
        "remoteCandidateId": "CR",
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
    report["CP"] = entry
    local = _candidate("local-candidate", "CL", pair.local, pair.local_type, pair.protocol, at)
    if pair.relay_protocol is not None:
        local["relayProtocol"] = pair.relay_protocol
    report["CL"] = local
    report["CR"] = _candidate("remote-candidate", "CR", pair.remote, pair.remote_type, pair.protocol, at)


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
