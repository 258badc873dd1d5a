"""What a connection that does not get on is waiting for, in words: the text of a time-out that names the next step.

Used by whatever waits for a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pystack.peer.connection import PeerConnection

__all__ = ["missing_step", "standing"]


def missing_step(connection: PeerConnection, dtls: str) -> str:
    """Say where the connection stands, with DTLS in the state ``dtls``, and what would bring it on."""
    ice = connection.ice_connection_state
    local, remote = connection.local_description, connection.remote_description
    if local is None and remote is None:
        return "no description was applied: call set_local_description() on one side and carry it to the other"
    if remote is None or connection.signaling_state == "have-local-offer":
        return "the offer has no answer yet: give the other side's to set_remote_description()"
    if local is None or connection.signaling_state == "have-remote-offer":
        return "the remote offer has no answer yet: call set_local_description() and carry it to the other side"
    if ice not in {"connected", "completed"}:
        if "a=candidate:" not in local.sdp and connection.ice_gathering_state == "complete":
            return (
                f"ICE is {ice}: this side has no candidate; look at ice_transport_policy with ice_servers, at "
                "address_filter, and at port_range"
            )
        none = (
            "" if "a=candidate:" in remote.sdp else ", and none came with its description: trickle, or wait_gathered()"
        )
        return f"ICE is {ice}: no candidate of the other side could be reached{none}"
    return (
        f"ICE is {ice}, DTLS is {dtls}: the other side does not finish the handshake; Configuration(debug=...) shows it"
    )


def standing(connection: PeerConnection, dtls: str) -> str:
    """Say where the connection stands, to whoever waits for something on it."""
    state = connection.connection_state
    if state == "connected":
        return "the connection is connected: the other side does not answer, or does not read what it has"
    if state in {"disconnected", "failed"}:
        return f"the connection is {state}: the path is gone; restart_ice() and negotiate, or make a new one"
    return f"the connection is {state}: {missing_step(connection, dtls)}"
