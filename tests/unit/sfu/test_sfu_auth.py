"""Tokens: what they grant, and what a refusal says."""

import time
import warnings

import jwt
import pytest

from pystack.errors import InvalidArgument
from sfu.server.auth import MAX_TOKEN, AuthError, make_token, verify
from sfu.server.cli import main

DAY = 86400
KEYS = {"devkey": "secret", "other": "o" * 40}


def signed(claims, secret="secret", **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jwt.encode(claims, secret, algorithm="HS256", **more)


def claims(**changes):
    return {
        "iss": "devkey",
        "sub": "ada",
        "exp": time.time() + 2 * DAY,  # parameters are made at collection, and the run may take long
        "video": {"room": "demo", "roomJoin": True},
    } | changes


def test_a_token_of_ours_is_understood():
    token = make_token("other", KEYS["other"], identity="ada", room="demo", name="Ada", grants={"canPublish": False})
    read = verify(token, KEYS)
    assert (read.identity, read.room, read.name) == ("ada", "demo", "Ada")
    assert not read.grants.can_publish
    assert not read.grants.can_publish_data, "follows canPublish when it is not given"
    assert read.grants.can_subscribe


def test_everything_that_a_token_can_carry():
    video = {
        "room": "demo",
        "roomJoin": True,
        "canPublishSources": ["camera", "MICROPHONE"],
        "canUpdateOwnMetadata": True,
        "hidden": True,
        "agent": True,
        "recorder": None,
    }
    read = verify(signed(claims(video=video, metadata="m", attributes={"a": 1}, kind="agent", name="Ada")), KEYS)
    assert read.grants.publish_sources == {1, 2}
    assert read.grants.can_update_metadata
    assert read.grants.hidden
    assert read.grants.dependent
    assert (read.metadata, dict(read.attributes), read.kind) == ("m", {"a": "1"}, 4)


def test_a_token_says_how_a_room_is_made_and_what_its_bearer_is_in_detail():
    config = {"emptyTimeout": 77, "departure_timeout": 33, "maxParticipants": 2, "metadata": "m", "unknown": 1}
    details = ["cloudAgent", "connector_whatsapp", "FORWARDED", "nobody knows"]
    read = verify(signed(claims(roomConfig=config, kindDetails=details)), KEYS)
    chosen = read.room_config
    assert (chosen.empty_timeout, chosen.departure_timeout, chosen.max_participants) == (77, 33, 2)
    assert chosen.metadata == "m"
    assert read.kind_details == (0, 2, 1)
    assert verify(signed(claims(kindDetails="cloudAgent")), KEYS).kind_details == ()
    for wrong in ({"emptyTimeout": -1}, {"maxParticipants": "many"}, "text", [1]):
        with pytest.raises(AuthError, match="roomConfig"):
            verify(signed(claims(roomConfig=wrong)), KEYS)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", "no access token"),
        ("x" * (MAX_TOKEN + 1), "longer than"),
        ("not.a.jwt", "not a JWT"),
        (signed(claims(iss="stranger")), "not known here"),
        (signed({k: v for k, v in claims().items() if k != "iss"}), "not known here"),
        (signed(claims(), "wrong"), "not signed with the secret of key 'devkey'"),
        (signed(claims(exp=time.time() - 60)), "has expired"),
        (signed(claims(nbf=time.time() + DAY)), "clocks"),
        (signed({k: v for k, v in claims().items() if k != "exp"}), "never expires"),
        (signed(claims(video=None)), "roomJoin"),
        (signed(claims(video={"room": "demo"})), "roomJoin"),
        (signed(claims(video={"roomJoin": True})), "names no room"),
        (signed(claims(sub="")), "names nobody"),
        (signed(claims(sub="x" * 300)), "256"),
        (signed(claims(aud="x", exp="soon")), "cannot be used"),
        (signed(claims(sub="\ud800")), "'sub' is not proper text"),
        (signed(claims(name="\ud800")), "'name' is not proper text"),
        (signed(claims(metadata="\udfff")), "'metadata' is not proper text"),
        (signed(claims(attributes={"\ud800": "x"})), "'attributes' is not proper text"),
        (signed(claims(attributes=["x"])), "'attributes' must be a mapping"),
        (signed(claims(video={"room": "\ud800", "roomJoin": True})), "'video.room' is not proper text"),
        (signed(claims(video={"room": "demo", "roomJoin": "false"})), "video.roomJoin must be true or false"),
        (signed(claims(video={"room": "demo", "roomJoin": True, "canPublish": "false"})), "canPublish must be true"),
        (signed(claims(video={"room": "demo", "roomJoin": True, "canPublishSources": ["telepathy"]})), "camera"),
        (signed(claims(video={"room": "demo", "roomJoin": True, "canPublishSources": "camera"})), "a list of"),
    ],
)
def test_a_refusal_says_what_to_do(token, why):
    with pytest.raises(AuthError, match=why):
        verify(token, KEYS)


def test_a_token_signed_with_nothing_is_refused():
    unsigned = jwt.encode(claims(), "", algorithm="none")
    with pytest.raises(AuthError):
        verify(unsigned, KEYS)


def test_the_room_of_the_query_must_agree():
    with pytest.raises(AuthError, match="for room 'demo', not 'else'"):
        verify(signed(claims()), KEYS, "else")
    assert verify(signed(claims(video={"roomJoin": True})), KEYS, "else").room == "else"


def test_the_command_line_makes_tokens(capsys):
    argv = ["token", "--dev", "--room", "demo", "--identity", "ada", "--no-publish", "--hidden"]
    assert main(argv, {}) == 0
    read = verify(capsys.readouterr().out.strip(), KEYS)
    assert (read.identity, read.name, read.grants.can_publish, read.grants.hidden) == ("ada", "ada", False, True)
    assert main(["token", "--room", "r", "--identity", "i"], {"SFU_KEYS": "k:" + "s" * 32}) == 0
    assert verify(capsys.readouterr().out.strip(), {"k": "s" * 32}).room == "r"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"identity": ""}, "identity"),
        ({"identity": "  "}, "identity"),
        ({"identity": "x" * 257}, "256"),
        ({"room": ""}, "room"),
        ({"key": ""}, "key"),
        ({"secret": ""}, "secret"),
        ({"lifetime": 0}, "lifetime"),
    ],
)
def test_no_token_is_made_that_lets_nobody_in(change, words):
    given = {"key": "k", "secret": "s", "identity": "ada", "room": "demo"} | change
    with pytest.raises(InvalidArgument, match=words):
        make_token(given.pop("key"), given.pop("secret"), **given)
