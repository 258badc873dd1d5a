"""Which lines of the stack a set of inputs reaches, group by group.

A line counts for a group when an input of it reaches it and an empty input does not: so what it takes to bring an
association into a state is not counted as covered by what is sent there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import attrs

from fuzz.outcome import attempt
from fuzz.target import Target

__all__ = ["GroupCoverage", "distil", "measure"]

Line = tuple[str, int]
_ROOT = Path(__file__).resolve().parents[1]


@attrs.define
class GroupCoverage:
    """What the inputs of one group reach.

    Attributes:
        inputs: how many there are.
        lines: lines reached.
        own: those that the inputs reach and the empty input of the same group does not.
    """

    inputs: int = 0
    lines: set[Line] = attrs.field(factory=set)
    own: set[Line] = attrs.field(factory=set)


def measure(target: Target, inputs: Iterable[bytes]) -> tuple[dict[str, GroupCoverage], int]:
    """Coverage by group, and how many lines the packages of the target have."""
    groups: dict[str, GroupCoverage] = {}
    base: dict[str, set[Line]] = {}
    for data in inputs:
        name = target.group(data)
        found = groups.setdefault(name, GroupCoverage())
        if name not in base:
            base[name] = _lines(target, data[:1])
        found.inputs += 1
        reached = _lines(target, data)
        found.lines |= reached
        found.own |= reached - base[name]
    return groups, sum(len(lines) for lines in _possible(target.packages).values())


def distil(target: Target, known: Iterable[bytes], inputs: Iterable[bytes]) -> list[bytes]:
    """Those of ``inputs``, short ones first, that reach lines of their group that none before does."""
    seen: dict[str, set[Line]] = {}
    for data in known:
        seen.setdefault(target.group(data), set()).update(_lines(target, data))
    kept: list[bytes] = []
    for data in sorted(inputs, key=lambda each: (len(each), each)):
        before = seen.setdefault(target.group(data), set())
        reached = _lines(target, data)
        if not reached <= before:
            before |= reached
            kept.append(data)
    return kept


def _lines(target: Target, data: bytes) -> set[Line]:
    seen: set[Line] = set()
    with _tracing(seen, target.packages):
        attempt(target, data)
    return seen


@contextmanager
def _tracing(seen: set[Line], packages: tuple[str, ...]) -> Iterator[None]:
    wanted = tuple(str(_ROOT / each.replace(".", "/")) for each in packages)
    known: dict[CodeType, bool] = {}

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
        return line

    def call(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        ours = known.get(code)
        if ours is None:
            ours = known[code] = code.co_filename.startswith(wanted)
        return line if ours else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(before)


def _possible(packages: tuple[str, ...]) -> dict[str, set[int]]:
    """The lines inside functions of each file: what an input can reach at all."""
    found: dict[str, set[int]] = {}
    for package in packages:
        place = _ROOT / package.replace(".", "/")
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
            lines: set[int] = set()
            todo = [compile(path.read_text(encoding="utf-8"), str(path), "exec")]
            while todo:
                code = todo.pop()
                for constant in code.co_consts:
                    if isinstance(constant, CodeType):
                        todo.append(constant)
                        if constant.co_flags & 0x2 and constant.co_name != "__attrs_post_init__":  # a function
                            lines |= {number for _, _, number in constant.co_lines() if number}
                            if not constant.co_name.startswith("<"):  # the line of "def" is not run
                                lines.discard(constant.co_firstlineno)
            found[str(path)] = lines
    return found
