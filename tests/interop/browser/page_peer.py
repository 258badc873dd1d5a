"""A peer in a page of a real browser: the page's own ``RTCPeerConnection``, asked by way of the browsers' driver."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pystack import DataChannel
from tests.e2e.e2e_harness.browsers import Browser, Driver, Page
from tests.e2e.e2e_harness.room import own_address
from tests.interop.other_peer import Offerer, OtherPeer, Ours, connect

__all__ = ["PagePeer", "Stage", "stage"]

SCRIPT = (Path(__file__).parent / "peer.js").read_text()
BLANK = b"<!doctype html><title>peer</title><body></body>"


class PagePeer(OtherPeer):
    """The page as the other peer; see ``peer.js`` for what can be asked."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self._reader = asyncio.create_task(self._read())

    async def leave(self) -> None:
        """Stop listening to it."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader

    async def ask(self, op: str, **arguments: Any) -> Any:
        """Have something done over there."""
        return await self.page.evaluate("(request) => peer.ask(request)", {"op": op, **arguments})

    async def _read(self) -> None:
        while True:
            self.events += await self.page.evaluate("() => peer.news()")
            self._came.set()


class Stage:
    """One browser for many meetings, on an event loop of its own.

    Attributes:
        browser: the running browser.
        driver: it is driven by this.
    """

    def __init__(self, runner: asyncio.Runner, driver: Driver, browser: Browser, url: str) -> None:
        self._runner = runner
        self._url = url
        self.driver = driver
        self.browser = browser

    def run(self, body: Callable[[PagePeer], Coroutine[Any, Any, None]], *, timeout: float = 90) -> None:
        """Run ``body`` with a fresh page."""

        async def main() -> None:
            page = await self.browser.open(self._url)
            await page.evaluate("(source) => { (0, eval)(source); }", SCRIPT)
            other = PagePeer(page)
            try:
                async with asyncio.timeout(timeout):
                    await other.ask("start")
                    await body(other)
            except BaseException:
                for event in other.events[-40:]:
                    print("page:", event, file=sys.stderr)
                for line in self.driver.log[-20:]:
                    print("page:", line, file=sys.stderr)
                raise
            finally:
                await other.leave()
                await page.close()

        self._runner.run(main())

    def meet(
        self,
        who: Offerer,
        body: Callable[[Ours, OtherPeer, DataChannel], Coroutine[Any, Any, None]],
        *,
        seed: int | None = None,
        timeout: float = 90,
        prepare: Callable[[Ours], object] = lambda ours: None,
        **settings: Any,
    ) -> None:
        """Run ``body`` with our connection and the page's, with a first channel; ``seed`` as for `Ours.open`.

        ``prepare`` runs before they connect.
        """

        async def main(other: PagePeer) -> None:
            async with Ours.open(own_address(), seed, **settings) as ours:
                prepare(ours)
                await body(ours, other, await connect(ours, other, who))

        self.run(main, timeout=timeout)


@contextmanager
def stage(kind: str) -> Iterator[Stage]:
    """Start a browser, ``"chromium"`` or ``"firefox"``, and a server of blank pages."""
    with asyncio.Runner() as runner:
        driver = Driver()
        runner.run(driver.__aenter__())
        try:
            server = runner.run(_serve_blank())
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            yield Stage(runner, driver, runner.run(driver.launch(kind)), url)
            server.close()
        finally:
            runner.run(driver.__aexit__(None, None, None))


async def _serve_blank() -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + BLANK)
            await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)
