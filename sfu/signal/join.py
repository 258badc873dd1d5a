"""What a client says about itself while it connects, bounded before it is believed.

``/rtc/v1`` carries it as ``join_request``: URL-safe base64 of a ``WrappedJoinRequest`` whose inner ``JoinRequest`` may
be gzip-compressed. A client without a protobuf library (our demo page) leaves it out and uses plain query parameters.
Called by the WebSocket handler of ``sfu.server``.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Final

import attrs
from google.protobuf.message import DecodeError as ProtobufDecodeError
from livekit.protocol import models, rtc

from pystack.errors import DecodeError

__all__ = ["MAX_DECOMPRESSED", "ClientHello", "parse_hello"]

MAX_DECOMPRESSED: Final = 2 * 1024 * 1024
"""The largest ``JoinRequest`` in bytes after decompression."""

_TRUE: Final = frozenset({"1", "true", "yes"})


@attrs.frozen(kw_only=True)
class ClientHello:
    """The client's side of joining, whatever form it came in.

    Attributes:
        offer: the first SDP offer with its id, ``None`` if the client offers later through the socket.
        resume_sid: the participant that the client wants to resume, ``""`` for a fresh join.
        text: the client wants the JSON form in text frames.
    """

    client: models.ClientInfo = attrs.field(factory=models.ClientInfo)
    auto_subscribe: bool = True
    adaptive_stream: bool = False
    offer: rtc.SessionDescription | None = None
    reconnect: bool = False
    resume_sid: str = ""
    text: bool = False
    metadata: str = ""
    attributes: Mapping[str, str] = attrs.field(factory=dict)
    tracks: tuple[rtc.AddTrackRequest, ...] = ()


def parse_hello(query: Mapping[str, str]) -> ClientHello:
    """Read the query of a connecting client.

    Raises:
        DecodeError: ``join_request`` or ``attributes`` is not what it should be; the message names the step.
    """
    text = query.get("encoding", "") == "json"
    wrapped = query.get("join_request")
    if wrapped is None:
        return ClientHello(
            client=_client_from_query(query),
            auto_subscribe=query.get("auto_subscribe", "1").lower() in _TRUE,
            adaptive_stream=query.get("adaptive_stream", "0").lower() in _TRUE,
            reconnect=query.get("reconnect", "0").lower() in _TRUE,
            resume_sid=query.get("sid", ""),
            text=text,
            attributes=_attributes(query.get("attributes", "")),
        )
    request = _unwrap(wrapped)
    return ClientHello(
        client=request.client_info,
        auto_subscribe=request.connection_settings.auto_subscribe if request.HasField("connection_settings") else True,
        adaptive_stream=request.connection_settings.adaptive_stream,
        offer=request.publisher_offer if request.HasField("publisher_offer") else None,
        reconnect=request.reconnect,
        resume_sid=request.participant_sid,
        text=text,
        metadata=request.metadata,
        attributes=dict(request.participant_attributes),
        tracks=tuple(request.add_track_requests),
    )


def _base64(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"{name} is not URL-safe base64") from error


def _attributes(text: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        told = json.loads(_base64("attributes", text))
        told = {str(key): str(value) for key, value in told.items()}
        json.dumps(told, ensure_ascii=False).encode()  # JSON can spell halves of characters
    except (ValueError, AttributeError, RecursionError) as error:
        raise DecodeError("attributes is not a JSON object of texts") from error
    return told


def _unwrap(text: str) -> rtc.JoinRequest:
    raw = _base64("join_request", text)
    try:
        wrapped = rtc.WrappedJoinRequest.FromString(raw)
    except ProtobufDecodeError as error:
        raise DecodeError("join_request is not a WrappedJoinRequest") from error
    inner = wrapped.join_request
    if wrapped.compression == rtc.WrappedJoinRequest.GZIP:
        inner = _gunzip(inner)
    elif wrapped.compression != rtc.WrappedJoinRequest.NONE:
        raise DecodeError(f"join_request uses the unknown compression {wrapped.compression}")
    try:
        return rtc.JoinRequest.FromString(inner)
    except ProtobufDecodeError as error:
        raise DecodeError("join_request does not hold a JoinRequest") from error


def _gunzip(data: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(data, MAX_DECOMPRESSED + 1)
    except zlib.error as error:
        raise DecodeError("join_request is not gzip") from error
    if len(plain) > MAX_DECOMPRESSED:
        raise DecodeError(f"join_request is above {MAX_DECOMPRESSED} bytes when decompressed")
    if not inflater.eof:
        raise DecodeError("join_request is cut short")
    return plain


def _client_from_query(query: Mapping[str, str]) -> models.ClientInfo:
    capabilities = models.ClientInfo.Capability
    names = query.get("capabilities", "").split(",")
    info = models.ClientInfo(
        version=query.get("version", ""),
        os=query.get("os", ""),
        os_version=query.get("os_version", ""),
        device_model=query.get("device_model", ""),
        browser=query.get("browser", ""),
        browser_version=query.get("browser_version", ""),
        capabilities=[capabilities.Value(name) for name in names if name in capabilities.keys()],  # type: ignore[misc]  # noqa: SIM118
        protocol=_number(query.get("protocol", "")),
        client_protocol=_number(query.get("client_protocol", "")),
    )
    sdk = query.get("sdk", "").upper()
    if sdk in models.ClientInfo.SDK.keys():  # noqa: SIM118 - an enum wrapper, not a dict
        info.sdk = models.ClientInfo.SDK.Value(sdk)  # type: ignore[assignment]
    return info


def _number(text: str) -> int:
    return min(int(text), 1 << 16) if text.isascii() and text.isdigit() and len(text) < 8 else 0
