"""URLs of STUN and TURN servers."""

import pytest

from pystack.aio import IceServer
from pystack.errors import InvalidArgument


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("stun:stun.example", ("stun.example", 3478, "stun", "udp", False)),
        ("stun:stun.example:19302", ("stun.example", 19302, "stun", "udp", False)),
        ("stun:[2001:db8::1]:99", ("2001:db8::1", 99, "stun", "udp", False)),
        ("stun:[2001:db8::1]", ("2001:db8::1", 3478, "stun", "udp", False)),
        ("turn:relay.example", ("relay.example", 3478, "turn", "udp", False)),
        ("turn:relay.example:80?transport=tcp", ("relay.example", 80, "turn", "tcp", False)),
        ("turns:relay.example", ("relay.example", 5349, "turn", "tcp", True)),
        ("turns:relay.example:443?transport=tcp", ("relay.example", 443, "turn", "tcp", True)),
    ],
)
def test_a_url_is_understood(url, expected):
    server = IceServer.from_url(url, "user", "secret")
    assert (server.host, server.port, server.kind, server.transport, server.tls) == expected
    assert "secret" not in repr(server)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "stun:",
        "http://stun.example",
        "stun://stun.example",
        "stun:stun.example:0",
        "stun:stun.example:port",
        "stun:stun.example:70000",
        "stun:[2001:db8::1]99",
        "turn:relay.example?transport=sctp",
        "turns:relay.example?transport=udp",
    ],
)
def test_what_is_none_is_refused(url):
    with pytest.raises(InvalidArgument):
        IceServer.from_url(url, "user", "secret")


def test_a_relay_needs_a_username():
    with pytest.raises(InvalidArgument, match="username"):
        IceServer.from_url("turn:relay.example")
