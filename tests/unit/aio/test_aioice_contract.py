"""What pystack/aio/ice.py relies upon in aioice: a version that changes it fails here, and not in somebody's call."""

import asyncio
import importlib.metadata
import inspect

import aioice
import pytest
from aioice import ice, stun, turn

from pystack.ice.stun import binding_request
from pystack.testing import run

PWD = "p" * 24


def test_the_version_is_the_one_that_was_read():
    major, minor, *_ = importlib.metadata.version("aioice").split(".")
    assert (major, minor) == ("0", "13")


async def connection():
    return aioice.Connection(ice_controlling=True, local_username="ourufrag", local_password=PWD)


def test_a_connection_has_the_members_that_are_used():
    async def main():
        made = await connection()
        for name, kind in {
            "_tie_breaker": int,
            "_check_list": list,
            "_protocols": list,
            "_local_candidates": list,
            "_local_candidates_start": bool,
            "_local_candidates_end": bool,
            "_remote_candidates": list,
            "_remote_candidates_end": bool,
            "_nominated": dict,
            "ice_controlling": bool,
            "remote_is_lite": bool,
        }.items():
            assert isinstance(getattr(made, name), kind), name
        assert made.remote_username is made.remote_password is None
        await made.close()

    run(main())


@pytest.mark.parametrize(
    ("owner", "name", "parameters", "is_coroutine"),
    [
        (aioice.Connection, "_add_remote_candidate", ["self", "remote_candidate", "network_host"], False),
        (aioice.Connection, "_pair_remote_candidate", ["self", "remote_candidate"], False),
        (aioice.Connection, "sort_check_list", ["self"], False),
        (aioice.Connection, "check_complete", ["self", "pair"], False),
        (aioice.Connection, "query_consent", ["self"], True),
        (aioice.Connection, "data_received", ["self", "data", "component"], False),
        (aioice.Connection, "connect", ["self"], True),
        (aioice.Connection, "close", ["self"], True),
        (ice.StunProtocol, "__init__", ["self", "receiver"], False),
        (ice.StunProtocol, "connection_made", ["self", "transport"], False),
        (ice.StunProtocol, "connection_lost", ["self", "exc"], False),
        (ice.StunProtocol, "datagram_received", ["self", "data", "addr"], False),
        (turn.TurnTransport, "__init__", ["self", "inner_protocol"], False),
        (turn.TurnTransport, "_connect", ["self", "protocol"], True),
        (turn.TurnTransport, "sendto", ["self", "data", "addr"], False),
    ],
)
def test_a_method_is_as_it_was(owner, name, parameters, is_coroutine):
    method = getattr(owner, name)
    assert list(inspect.signature(method).parameters) == parameters
    assert inspect.iscoroutinefunction(method) == is_coroutine


def test_the_names_of_the_relays_insides_are_as_they_were():
    source = inspect.getsource(turn.TurnTransport.__init__)
    assert "self.__send_tasks" in source
    assert "self.__inner_protocol" in source
    assert "self.__close_task" in source


def test_connect_waits_as_long_as_no_end_of_candidates_was_told():
    async def main():
        made = await connection()
        made._local_candidates_end = True
        made.remote_username, made.remote_password = "peer", PWD
        task = asyncio.create_task(made.connect())
        await asyncio.sleep(100)
        assert not task.done()
        await made.close()
        with pytest.raises(ConnectionError):
            await task

    run(main())


def test_its_parser_still_needs_our_guard():
    # A PRIORITY of two bytes: aioice raises struct.error, which is no ValueError.
    request = binding_request(bytes(12), "a:b", b"k", priority=1, tie_breaker=1)
    at = request.index(b"\x00\x24\x00\x04")
    short = stun.set_body_length(request[:at] + b"\x00\x24\x00\x02\x00\x00\x00\x00", at + 8 - 20)
    with pytest.raises(Exception) as caught:
        stun.parse_message(short)
    assert not isinstance(caught.value, ValueError)
