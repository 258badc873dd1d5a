"""A file that is written to as long as there is room, and that can do no harm when there is none.

For what is nice to have: a full disk, a missing folder or the bound end the writing and nothing else. Not buffered, so
that what was written is there after a crash. Used by :mod:`pystack.aio.debug`.
"""

from __future__ import annotations

import logging
import os
from typing import Final

__all__ = ["BoundedFile"]

_LOG: Final = logging.getLogger("pystack.debug")


class BoundedFile:
    """Appends whole records to a file that only its owner may read.

    Args:
        path: where; folders are made.
        limit: bytes; what would go beyond ends the writing. With 0 there is no file.

    Attributes:
        size: bytes written.
        full: nothing is written any more: the bound, or an error of the disk, which was logged once.
    """

    def __init__(self, path: str, limit: int) -> None:
        self.path = path
        self.size = 0
        self.full = False
        self._limit = limit
        self._file: int | None = None
        if not limit:
            self.full = True
            return
        try:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._give_up(error)

    def write(self, record: bytes) -> None:
        """Append a record, whole or not at all as far as the disk lets us; after the end it does nothing."""
        if self._file is None or self.full:
            return
        if self.size + len(record) > self._limit:
            self.full = True
            return
        try:
            while record:
                written = os.write(self._file, record)
                self.size += written
                record = record[written:]
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Harmless when repeated."""
        file, self._file = self._file, None
        if file is not None:
            try:
                os.close(file)
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.full = True
        _LOG.warning("nothing more is written to %s: %s", self.path, error.strerror or error)
