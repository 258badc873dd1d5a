"""``python -m sfu``, and the command ``sfu``: the command line.

Loading takes a moment, and Ctrl-C in it ends the process without a trace, with exit code 130.
"""

import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


def main() -> int:
    """Load the command line and run it; return the exit code."""
    before = signal.signal(signal.SIGINT, _interrupted)
    from sfu.server import cli  # noqa: PLC0415 - this is what takes a moment

    signal.signal(signal.SIGINT, before)
    return cli.main()


def _interrupted(number: int, frame: FrameType | None) -> None:
    os._exit(130)  # an exception here would be lost in some import, or turned into another one


if __name__ == "__main__":
    sys.exit(main())
