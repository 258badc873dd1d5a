"""One input through a target under a time limit, and what became of it.

Two findings are the same when the same exception comes from the same place of the code under test: that is what
minimising keeps.
"""

from __future__ import annotations

import signal
import traceback
from types import FrameType
from typing import Final

import attrs

from fuzz.target import Target, Wrong

__all__ = ["LIMIT", "Finding", "Hang", "attempt"]

LIMIT: Final = 10
"""Seconds after which an input counts as one that hangs."""


class Hang(Exception):
    """An input took longer than :data:`LIMIT`."""


@attrs.frozen
class Finding:
    """What an input led to.

    Attributes:
        kind: the exception's class, and for what an oracle said its text.
        place: the innermost line outside of ``fuzz``, or of the oracle itself.
        text: the traceback.
    """

    kind: str
    place: str
    text: str

    def like(self, other: Finding | None) -> bool:
        """Tell whether it is the same bug."""
        return other is not None and (self.kind, self.place) == (other.kind, other.place)


def attempt(target: Target, data: bytes) -> Finding | None:
    """Run one input; ``None`` when all is well."""
    before = signal.signal(signal.SIGALRM, _hang)
    signal.alarm(LIMIT)
    try:
        target.run(data)
    except Exception as error:
        return _describe(error)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return None


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hang(f"took longer than {LIMIT} s")


def _describe(error: Exception) -> Finding:
    frames = traceback.extract_tb(error.__traceback__)
    inner = [frame for frame in frames if "/fuzz/" not in frame.filename] or list(frames)
    last = frames[-1] if isinstance(error, Wrong) else inner[-1]
    kind = f"{type(error).__name__}: {error}" if isinstance(error, Wrong) else type(error).__name__
    place = "somewhere" if isinstance(error, Hang) else f"{last.filename}:{last.lineno}"
    text = "".join(traceback.format_exception(error))
    return Finding(kind.split("\n")[0].rstrip("0123456789 "), place, text)
