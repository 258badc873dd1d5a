"""Takes connections from a listening socket one by one, and waits when the process has no descriptors left for more.

The idea: asyncio's own servers answer a used-up limit of open files with a trace for each place in the backlog, and
with as many timers, each of which does it again. Here there is one loop and one wait. It stops a few descriptors early,
so that for those who are connected already a file can still be read, or a name looked up. Newcomers wait in the backlog
meanwhile, and are taken when others have left.

Called by :class:`pystack.aio.tcp.TcpPort`, and by servers that share a process with it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from pystack.aio.clock import clock_of

if sys.platform != "win32":  # where there is no such limit
    import resource

__all__ = ["USED_UP", "Listener", "descriptor_limit", "listening_socket", "used_up"]

USED_UP: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Error numbers that say that the system has nothing left for another socket."""
_BACKLOG: Final = 128
_RETRY: Final = 1.0
_SPARE: Final = 16
"""Descriptors that are left to the rest of the process; a quarter of them where there are few."""
_QUIET: Final = 60.0
"""Seconds between two lines about it."""


def descriptor_limit() -> int:
    """How many descriptors this process may have open; 0 if nothing says so."""
    if sys.platform == "win32":
        return 0
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if soft == resource.RLIM_INFINITY else soft


def used_up() -> str:
    """A sentence for the operator: which limit was met, and how to raise it."""
    return (
        f"the limit of open files is used up ({descriptor_limit()}): raise it with 'ulimit -n', "
        "LimitNOFILE= of systemd or --ulimit nofile= of a container"
    )


def listening_socket(
    family: int, address: tuple[Any, ...], options: Iterable[tuple[int, int, int]] = ()
) -> socket.socket:
    """Make a non-blocking socket that is bound to one address of this machine and listens.

    Args:
        family: ``AF_INET`` or ``AF_INET6``.
        address: as the socket module has it for the family.
        options: more socket options, ``(level, name, value)``, which its connections inherit.

    Raises:
        OSError: as the system says it; nothing is open then.
    """
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # past connections in TIME_WAIT hold no port
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for level, name, value in options:
            sock.setsockopt(level, name, value)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


class Listener:
    """Accepts on one socket, which is its own from now on.

    Args:
        sock: bound, listening, non-blocking.
        factory: makes the protocol of each connection.
        where: the name of the socket in messages.
    """

    def __init__(self, sock: socket.socket, factory: Callable[[], asyncio.BaseProtocol], where: str) -> None:
        self._sock = sock
        self._factory = factory
        self._where = where
        self._loop = asyncio.get_running_loop()
        self._clock = clock_of(self._loop)
        self._told_at = -_QUIET
        self._task: asyncio.Task[None] | None = self._loop.create_task(self._accept(), name=f"accept on {where}")

    @property
    def is_serving(self) -> bool:
        """Whether it takes connections."""
        return self._task is not None

    def close(self) -> None:
        """Take no more, and release the port. Harmless when repeated."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            self._loop.remove_reader(self._sock)  # before its number can be another socket's
            self._sock.close()

    async def _accept(self) -> None:
        while True:
            try:
                connection, _ = await self._loop.sock_accept(self._sock)
            except ConnectionError:
                continue  # it left while it waited
            except OSError as error:
                self._tell(used_up() if error.errno in USED_UP else f"cannot take connections: {error}")
                await asyncio.sleep(_RETRY)
                continue
            if self._is_last(connection):
                connection.close()
                self._tell(used_up())
                await asyncio.sleep(_RETRY)
                continue
            with suppress(OSError):
                await self._loop.connect_accepted_socket(self._factory, connection)

    @staticmethod
    def _is_last(connection: socket.socket) -> bool:
        """Whether nearly all descriptors are in use: the system gives out the lowest that is free."""
        limit = descriptor_limit()
        return 0 < limit <= connection.fileno() + min(_SPARE, limit // 4)

    def _tell(self, what: str) -> None:
        now = self._clock()
        if now - self._told_at >= _QUIET:
            self._told_at = now
            self._loop.call_exception_handler({"message": f"{self._where}: {what}; who comes now has to wait"})
