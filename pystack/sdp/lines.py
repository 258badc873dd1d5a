"""Text to lines, within bounds (RFC 8866 section 5). What a line means is not known here.

CRLF, LF and CR end a line; empty lines are skipped, since people paste descriptions. Called by ``parse``.
"""

from __future__ import annotations

from typing import Final

import attrs

from pystack.errors import DecodeError
from pystack.sdp.model import Line

__all__ = ["DEFAULT_LIMITS", "Limits", "split_lines"]


@attrs.frozen(kw_only=True)
class Limits:
    """How large a description may be. Lengths are in characters.

    The defaults hold about two hundred video sections of a browser, which lists every codec in each.
    """

    text: int = 2_000_000
    line: int = 16_384
    lines: int = 60_000
    sections: int = 512


DEFAULT_LIMITS: Final = Limits()


def split_lines(text: str, limits: Limits = DEFAULT_LIMITS) -> list[Line]:
    """Cut ``text`` into lines, numbered from 1.

    Raises:
        DecodeError: too long, too many lines, or a line that is not ``x=value``; the message names the line.
    """
    if len(text) > limits.text:
        raise DecodeError(f"the description has {len(text)} characters, more than {limits.text}")
    if "\0" in text:
        number = text[: text.index("\0")].count("\n") + 1
        raise DecodeError(f"line {number}: a NUL character")
    lines: list[Line] = []
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if not raw.strip():
            continue
        if len(raw) > limits.line:
            raise DecodeError(f"line {number}: {len(raw)} characters, more than {limits.line}")
        if len(raw) < 2 or raw[1] != "=" or not ("a" <= raw[0] <= "z"):
            raise DecodeError(f"line {number}: not of the form x=value: {raw[:40]!r}")
        if len(lines) >= limits.lines:
            raise DecodeError(f"line {number}: more than {limits.lines} lines")
        lines.append(Line(raw[0], raw[2:], number))
    return lines
