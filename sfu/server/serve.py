"""Start the server, run it until a signal, and leave cleanly in bounded time."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import signal
import sys
from collections.abc import Callable
from typing import Final, TextIO, cast
from urllib.parse import urlencode

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

import pystack
from pystack.aio import USED_UP, Listener, UdpMux, used_up
from pystack.errors import InvalidArgument, LocalProtocolError
from sfu.server.app import make_app
from sfu.server.config import DEV_KEY, DEV_SECRET, Config, ConfigError
from sfu.server.doorkeeper import Doorkeeper
from sfu.server.listening import listen, raise_descriptor_limit
from sfu.server.runtime import Runtime
from sfu.server.terminal import LogFile, say

__all__ = ["Server", "run", "set_up_logs", "without_trace"]

_REQUEST_LINE: Final = 64 * 1024  # a join_request carries an SDP offer in the URL
_THRESHOLDS: Final = (10_000, 20, 50)
_KEEP_ALIVE: Final = 30.0  # seconds for the next request to be whole
_GOODBYE: Final = 2.0  # seconds for connections to end when the server does


class Server:
    """A server in a running loop: ``start`` it, once, and ``close`` it in any case.

    Args:
        config: the settings, of :func:`load` or made by hand.
        version: what clients and ``/healthz`` are told; by default that of this package.

    Attributes:
        url: where the page is.
        runtime: its rooms.
    """

    def __init__(self, config: Config, version: str = pystack.__version__) -> None:
        self._config = config
        self._version = version
        self._mux: UdpMux | None = None
        self._runner: web.AppRunner | None = None
        self._listeners: list[Listener] = []
        self._doorkeeper = Doorkeeper()
        self._started = False
        self.url = ""

    async def start(self) -> None:
        """Open both ports.

        Raises:
            ConfigError: a port or an address cannot be used; the text names the setting and the fix. Nothing is open.
            LocalProtocolError: it was started before. Make another.
        """
        if self._started:
            raise LocalProtocolError("start", "started", "this server was started before; make another Server")
        self._started = True
        config = self._config
        try:
            self._mux = await UdpMux.open(
                config.media_addresses or "0.0.0.0",
                config.media_port,
                advertise=config.advertised_addresses,
                loopback=config.dev,
                tcp_port=config.media_port if config.media_tcp else None,
            )
        except (OSError, InvalidArgument) as error:
            if getattr(error, "errno", 0) in USED_UP:
                raise ConfigError(used_up()) from None
            setting = "media_addresses" if getattr(error, "errno", 0) == errno.EADDRNOTAVAIL else "media_port"
            raise ConfigError(f"{setting}: {getattr(error, 'strerror', None) or error}") from None
        self.runtime = Runtime(config, self._mux, self._version)
        self._runner = web.AppRunner(
            make_app(self.runtime, self._doorkeeper),
            access_log=None,
            keepalive_timeout=_KEEP_ALIVE,
            shutdown_timeout=_GOODBYE,
            max_line_size=_REQUEST_LINE,
            max_field_size=_REQUEST_LINE,
        )
        await self._runner.setup()
        assert self._runner.server is not None
        try:
            found = await listen(config.host, config.port, self._runner.server)
        except OSError as error:
            await self.close()
            raise ConfigError(_explain(error, config)) from None
        self._listeners = list(found.values())
        self._doorkeeper.watch(self._runner.server)
        host, port = next(iter(found))
        shown = "127.0.0.1" if host == "0.0.0.0" else "[::1]" if host == "::" else f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{port}"

    @property
    def media(self) -> tuple[tuple[str, int], ...]:
        """The addresses and the port that media is taken on."""
        return self._mux.addresses if self._mux is not None else ()

    @property
    def media_tcp(self) -> bool:
        """Whether media is taken over TCP as well, on the same addresses."""
        return self._mux is not None and self._mux.tcp_port is not None

    async def close(self) -> None:
        """Say goodbye to everybody and release the ports; returns within seconds. Harmless when it is not running."""
        self._doorkeeper.close()
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        if self._runner is not None:
            await self.runtime.close()
            await self._runner.cleanup()
            self._runner = None
        if self._mux is not None:
            self._mux.close()
            self._mux = None


def spare_collector() -> None:
    """Let the garbage collector look less often, in a process that is this server alone.

    What there is now stays, and tens of thousands of packets are kept for those who miss them; looking at all that is a
    twelfth of what forwarding costs. Whoever leaves is let go of without it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def run(config: Config, version: str) -> int:
    """Run until SIGINT or SIGTERM; return the exit code."""
    raise_descriptor_limit()
    set_up_logs(config)
    try:
        return asyncio.run(_run(config, version))
    except OSError as error:
        if error.errno in USED_UP:
            raise ConfigError(used_up()) from None
        raise


async def _run(config: Config, version: str) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = Server(config, version)
    await server.start()
    spare_collector()
    say(_greeting(server, config, version))
    await stop.wait()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)  # a second one ends the process at once
    await server.close()
    say("stopped")
    return 0


def _greeting(server: Server, config: Config, version: str) -> str:
    lines = [f"sfu {version} is ready", f"  page   {server.url}/"]
    if config.dev:
        for name in ("Ada", "Grace"):
            lines.append(f"  join   {server.url}/?{urlencode({'room': 'demo', 'name': name})}")
        if config.keys.get(DEV_KEY) == DEV_SECRET:
            lines.append(f"  key    {DEV_KEY} / {DEV_SECRET} (for development only)")
        lines.append(f"  rooms  {server.url}/debug")
    lines.append(f"  sdk    {server.url.replace('http', 'ws', 1)}")
    media = ", ".join(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in server.media)
    lines.append(f"  media  {'udp, tcp' if server.media_tcp else 'udp'}  {media}")
    lines.append("stop with Ctrl-C")
    return "\n".join(lines)


def _explain(error: OSError, config: Config) -> str:
    where = f"{config.host}:{config.port}"
    if error.errno in USED_UP:
        return used_up()
    if error.errno == errno.EADDRINUSE:
        return f"port: TCP {where} is in use; stop the other program or choose another with --port (0: any free one)"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"port: TCP {where} is not allowed; choose a port above 1023 with --port"
    return f"host: cannot listen on {where}: {error.strerror or error}; choose an address of this machine with --host"


def without_trace(record: logging.LogRecord) -> bool:
    """A request that is not HTTP is the sender's fault: one short line, not a trace of our insides."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.msg = f"bad request: {error.message.partition(chr(10))[0][:200]}"
        record.args = ()
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True


def set_up_logs(config: Config) -> None:
    """Send logs to standard error in the chosen form."""
    renderer: Callable[..., object] = (
        structlog.processors.JSONRenderer()
        if config.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            renderer,  # type: ignore[list-item]
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, config.log_level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=cast(TextIO, LogFile(sys.stderr))),
    )
    logging.getLogger("aiohttp.server").addFilter(without_trace)
    logging.basicConfig(stream=sys.stderr, level=getattr(logging, config.log_level.upper()), format="%(message)s")
    for key, secret in config.keys.items():
        if len(secret) < 32 and not config.dev:
            structlog.get_logger("sfu").warning("keys: the secret of a key is shorter than 32 characters", key=key)
