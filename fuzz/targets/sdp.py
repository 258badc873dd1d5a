"""Session descriptions: what is parsed and written again is the same; every attribute is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from fuzz.recorded import recorded_descriptions
from fuzz.target import Target, check
from pystack.errors import DecodeError
from pystack.sdp import attributes, parse, write

_READERS: Final[Mapping[str, Callable[[str], object]]] = attributes.PARSERS
"""The readers of single attributes; each is given the content of every attribute, also those that are not its own."""

_MAX_SIZE: Final = 8192


def run(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")  # JSON can smuggle lone surrogates in
    try:
        model = parse(text)
    except DecodeError:
        return
    written = write(model)
    again = parse(written)
    check(write(again) == written, "other text when written twice")
    check(len(again.media) == len(model.media), "other sections when written again")
    with suppress(DecodeError):
        assert model.origin
    for part in (model, *model.media):
        for line in part.lines[:64]:
            for reader in _READERS.values():
                with suppress(DecodeError):
                    reader(line.content or "")


def _seeds() -> Iterator[bytes]:
    for text in recorded_descriptions():
        yield text[:_MAX_SIZE]
    yield b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"


TARGETS = {"sdp": Target(name="sdp", run=run, seeds=_seeds, packages=("pystack.sdp",), max_size=_MAX_SIZE)}
