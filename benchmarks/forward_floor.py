"""The floor of forwarding in Python: a loop that takes every shortcut, as a process of its own.

Nothing is negotiated, kept, counted or answered, and a packet is whatever decrypts: read, decrypt with AES-GCM, and for
each subscriber another header, encrypt, and send in runs of equal size (UDP_SEGMENT). Ours does the same work and
everything else; how near it comes is what the benchmark ``forward`` tells.

Talks in lines: a JSON object with the key and the receivers comes in, the port goes out, then for each line the CPU
seconds so far.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from struct import Struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.clock import cpu_seconds

__all__ = ["KEY", "SALT", "SSRC", "protect"]

KEY = bytes(range(16))
SALT = int.from_bytes(bytes(range(100, 112)), "big")
SSRC = 0x1234_5678
_HEADER = Struct("!BBHLL")
_SEGMENT = Struct("=H")
_UDP_SEGMENT = 103
_SIZE = 2048


def protect(cipher: AESGCM, ssrc: int, number: int, second: int, timestamp: int, payload: bytes) -> bytes:
    """One packet as SRTP has it (RFC 7714), without a roll-over."""
    header = _HEADER.pack(0x80, second, number & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    nonce = (ssrc << 48 | number & 0xFFFF) ^ SALT
    return header + cipher.encrypt(nonce.to_bytes(12, "big"), payload, header)


class _Subscriber:
    def __init__(self, number: int, address: tuple[str, int]) -> None:
        self.cipher = AESGCM(bytes((number & 0xFF,)) * 16)
        self.ssrc = 0x1000 + number
        self.shift = 7 * number
        self.time_shift = 99 * number
        self.address = address
        self.waiting: list[bytes] = []


class _Floor:
    def __init__(self, addresses: list[tuple[str, int]]) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.sock.setsockopt(socket.SOL_SOCKET, option, 8 << 20)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self._cipher = AESGCM(KEY)
        self._subscribers = [_Subscriber(number, address) for number, address in enumerate(addresses)]
        self._buffer = bytearray(_SIZE)
        self._view = memoryview(self._buffer)

    def read(self) -> None:
        """Everything that is there: forward it, then send."""
        receive, buffer, view, subscribers = self.sock.recv_into, self._buffer, self._view, self._subscribers
        try:
            while True:
                datagram = bytes(view[: receive(buffer)])
                _, second, number, timestamp, ssrc = _HEADER.unpack_from(datagram)
                nonce = ((ssrc << 48 | number) ^ SALT).to_bytes(12, "big")
                payload = self._cipher.decrypt(nonce, datagram[12:], datagram[:12])
                for each in subscribers:
                    each.waiting.append(
                        protect(
                            each.cipher, each.ssrc, number + each.shift, second, timestamp + each.time_shift, payload
                        )
                    )
        except BlockingIOError:
            pass
        for each in subscribers:
            self._send(each)

    def _send(self, subscriber: _Subscriber) -> None:
        waiting, address = subscriber.waiting, subscriber.address
        at = 0
        while at < len(waiting):
            size = len(waiting[at])
            end = at + 1
            while end < len(waiting) and end - at < 40 and len(waiting[end]) == size:
                end += 1
            if end < len(waiting) and len(waiting[end]) < size:
                end += 1
            segment = ((socket.IPPROTO_UDP, _UDP_SEGMENT, _SEGMENT.pack(size)),)
            self.sock.sendmsg(waiting[at:end], segment, 0, address)
            at = end
        waiting.clear()


async def _main() -> None:
    loop = asyncio.get_running_loop()
    given = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    floor = _Floor([("127.0.0.1", port) for port in given["ports"]])
    loop.add_reader(floor.sock.fileno(), floor.read)
    print(floor.sock.getsockname()[1], flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(cpu_seconds(), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
