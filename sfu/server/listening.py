"""The HTTP port: bound, accepted on, and what a connection may take there before anybody has asked for anything.

A reader that takes nothing is ended by the kernel (TCP_USER_TIMEOUT), where the system has that. How many connections
there may be is the process's limit of open files, which is raised to what the operator allows. Called by
:mod:`sfu.server.serve`.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pystack.aio import Listener, listening_socket

if sys.platform != "win32":  # where there is no such limit
    import resource

__all__ = ["listen", "raise_descriptor_limit"]

_USER_TIMEOUT: Final = 18
"""linux/tcp.h; the milliseconds that sent bytes may wait for their reader."""
_SLOW_READER: Final = 30_000
_NOT_HERE: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


async def listen(host: str, port: int, factory: Callable[[], asyncio.BaseProtocol]) -> dict[tuple[str, int], Listener]:
    """Accept on every address that ``host`` stands for; return the listeners by address.

    Raises:
        OSError: none can be used, or one is taken.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    options = ((socket.IPPROTO_TCP, _USER_TIMEOUT, _SLOW_READER),) if sys.platform == "linux" else ()
    sockets: list[socket.socket] = []
    refused: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            sockets.append(listening_socket(family, address, options))
        except OSError as error:
            refused = error
            if error.errno not in _NOT_HERE:  # a name may stand for more addresses than the machine has
                break
    if refused is not None and (not sockets or refused.errno not in _NOT_HERE):
        for each in sockets:
            each.close()
        raise refused
    return {each.getsockname()[:2]: Listener(each, factory, f"HTTP, port {each.getsockname()[1]}") for each in sockets}


def raise_descriptor_limit() -> None:
    """Let this process have as many descriptors as the operator allows it: each client takes one, or two."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # some systems have no such number
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
