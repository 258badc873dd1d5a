"""aiortc: both roles, messages of all kinds and sizes, every way to close; what every other stack must do with ours."""

from __future__ import annotations

import pytest

from tests.interop.aiortc_peer import meet
from tests.interop.other_peer import close_and_open_again, talk_on_every_kind, they_end, we_end

pytestmark = pytest.mark.component("aiortc")
WHO = pytest.mark.parametrize("who", ["we offer", "they offer"])


@WHO
def test_messages_of_all_kinds_and_sizes_both_ways(who):
    meet(who, talk_on_every_kind)


@WHO
def test_channels_close_from_either_side_and_open_again(who):
    meet(who, close_and_open_again)


@WHO
@pytest.mark.parametrize("end", [they_end, we_end])
def test_the_connection_ends_from_either_side(who, end):
    meet(who, end)
