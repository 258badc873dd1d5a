"""Data channels with stacks for node, both roles: libdatachannel, werift (TypeScript), libwebrtc (`@roamhq/wrtc`)."""

from __future__ import annotations

import pytest

from tests.interop.node.node_peer import meet
from tests.interop.other_peer import close_and_open_again, talk_on_every_kind, they_end, we_end

pytestmark = pytest.mark.component("node-peers")
WHO = pytest.mark.parametrize("who", ["we offer", "they offer"])
STACK = pytest.mark.parametrize("stack", ["libdatachannel", "werift", "roamhq"])


@STACK
@WHO
def test_messages_of_all_kinds_and_sizes_both_ways(stack, who):
    meet(stack, who, talk_on_every_kind)


@STACK
@WHO
def test_channels_close_from_either_side_and_open_again(stack, who):
    meet(stack, who, close_and_open_again)


@STACK
@WHO
@pytest.mark.parametrize("end", [they_end, we_end])
def test_the_connection_ends_from_either_side(stack, who, end):
    meet(stack, who, end)
