"""Real browsers through the node driver in ``tests/e2e/driver``: one driver process, JSON lines both ways."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

DRIVER = Path(__file__).parent.parent / "driver"
BROWSERS = {"chromium": ("chromium", "chromium-browser", "google-chrome"), "firefox": ("firefox-esr", "firefox")}
PATIENCE = 90.0  # seconds for one request to the driver; the machine may be busy
LINE_LIMIT = 16 * 1024 * 1024


def browser_path(kind: str) -> str | None:
    """Where the browser is installed; ``None`` when it is not."""
    return next((path for name in BROWSERS[kind] if (path := shutil.which(name))), None)


def missing_parts(kind: str) -> str | None:
    """What is missing to drive ``kind``, in words; ``None`` when all is there. Installs the driver's own packages."""
    if browser_path(kind) is None:
        return f"{kind} is not installed"
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not installed"
    if not (DRIVER / "node_modules" / "puppeteer-core").is_dir():
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--prefix", str(DRIVER)],
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
        if done.returncode:
            return f"npm ci failed: {done.stderr.strip()[-300:]}"
    return None


class DriverError(Exception):
    """The driver or the page reported an error."""


class Driver:
    """The node process that holds the browsers. ``async with Driver() as driver``.

    Attributes:
        log: what pages wrote to their consoles, and errors that they did not catch.
        page_errors: the latter alone.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.page_errors: list[str] = []
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next = 1
        self._browsers: list[int] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            "node",
            "driver.mjs",
            cwd=DRIVER,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            env={**os.environ, "NODE_NO_WARNINGS": "1"},
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        if error is not None:
            for line in self.log[-60:]:
                print("page:", line, file=sys.stderr)
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 20)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            for pid in self._browsers:  # nobody else would end them; each leads a process group of its own
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
        assert self._reader is not None
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        # Drop the transport's references so that a server under test can be counted cleanly.
        self._process = None

    async def request(self, op: str, **arguments: Any) -> Any:
        """Ask the driver for something; see ``driver.mjs`` for the operations."""
        assert self._process is not None
        assert self._process.stdin is not None
        number = self._next
        self._next += 1
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._process.stdin.write(json.dumps({"id": number, "op": op, **arguments}).encode() + b"\n")
        try:
            async with asyncio.timeout(PATIENCE):
                return await answer
        finally:
            self._waiting.pop(number, None)

    async def launch(
        self, kind: str, *, args: tuple[str, ...] = (), preferences: dict[str, Any] | None = None
    ) -> Browser:
        """Start a fresh browser with an empty profile: ``"chromium"`` or ``"firefox"``."""
        path = browser_path(kind)
        assert path is not None, kind
        told = await self.request("launch", browser=kind, path=path, args=args, preferences=preferences or {})
        self._browsers.append(told["pid"])
        return Browser(self, kind, told["browser"], told["pid"], told["version"])

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "id" not in told:
                text = f"{told.get('page', '')} {told['event']} {told.get('type', '')} {told.get('text', '')}"
                self.log.append(text)
                if told["event"] == "pageerror":
                    self.page_errors.append(told["text"])
                continue
            answer = self._waiting.get(told["id"])
            if answer is not None and not answer.done():
                if "error" in told:
                    answer.set_exception(DriverError(told["error"]))
                else:
                    answer.set_result(told["result"])
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(DriverError("the driver left"))


class Browser:
    """One browser process with a profile of its own."""

    def __init__(self, driver: Driver, kind: str, number: int, pid: int, version: str) -> None:
        self.driver = driver
        self.kind = kind
        self.number = number
        self.pid = pid
        self.version = version

    async def open(self, url: str, preload: str = "") -> Page:
        """Open a page and wait until its document is parsed; ``preload`` is JavaScript that runs before its own."""
        told = await self.driver.request("page", browser=self.number, url=url, preload=preload)
        return Page(self.driver, told["page"])

    async def kill(self) -> None:
        """SIGKILL, to all of its processes."""
        await self.driver.request("kill", browser=self.number)

    async def close(self) -> None:
        """Close it in good order."""
        await self.driver.request("close", browser=self.number)


class Page:
    """One page of a browser."""

    def __init__(self, driver: Driver, number: int) -> None:
        self.driver = driver
        self.number = number

    async def evaluate(self, source: str, argument: Any = None) -> Any:
        """Call the JavaScript function ``source`` with ``argument`` in the page; its result travels as JSON."""
        return await self.driver.request("evaluate", page=self.number, source=source, argument=argument)

    async def screenshot(self, path: str) -> None:
        """Write a PNG of the page."""
        await self.driver.request("screenshot", page=self.number, path=path)

    async def viewport(self, width: int, height: int, *, mobile: bool = False) -> None:
        """Change the page's size."""
        await self.driver.request("viewport", page=self.number, width=width, height=height, mobile=mobile)

    async def close(self) -> None:
        """Close the page alone."""
        await self.driver.request("close_page", page=self.number)
