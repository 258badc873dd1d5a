"""The reference lists every member of a statistics dictionary, and no member that only a connection calls."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import get_args

import pytest

import pystack.peer
from pystack.peer import CandidatePairStats, InboundRtpStats, Stats

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "_ext"))


@pytest.mark.parametrize("dictionary", get_args(Stats), ids=lambda dictionary: dictionary.__name__)
def test_every_member_has_a_type_and_a_meaning(dictionary: type) -> None:
    from statistics_members import members

    assert {"id", "timestamp", "type"} <= members(dictionary).keys()
    for kind, meaning in members(dictionary).values():
        assert kind
        assert meaning.endswith(".")


def test_what_is_ours_says_so_and_what_may_be_missing_is_optional() -> None:
    from statistics_members import members

    shown = members(InboundRtpStats)
    assert {name for name, (_, meaning) in shown.items() if meaning.startswith("ours:")} == {"rid", "packetsDuplicated"}
    assert shown["framesPerSecond"][0] == "float, optional"
    assert shown["type"] == ("str", '``"inbound-rtp"``.')
    assert members(CandidatePairStats)["nominated"][0] == "bool"


def test_a_member_without_a_meaning_would_be_noticed() -> None:
    from statistics_members import members

    class Silent(dict):  # type: ignore[type-arg]
        """Nothing of use.

        Attributes:
            gone: not there.
        """

        new: int

    with pytest.raises(ValueError, match=r"no such members: \['gone'\]; no meaning: \['new'\]"):
        members(Silent)


def test_what_only_a_connection_calls_is_not_shown() -> None:
    from public_side import MADE_BY_A_CONNECTION, is_internal

    assert is_internal("pystack.peer.sender", "handle_end")
    assert not is_internal("pystack.peer.sender", "write")
    assert not is_internal("pystack.base.core", "handle_end")
    for dotted in MADE_BY_A_CONNECTION:
        made = getattr(pystack.peer, dotted.rpartition(".")[2])
        internal = [name for name in vars(made) if is_internal(made.__module__, name)]
        assert internal
        assert all(inspect.getdoc(getattr(made, name)) for name in vars(made) if not name.startswith("_"))
