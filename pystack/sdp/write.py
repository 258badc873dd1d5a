"""Model to text: the exact inverse of ``parse`` (RFC 8866 section 5). Lines end in CRLF."""

from __future__ import annotations

from pystack.sdp.model import SessionDescriptionModel

__all__ = ["write"]


def write(model: SessionDescriptionModel) -> str:
    """Return the text of ``model``, in the order of its lines."""
    out = [f"{line.type}={line.value}" for line in model.lines]
    for section in model.media:
        out.append(f"m={section.media_line}")
        out += [f"{line.type}={line.value}" for line in section.lines]
    return "\r\n".join(out) + "\r\n"
