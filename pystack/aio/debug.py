"""Everything about one connection, written down while it lives: what to look at when something does not work.

One line switches it on (``Configuration(debug="folder")``, or ``PYSTACK_DEBUG=folder`` in the environment), and each
connection leaves two files in the folder: a trace that people read, and a capture that Wireshark reads and decrypts.
The DTLS keys of all connections are in ``keys.log`` beside them, in the form that NSS gave its name to.

It writes from inside the event loop, synchronously: this is for debugging. It never raises, and stops writing at a
bound or when the disk is full. Used by :mod:`pystack.peer`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final, Literal, TypeAlias

import attrs

from pystack.aio.bounded_file import BoundedFile
from pystack.aio.pcapng import SCTP, UDP, file_header, packet_block, secrets_block
from pystack.aio.transport import IceTransport
from pystack.base import Trace

__all__ = ["Debug", "DebugOptions", "TappedPath", "debug_options"]

_VARIABLE: Final = "PYSTACK_DEBUG"
_NOWHERE: Final = ("0.0.0.0", 0)
_NUMBERS: Final = count(1)
_Ends: TypeAlias = tuple[tuple[str, int], tuple[str, int]]
_STUN_CLASSES: Final = {0: "request", 1: "indication", 0x80: "success", 0x81: "error"}
_CHUNKS: Final = {
    0: "DATA",
    1: "INIT",
    2: "INIT ACK",
    3: "SACK",
    4: "HEARTBEAT",
    5: "HEARTBEAT ACK",
    6: "ABORT",
    7: "SHUTDOWN",
    8: "SHUTDOWN ACK",
    9: "ERROR",
    10: "COOKIE ECHO",
    11: "COOKIE ACK",
    14: "SHUTDOWN COMPLETE",
    64: "I-DATA",
    130: "RE-CONFIG",
    192: "FORWARD-TSN",
    194: "I-FORWARD-TSN",
}
"""SCTP's chunk types, by the IANA registry."""


@attrs.frozen(kw_only=True)
class DebugOptions:
    """Where and how much to write.

    Attributes:
        folder: where; it is made if it is not there.
        capture_bytes: bytes of a connection's capture at most. The beginning is kept, because the keys are there.
        trace_bytes: bytes of a connection's trace at most.
        connections: how many connections of this process are written down; those after them are not.
    """

    folder: str
    capture_bytes: int = 64 << 20
    trace_bytes: int = 16 << 20
    connections: int = 1000


def debug_options(wanted: DebugOptions | str | None) -> DebugOptions | None:
    """What was asked for, by the program or by the environment; ``None`` for nothing."""
    if isinstance(wanted, DebugOptions):
        return wanted
    folder = wanted or os.environ.get(_VARIABLE)
    return DebugOptions(folder=folder) if folder else None


class Debug:
    """The files of one connection, and a :class:`~pystack.base.Trace` that writes to them.

    Args:
        options: where and how much.
        now: the connection's clock at its beginning, in seconds.
        wall_offset: what to add to it for seconds since 1970.
        trace: the application's own observer, told as well.

    Attributes:
        name: what the files are called: when, which process, which connection of it.
    """

    def __init__(self, options: DebugOptions, now: float, wall_offset: float, trace: Trace | None = None) -> None:
        number = next(_NUMBERS)
        wall = now + wall_offset
        self.name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(wall))}-{os.getpid()}-{number}"
        self._ends: _Ends = (_NOWHERE, _NOWHERE)
        self._path: _Ends | None = None
        self._start = now
        self._offset = wall_offset
        self._own_trace = trace
        stem = os.path.join(options.folder, self.name)
        bound = 0 if number > options.connections else 1
        self._text = BoundedFile(stem + ".txt", bound * options.trace_bytes)
        self._capture = BoundedFile(stem + ".pcapng", bound * options.capture_bytes)
        self._keys = os.path.join(options.folder, "keys.log")
        self._key_log: str | None = None
        self._capture.write(file_header("pystack", ["wire", "SCTP, taken out of DTLS"]))
        self.note(now, "debug", f"begins at {wall:.6f}, seconds below are from here; Wireshark: {self.name}.pcapng")

    # ---- a trace

    def packet(self, now: float, layer: str, direction: str, data: bytes) -> None:
        """A packet passed."""
        arrived = direction == "in"
        self.note(now, layer, f"{'←' if arrived else '→'} {_summary(layer, data)}")
        if layer == "sctp":
            self._write(now, data, arrived=arrived, interface=1, protocol=SCTP)
        if self._own_trace is not None:
            self._own_trace.packet(now, layer, direction, data)

    def state(self, now: float, layer: str, before: str, after: str) -> None:
        """A state machine moved."""
        self.note(now, layer, f"state {before} → {after}")
        if self._own_trace is not None:
            self._own_trace.state(now, layer, before, after)

    def timer(self, now: float, layer: str, name: str) -> None:
        """A named timer fired."""
        self.note(now, layer, f"timer {name}")
        if self._own_trace is not None:
            self._own_trace.timer(now, layer, name)

    def dropped(self, now: float, layer: str, why: str) -> None:
        """Something was dropped."""
        self.note(now, layer, f"dropped: {why}")
        if self._own_trace is not None:
            self._own_trace.dropped(now, layer, why)

    # ---- what else happens

    def note(self, now: float, what: str, text: str) -> None:
        """Write one line, or several, of the trace."""
        line = f"{now - self._start:12.6f}  {what:<9} {text}\n"
        self._text.write(line.replace("\r\n", "\n").encode("utf-8", "backslashreplace"))

    def path(self, now: float, local: tuple[str, int], remote: tuple[str, int]) -> None:
        """Where datagrams go now; the same again changes nothing.

        The capture has them all between the first two addresses: Wireshark knows a DTLS session by its addresses, and
        would not decrypt what comes after ICE has found a better path.
        """
        ends = (local, remote)
        if ends != self._path:
            if self._path is None:
                self._ends = ends
            self._path = ends
            self.note(now, "ice", f"path {local[0]}:{local[1]} ↔ {remote[0]}:{remote[1]}")

    def datagram(self, now: float, data: bytes, *, arrived: bool) -> None:
        """A datagram passed, as it was on the wire."""
        self._write(now, data, arrived=arrived)

    def stun(self, now: float, data: bytes, local: tuple[str, int], remote: tuple[str, int], *, arrived: bool) -> None:
        """A message of ICE passed."""
        kind = _STUN_CLASSES[data[0] << 7 & 0x80 | data[1] >> 4 & 1] if len(data) > 1 else "?"
        text = f"{'←' if arrived else '→'} {kind} {data[8:20].hex()} {local[0]}:{local[1]} ↔ {remote[0]}:{remote[1]}"
        self.note(now, "ice", text)
        self._write(now, data, arrived=arrived, ends=(local, remote))

    def keys(self, key_log: str | None) -> None:
        """The DTLS keys, as soon as there are any; the same ones again change nothing."""
        if key_log is not None and key_log != self._key_log:
            self._key_log = key_log
            self._capture.write(secrets_block(key_log + "\n"))
            shared = BoundedFile(self._keys, 1 << 20)
            shared.write(key_log.encode() + b"\n")
            shared.close()

    def close(self, now: float) -> None:
        """Nothing more comes."""
        if self._capture.full:
            self.note(now, "debug", "the capture is cut off: its bound, or the disk")
        self._text.close()
        self._capture.close()
        self._own_trace = None

    def _write(
        self,
        now: float,
        data: bytes,
        *,
        arrived: bool,
        interface: int = 0,
        protocol: int = UDP,
        ends: _Ends | None = None,
    ) -> None:
        if self._capture.full:
            return
        local, remote = ends or self._ends
        between = (remote, local) if arrived else (local, remote)
        way: Literal["in", "out"] = "in" if arrived else "out"
        self._capture.write(
            packet_block(now + self._offset, *between, data, way, interface=interface, protocol=protocol)
        )


def _ignore(*_: object) -> None:
    return


class TappedPath:
    """A path whose datagrams are written down on their way; between the driver and the ICE transport.

    What came in is written after the core has seen it: a server learns its keys from the datagram that they are needed
    for, and a reader of the capture needs them first.

    Attributes:
        on_datagrams, on_writable: as of :class:`~pystack.aio.DatagramPath`.
    """

    def __init__(
        self, ice: IceTransport, debug: Debug, clock: Callable[[], float], key_log: Callable[[], str | None]
    ) -> None:
        self.on_datagrams: Callable[[list[bytes], float], None] = _ignore
        self.on_writable: Callable[[], None] = _ignore
        self._ice = ice
        self._debug = debug
        self._clock = clock
        self._key_log: Callable[[], str | None] = key_log
        self._held: list[bytes] = []
        self._held_at = 0.0
        ice.on_stun = self._show_stun
        ice.on_datagrams = self._receive
        ice.on_writable = self._room

    @property
    def writable(self) -> bool:
        """As the transport's."""
        return self._ice.writable

    def send(self, batch: Sequence[bytes]) -> int:
        """Send, and write down what was taken."""
        self._write_held()
        taken = self._ice.send(batch)
        now = self._clock()
        self._look(now)
        for data in batch[:taken]:
            self._debug.datagram(now, data, arrived=False)
        return taken

    def close(self) -> None:
        """Let go."""
        self.on_datagrams = self.on_writable = _ignore
        self._ice.close()

    def _show_stun(self, data: bytes, local: tuple[str, int], remote: tuple[str, int], arrived: bool) -> None:
        self._debug.stun(self._clock(), data, local, remote, arrived=arrived)

    def _room(self) -> None:
        self.on_writable()

    def _receive(self, batch: list[bytes], now: float) -> None:
        self._held, self._held_at = batch, now
        self._look(now)
        try:
            self.on_datagrams(batch, now)
        finally:
            self._write_held()

    def _write_held(self) -> None:
        self._debug.keys(self._key_log())
        held, self._held = self._held, []
        for data in held:
            self._debug.datagram(self._held_at, data, arrived=True)

    def _look(self, now: float) -> None:
        pair = self._ice.selected_pair
        if pair is not None:
            self._debug.path(now, pair.local, pair.remote)


def _summary(layer: str, data: bytes) -> str:
    """What a packet is, in a few words."""
    size = f"{len(data)} bytes"
    if layer != "sctp":
        return size
    found = []
    at = 12
    while at + 4 <= len(data):
        kind, length = data[at], int.from_bytes(data[at + 2 : at + 4], "big")
        name = _CHUNKS.get(kind, f"chunk {kind}")
        if kind in {0, 64} and at + 10 <= len(data):
            tsn, stream = int.from_bytes(data[at + 4 : at + 8], "big"), int.from_bytes(data[at + 8 : at + 10], "big")
            name += f" tsn={tsn} stream={stream} {length - (16 if kind == 0 else 20)} bytes"
        elif kind == 3 and at + 8 <= len(data):
            name += f" tsn={int.from_bytes(data[at + 4 : at + 8], 'big')}"
        found.append(name)
        at += max(4, length + (-length & 3))
    return f"{size}: {', '.join(found)}"
