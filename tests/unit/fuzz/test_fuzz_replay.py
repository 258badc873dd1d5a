"""Every committed input of every fuzz target, and every reproducer, once; and that the harness finds what is wrong."""

from __future__ import annotations

import time

import pytest

from fuzz.cover import distil
from fuzz.minimise import minimise
from fuzz.outcome import attempt
from fuzz.search import CORPUS, FOUND, inputs_of, plain
from fuzz.target import Program, Target, check, piece
from fuzz.targets import NAMES, find

BOUND = 4.0  # seconds for one target; all of them stay below a minute on a slow machine


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_replays(name):
    target = find(name)
    began = time.monotonic()
    inputs = inputs_of(target)
    assert inputs
    found = FOUND / name
    reproducers = {path.read_bytes() for path in found.iterdir()} if found.is_dir() else set()
    # Reproducers always; the rest as far as the time goes, from an even spread.
    rest = [data for data in inputs if data not in reproducers]
    for data in [*reproducers, *rest[::2], *rest[1::2]]:
        finding = attempt(target, data)
        assert finding is None, f"{name}: {data[:200].hex()}\n{finding.text}"
        if data not in reproducers and time.monotonic() - began > BOUND:
            break


def test_the_corpus_is_small_and_every_file_of_it_has_a_target():
    sizes = {path: path.stat().st_size for folder in (CORPUS, FOUND) for path in folder.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 1_000_000
    for folder in (CORPUS, FOUND):
        if folder.is_dir():
            assert {path.name.removesuffix(".hex") for path in folder.iterdir()} <= set(NAMES)


def _broken(data: bytes) -> None:
    check(b"bad" not in data, "it is bad")


BROKEN = Target(name="broken", run=_broken, seeds=lambda: [b"a bat in the wood, a bed"])


def test_the_plain_loop_finds_and_a_finding_is_minimised(tmp_path):
    result = plain(BROKEN, tmp_path, seconds=30, seed=1)
    assert result.finding is not None
    finding = attempt(BROKEN, result.finding)
    assert finding is not None
    assert "it is bad" in finding.text
    small = minimise(result.finding, lambda data: finding.like(attempt(BROKEN, data)))
    assert small == b"bad"


def test_minimising_keeps_the_same_finding_and_no_other():
    def two(data: bytes) -> None:
        if b"x" in data:
            raise ValueError
        if b"yz" in data:
            raise KeyError

    target = Target(name="two", run=two)
    finding = attempt(target, b"...yz...")
    small = minimise(b"aaa yz bbb", lambda data: finding.like(attempt(target, data)))
    assert small == b"yz"
    assert attempt(target, b"x").like(finding) is False


def test_the_corpus_keeps_what_adds_lines():
    target = find("dcep")
    small = distil(target, [b""], [b"", b"\3", bytes(12), bytes(13), b"\3\7" + bytes(10)])
    assert small == [bytes(12), b"\3\7" + bytes(10)]


def test_an_input_is_read_as_a_program():
    program = Program(b"\1\2\3" + piece(b"abc") + b"\xff")
    assert (program.byte(), program.word(), program.piece()) == (1, 0x203, b"abc")
    assert program
    assert program.rest() == b"\xff"
    assert not program
    assert (program.byte(), program.word(), program.take(3)) == (0, 0, b"")
