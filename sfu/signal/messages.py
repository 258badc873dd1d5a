"""The LiveKit signalling messages and their two forms on a WebSocket.

A binary frame holds one protobuf ``SignalRequest`` (from the client) or ``SignalResponse`` (from the server); a text
frame holds the same message in protobuf's JSON form (camelCase names, bytes as base64, 64-bit integers as strings).
Rooms speak the binary form only; :func:`request_from_text` and :func:`response_to_text` stand at the socket.
"""

from __future__ import annotations

from typing import Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import EncodeError as ProtobufEncodeError
from livekit.protocol import rtc

from pystack.errors import DecodeError

__all__ = ["MAX_FRAME", "decode_request", "request_from_text", "response_to_text"]

MAX_FRAME: Final = 2 * 1024 * 1024
"""The largest frame in bytes, compressed and decompressed."""


def decode_request(data: bytes) -> rtc.SignalRequest:
    """Parse one binary frame of a client.

    Raises:
        DecodeError: too large, not a ``SignalRequest``, or one that says nothing known.
    """
    if len(data) > MAX_FRAME:
        raise DecodeError(f"signal frame of {len(data)} bytes is above the limit of {MAX_FRAME} bytes")
    try:
        request = rtc.SignalRequest.FromString(data)
    except ProtobufDecodeError as error:
        raise DecodeError("not a SignalRequest") from error
    if request.WhichOneof("message") is None:
        raise DecodeError("a SignalRequest without a known message")
    return request


def request_from_text(text: str) -> bytes:
    """Turn the JSON form of a ``SignalRequest`` into its binary form.

    Raises:
        DecodeError: too large, not JSON, or not a ``SignalRequest``.
    """
    if len(text) > MAX_FRAME:
        raise DecodeError(f"signal frame of {len(text)} characters is above the limit of {MAX_FRAME}")
    try:
        request = json_format.Parse(text, rtc.SignalRequest(), ignore_unknown_fields=True, max_recursion_depth=32)
        return request.SerializeToString()
    except (json_format.ParseError, ProtobufEncodeError, ValueError, TypeError, RecursionError) as error:
        raise DecodeError("not the JSON form of a SignalRequest") from error


def response_to_text(data: bytes) -> str:
    """Turn a binary ``SignalResponse`` (our own) into its JSON form."""
    return json_format.MessageToJson(rtc.SignalResponse.FromString(data), indent=None)
