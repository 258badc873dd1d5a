"""Text to model. Everything that is known is checked, so that an error comes here and names its line (RFC 8866).

Lenient where peers are: any order of lines after ``o=``, no ``s=`` or ``t=``, unknown attributes, unknown tokens in
open lists. Strict where a wrong reading would go unnoticed: an attribute that we use must be well formed.

Called by ``jsep`` and by whoever wants to look into a description.
"""

from __future__ import annotations

from pystack.errors import DecodeError
from pystack.sdp.attributes import PARSERS
from pystack.sdp.lines import DEFAULT_LIMITS, Limits, split_lines
from pystack.sdp.model import Line, MediaSection, Origin, SessionDescriptionModel, read_line

__all__ = ["parse"]


def parse(text: str, limits: Limits = DEFAULT_LIMITS) -> SessionDescriptionModel:
    """Read a session description.

    Raises:
        DecodeError: and nothing else, whatever the text; the message begins with ``line N:`` where a line is at fault.
    """
    lines = split_lines(text, limits)
    if not lines or lines[0].type != "v":
        raise DecodeError(f"line {lines[0].number if lines else 1}: a description begins with v=0")
    if lines[0].value.strip() != "0":
        raise DecodeError(f"line {lines[0].number}: v={lines[0].value[:20]} is not a version that exists")
    starts = [index for index, line in enumerate(lines) if line.type == "m"]
    if len(starts) > limits.sections:
        raise DecodeError(f"line {lines[starts[limits.sections]].number}: more than {limits.sections} media sections")
    _check_session_level(lines[: starts[0]] if starts else lines)
    for line in lines:
        reader = PARSERS.get(line.name) if line.type == "a" else None
        if reader is not None:
            read_line(line, reader)
    ends = [*starts[1:], len(lines)]
    return SessionDescriptionModel(
        lines=tuple(lines[: starts[0]] if starts else lines),
        media=tuple(
            _read_media(lines[start], lines[start + 1 : end]) for start, end in zip(starts, ends, strict=bool(starts))
        ),
    )


def _check_session_level(lines: list[Line]) -> None:
    origins = [line for line in lines if line.type == "o"]
    if len(origins) != 1:
        raise DecodeError(f"line {lines[-1].number}: the session has {len(origins)} o= lines, not 1")
    try:
        Origin.parse(origins[0].value)
    except DecodeError as error:
        raise DecodeError(f"line {origins[0].number}: {error.message}") from None


def _read_media(head: Line, lines: list[Line]) -> MediaSection:
    fields = head.value.split()
    if len(fields) < 3:
        raise DecodeError(f"line {head.number}: m= has {len(fields)} fields, fewer than 3")
    kind, port_text, protocol, *formats = fields
    port, slash, count = port_text.partition("/")
    if not _is_number(port) or int(port) > 65535 or (slash and not _is_number(count)):
        raise DecodeError(f"line {head.number}: m= has the port {port_text[:20]!r}")
    return MediaSection(
        kind=kind,
        port=int(port),
        port_count=int(count) if slash else None,
        protocol=protocol,
        formats=tuple(formats),
        lines=tuple(lines),
        number=head.number,
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
