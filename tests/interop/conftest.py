"""What tests with other people's peers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.browser.page_peer import Stage, stage


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("chromium", marks=pytest.mark.component("chromium")),
        pytest.param("firefox", marks=pytest.mark.component("firefox")),
    ],
)
def browser(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Each browser in turn, one process for a module."""
    with stage(request.param) as each:
        yield each
