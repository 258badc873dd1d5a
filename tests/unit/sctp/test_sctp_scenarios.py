"""No situation of the catalogue is forgotten, and the page names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def page():
    return (ROOT / "docs/explanation/sctp.md").read_text()


def sources():
    return [path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py"))]


def named(text):
    """The identifiers in a text, ranges such as R05-R11 spelled out."""
    found = set(re.findall(r"\b[A-Z]\d\d\b", text))
    for letter, first, again, last in re.findall(r"\b([A-Z])(\d\d)-([A-Z])(\d\d)\b", text):
        assert letter == again
        found |= {f"{letter}{number:02}" for number in range(int(first), int(last) + 1)}
    return found


def test_every_situation_is_tested_or_explained():
    ids = (ROOT / "tests/vectors/sctp/scenario_ids.txt").read_text().split()
    docstrings = "\n".join(found for text in sources() for found in re.findall(r'"""(.*?)"""', text, re.DOTALL))
    rows = "\n".join(line.split("|")[1] for line in page().splitlines() if re.match(r"\| [A-Z]\d\d", line))
    assert sorted(set(ids) - named(docstrings) - named(rows)) == []


def test_every_test_that_the_page_names_exists():
    everything = "\n".join(sources())
    known = set(re.findall(r"def (test_\w+)|class (Test\w+)", everything))
    names = {one or other for one, other in known}
    assert sorted(set(re.findall(r"`(test_\w+|Test\w+)`", page())) - names) == []
