"""The tutorial's steps with a browser, run as they stand in a real one: a line that comes back, and a call."""

from __future__ import annotations

import asyncio
import importlib.util
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from e2e_harness.browsers import Driver, Page

pytestmark = pytest.mark.component("chromium")

ROOT = Path(__file__).resolve().parents[2]


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def until(look: Callable[[], Awaitable[bool]], seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not await look():  # noqa: ASYNC110 - a page rings no bell
            await asyncio.sleep(0.1)


LOOK = """async () => {
  let video = 0, audio = 0;
  for (const each of (await connection.getStats()).values()) {
    if (each.type !== "inbound-rtp") continue;
    if (each.kind === "video") video += each.framesDecoded ?? 0; else audio += each.packetsReceived ?? 0;
  }
  return { video, audio, width: document.querySelector("#back").videoWidth, state: connection.connectionState };
}"""


def test_the_page_of_the_call_sees_and_hears_itself(run: Callable[..., None]) -> None:
    async def body() -> None:
        runner = web.AppRunner(await load("browser_call").main())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with Driver() as driver:
            browser = await driver.launch("chromium")
            page = await browser.open(f"http://127.0.0.1:{runner.addresses[0][1]}/")

            async def comes_back() -> bool:
                seen = await page.evaluate(LOOK)
                return seen["video"] > 20 and seen["audio"] > 20 and seen["width"] > 0

            await until(comes_back)
            assert driver.page_errors == []
        await runner.cleanup()

    run(body())


def test_the_page_of_the_echo_server_gets_its_line_back(run: Callable[..., None]) -> None:
    async def body() -> None:
        port = 18_473
        serving = asyncio.create_task(load("echo_server").main("127.0.0.1", port))
        async with Driver() as driver:
            browser = await driver.launch("chromium")
            page = await _open(browser, f"http://127.0.0.1:{port}/")
            await until(lambda: _log_has(page, "connected"))
            await page.evaluate(
                """() => {
                  document.querySelector("input").value = "is anybody there?";
                  document.querySelector("form").requestSubmit();
                }"""
            )
            await until(lambda: _log_has(page, "← is anybody there?"))
            assert driver.page_errors == []
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    run(body())


async def _open(browser: Any, url: str) -> Page:
    await asyncio.sleep(0.5)
    page = await browser.open(url)
    assert isinstance(page, Page)
    return page


async def _log_has(page: Page, text: str) -> bool:
    return text in await page.evaluate('() => document.querySelector("#log").textContent')


def test_the_tutorial_shows_these_programs() -> None:
    text = (ROOT / "docs" / "tutorial" / "2-a-browser.md").read_text()
    assert re.findall(r"\{literalinclude\} \.\./\.\./examples/(\w+)\.py", text) == ["echo_server", "browser_call"]
