"""LiveKit-style access tokens: JWTs signed with HS256, the API key as issuer and the identity as subject.

A verdict is either :class:`Claims` or an :class:`AuthError` whose text tells the person who made the token what is
wrong with it and how to mend it, and nothing about any secret. Called by ``sfu.server.app`` and ``sfu.server.cli``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any, Final

import attrs
import jwt
from google.protobuf.json_format import ParseDict, ParseError
from livekit.protocol import models
from livekit.protocol.room import RoomConfiguration

from pystack.errors import InvalidArgument
from sfu.rooms import Grants

__all__ = ["MAX_NAME", "MAX_TOKEN", "AuthError", "Claims", "bearer", "make_token", "read_grant", "sign", "verify"]

MAX_TOKEN: Final = 16 * 1024
"""The longest token in characters."""
_LEEWAY: Final = 10.0  # seconds by which clocks may differ
MAX_NAME: Final = 256
"""The longest room name and identity in characters."""


class AuthError(Exception):
    """The token does not allow this; the text says why and what to do."""


@attrs.frozen(kw_only=True)
class Claims:
    """What a valid token says; ``room_config`` is for a room that the join makes."""

    identity: str
    room: str
    name: str = ""
    metadata: str = ""
    attributes: Mapping[str, str] = attrs.field(factory=dict)
    kind: int = 0
    kind_details: tuple[int, ...] = ()
    room_config: RoomConfiguration = attrs.field(factory=RoomConfiguration)
    grants: Grants = attrs.field(factory=Grants)


def make_token(
    key: str,
    secret: str,
    *,
    identity: str,
    room: str,
    name: str = "",
    lifetime: float = 6 * 3600,
    grants: Mapping[str, Any] | None = None,
) -> str:
    """Sign a token that lets ``identity`` join ``room`` for ``lifetime`` seconds.

    ``grants`` adds to the video grant, with LiveKit's names: ``{"canPublish": False}``.

    Raises:
        InvalidArgument: nobody could join with it: something is empty, too long, or over already.
    """
    for what, text in (("key", key), ("secret", secret), ("identity", identity), ("room", room)):
        if not text.strip():
            raise InvalidArgument(f"the {what} of a token may not be empty")
    if max(len(identity), len(room)) > MAX_NAME:
        raise InvalidArgument(f"the identity and the room of a token may have {MAX_NAME} characters at most")
    if not lifetime > 0:
        raise InvalidArgument(f"the lifetime of a token is a number of seconds above 0, not {lifetime!r}")
    video = {"room": room, "roomJoin": True, **(grants or {})}
    return sign(key, secret, lifetime, {"sub": identity, "name": name or identity, "video": video})


def sign(key: str, secret: str, lifetime: float, claims: Mapping[str, Any]) -> str:
    """Sign a token of an API key that says this, from now on for ``lifetime`` seconds."""
    now = time.time()
    whole = {"iss": key, "nbf": int(now), "exp": int(now + lifetime), **claims}
    with warnings.catch_warnings():
        # The well-known development secret is short on purpose; `sfu serve` warns about short secrets itself.
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.encode(whole, secret, algorithm="HS256")


def bearer(authorization: str) -> str:
    """The token in an ``Authorization`` header, ``""`` if there is none (RFC 6750 section 2.1)."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def verify(token: str, keys: Mapping[str, str], room: str = "") -> Claims:
    """Check a token against the secrets by API key, and read it; ``room`` is used when the token names none.

    Raises:
        AuthError: with a text for whoever made the token.
    """
    claims = _decode(token, keys)
    video = claims.get("video")
    if not isinstance(video, dict) or not _allowed(video, "roomJoin", False):
        raise AuthError("the token does not allow joining: it needs the grant video.roomJoin = true")
    name_of_room = video.get("room") or room
    if not isinstance(name_of_room, str) or not name_of_room:
        raise AuthError("the token names no room: it needs the grant video.room")
    if room and room != name_of_room:
        raise AuthError(f"the token is for room {name_of_room!r}, not {room!r}")
    identity = claims.get("sub")
    if not isinstance(identity, str) or not identity:
        raise AuthError("the token names nobody: it needs the identity in 'sub'")
    if len(identity) > MAX_NAME or len(name_of_room) > MAX_NAME:
        raise AuthError(f"room and identity may have {MAX_NAME} characters at most")
    attributes = claims.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise AuthError("the token's 'attributes' must be a mapping of texts to texts")
    return Claims(
        identity=_text("sub", identity),
        room=_text("video.room", name_of_room),
        name=_text("name", claims.get("name"))[:MAX_NAME],
        metadata=_text("metadata", claims.get("metadata")),
        attributes={_text("attributes", key): _text("attributes", value) for key, value in attributes.items()},
        kind=_kind(claims.get("kind")),
        kind_details=_kind_details(claims.get("kindDetails")),
        room_config=_room_config(claims.get("roomConfig")),
        grants=_grants(video),
    )


def read_grant(token: str, keys: Mapping[str, str]) -> Mapping[str, Any]:
    """Check a token of a backend, and return its video grant.

    Raises:
        AuthError: with a text for whoever made the token.
    """
    video = _decode(token, keys).get("video")
    return video if isinstance(video, dict) else {}


def _decode(token: str, keys: Mapping[str, str]) -> dict[str, Any]:
    if not token:
        raise AuthError("no access token: send it as ?access_token=… or in the header 'Authorization: Bearer …'")
    if len(token) > MAX_TOKEN:
        raise AuthError(f"the access token is longer than {MAX_TOKEN} characters")
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except jwt.PyJWTError:
        raise AuthError("the access token is not a JWT; make one with 'sfu token'") from None
    if not isinstance(issuer, str) or issuer not in keys:
        raise AuthError("the token's API key (its 'iss') is not known here; sign with a key from the server's settings")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
            return jwt.decode(
                token,
                keys[issuer],
                algorithms=["HS256"],
                leeway=_LEEWAY,
                options={"require": ["exp"], "verify_aud": False},
            )
    except jwt.ExpiredSignatureError:
        raise AuthError("the token has expired; make a new one") from None
    except jwt.ImmatureSignatureError:
        raise AuthError("the token is not valid yet; compare the clocks of both machines") from None
    except jwt.MissingRequiredClaimError:
        raise AuthError("the token never expires; give it an expiry in 'exp'") from None
    except jwt.InvalidSignatureError:
        raise AuthError(f"the token was not signed with the secret of key {issuer!r}") from None
    except jwt.PyJWTError as error:
        raise AuthError(f"the token cannot be used: {error}") from None


def _text(field: str, value: Any) -> str:
    """The value as text that can travel: JSON can spell halves of characters, UTF-8 cannot."""
    text = "" if value is None else str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise AuthError(f"the token's {field!r} is not proper text: it holds half of a surrogate pair") from None
    return text


def _allowed(video: Mapping[str, Any], name: str, default: bool) -> bool:
    value = video.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):  # "false" is not to be taken for true
        raise AuthError(f"the grant video.{name} must be true or false")
    return value


def _sources(names: Any) -> frozenset[int]:
    """The numbers of ``canPublishSources``; a name that nobody knows must not end as "no restriction"."""
    known = {name.lower(): number for name, number in models.TrackSource.items() if number}
    if not isinstance(names, list) or any(str(each).lower() not in known for each in names):
        raise AuthError("the grant video.canPublishSources must be a list of: " + ", ".join(known))
    return frozenset(known[str(each).lower()] for each in names)


def _grants(video: Mapping[str, Any]) -> Grants:
    def allowed(name: str, default: bool) -> bool:
        return _allowed(video, name, default)

    can_publish = allowed("canPublish", True)
    return Grants(
        can_publish=can_publish,
        can_subscribe=allowed("canSubscribe", True),
        can_publish_data=allowed("canPublishData", can_publish),
        can_update_metadata=allowed("canUpdateOwnMetadata", False),
        publish_sources=_sources(video.get("canPublishSources") or []),
        hidden=allowed("hidden", False),
        recorder=allowed("recorder", False),
        agent=allowed("agent", False),
    )


def _kind(text: Any) -> int:
    name = str(text or "standard").upper()
    return models.ParticipantInfo.Kind.Value(name) if name in models.ParticipantInfo.Kind.keys() else 0  # noqa: SIM118


def _kind_details(names: Any) -> tuple[int, ...]:
    """What an agent, a phone or a bridge is in detail; as with kinds, a name that nobody knows says nothing."""
    known = {name.lower().replace("_", ""): number for name, number in models.ParticipantInfo.KindDetail.items()}
    told = [str(name).lower().replace("_", "") for name in names] if isinstance(names, list) else []
    return tuple(dict.fromkeys(known[name] for name in told if name in known))


def _room_config(config: Any) -> RoomConfiguration:
    if not isinstance(config, dict | None):
        raise AuthError("the token's 'roomConfig' must be an object")
    try:
        return ParseDict(config or {}, RoomConfiguration(), ignore_unknown_fields=True)
    except ParseError as error:
        raise AuthError(f"the token's 'roomConfig' is not a RoomConfiguration: {error}") from None
