"""A peer in a node process: one of the stacks for node, behind JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pystack import DataChannel
from tests.interop.other_peer import PATIENCE, Offerer, OtherPeer, Ours, connect

HERE = Path(__file__).resolve().parent

Stack = Literal["libdatachannel", "werift", "roamhq"]


class NodePeer(OtherPeer):
    """``async with NodePeer("werift") as other``: requests by name, and what happened by itself in ``events``."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            "node",
            "peer.mjs",
            self.stack,
            cwd=HERE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 22,
        )
        self._reader = asyncio.create_task(self._read())
        await self.wait("ready")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for event in self.events[-40:]:
                print("other:", event, file=sys.stderr)
        if self._process.returncode is None:
            self._process.kill()  # it has nothing to say that would matter
        await self._process.wait()
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            if not line.startswith(b"{"):
                self.events.append({"event": "noise", "line": line.decode(errors="replace").strip()})
                continue
            said = json.loads(line)
            if "event" in said:
                self.events.append(said)
                self._came.set()
            else:
                self._waiting.pop(said["id"]).set_result(said)
        asyncio.get_running_loop().call_soon(self._came.set)  # the task is done then
        for future in self._waiting.values():
            if not future.done():
                future.set_result({"error": "the process ended"})

    async def ask(self, op: str, **arguments: Any) -> Any:
        """Have something done over there."""
        self._number += 1
        answer = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": self._number, "op": op, **arguments}).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            said = await answer
        assert "error" not in said, said["error"]
        return said["result"]


def meet(
    stack: Stack,
    who: Offerer,
    body: Callable[[Ours, OtherPeer, DataChannel], Coroutine[Any, Any, None]],
    *,
    seed: int | None = None,
    **settings: Any,
) -> None:
    """Run ``body`` with both connected; ``seed`` as for `Ours.open`."""

    async def main() -> None:
        async with asyncio.timeout(90), NodePeer(stack) as other, Ours.open("127.0.0.1", seed, **settings) as ours:
            await body(ours, other, await connect(ours, other, who))

    asyncio.run(main())
