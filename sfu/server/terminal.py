"""What the process prints, and that nobody need be there to read it.

A server goes on, and ends as it should, when the program that reads its output has gone, when the disk is full, or when
there never was an output. Called by :mod:`sfu.server.cli` and :mod:`sfu.server.serve`.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

__all__ = ["LogFile", "complain", "ensure_streams", "say"]


def ensure_streams() -> None:
    """Give the process what it was started without; at the very start, so that no socket gets 0, 1 or 2."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for as long as we live


def say(text: str) -> None:
    """Print a line, now; if that cannot be, nothing more is printed."""
    _write(sys.stdout, text)


def complain(text: str) -> None:
    """Print a line on standard error."""
    _write(sys.stderr, text)


def _write(stream: TextIO, text: str) -> None:
    try:
        print(text, file=stream, flush=True)
    except (OSError, ValueError):
        # What is left in its buffer would fail again when the process ends, with another exit code.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


class LogFile:
    """Standard error for logs: what cannot be written is lost, and whoever logged goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or not."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, or not."""
        with suppress(OSError, ValueError):
            self._stream.flush()
