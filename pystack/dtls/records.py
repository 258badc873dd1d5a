"""The record layer: numbering, protecting and opening records, for both epochs (RFC 6347 section 4.1).

AEAD protection is RFC 5246 section 6.2.3.3 with RFC 5288 (AES-GCM: four bytes of salt, eight of nonce that travel with
the record) or RFC 7905 (ChaCha20-Poly1305: the number is mixed into a twelve-byte salt, nothing travels). The nonce
that travels is the record's own number, so it never repeats.

AES-GCM has two pairs of entry points. :meth:`Writer.protect` and :meth:`Reader.unprotect` take any content type and
are written for reading. ``seal`` and ``open`` do the same for one application-data record in a datagram of its own, and
are written for speed: one AEAD object per direction, whole headers in one ``Struct``, no call that can be spared. A
property test holds them to be equal. Called by the engine; an established engine *is* ``seal`` and ``open`` of here.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from pystack.dtls.keys import TrafficKeys
from pystack.dtls.replay import ReplayWindow
from pystack.dtls.wire.record import APPLICATION_DATA, DTLS_1_2, HEADER, HEADER_SIZE, MAX_PLAINTEXT, Record
from pystack.errors import DecodeError, LocalProtocolError, MessageTooLarge

__all__ = ["PlainWriter", "Reader", "Writer", "make_reader", "make_writer"]

_EPOCH_1: Final = 1 << 48
_EPOCH_2: Final = 2 << 48
_TAG_SIZE: Final = 16
_EXPLICIT_SIZE: Final = 8
_GCM_OVERHEAD: Final = HEADER_SIZE + _EXPLICIT_SIZE + _TAG_SIZE
_CHACHA_OVERHEAD: Final = HEADER_SIZE + _TAG_SIZE
_NUMBER = Struct("!Q")
_ASSOCIATED = Struct("!QBHH")  # the record's number, type, version, plaintext length
_GCM_HEADER = Struct("!BHQHQ")  # a record header and the explicit nonce behind it


class Writer(Protocol):
    """Protects the records that we send in one epoch.

    Attributes:
        overhead: bytes that protection adds to a plaintext, the record header included.
    """

    overhead: int

    def protect(self, kind: int, payload: bytes) -> bytes:
        """A whole record with the next number."""
        ...

    def seal(self, plaintext: bytes) -> bytes:
        """HOT: ``protect`` for application data.

        Raises:
            MessageTooLarge: above 16384 bytes.
        """
        ...


class Reader(Protocol):
    """Opens the records of epoch 1."""

    def unprotect(self, record: Record) -> bytes:
        """The plaintext of a record.

        Raises:
            DecodeError: repeated, too old, forged or damaged; nothing has changed.
        """
        ...

    def open(self, datagram: bytes, now: float) -> bytes | None:
        """HOT: ``unprotect`` for a datagram that is one application-data record.

        ``None``: it is not, or would be dropped; nothing has changed, ``receive`` knows what to do with it.
        """
        ...


class PlainWriter:
    """Epoch 0: numbers, but no protection."""

    __slots__ = ("_next", "overhead")

    def __init__(self) -> None:
        self._next = 0
        self.overhead = HEADER_SIZE

    def protect(self, kind: int, payload: bytes) -> bytes:
        """A whole record with the next number."""
        number = self._next
        self._next = number + 1
        return HEADER.pack(kind, DTLS_1_2, number, len(payload)) + payload


def _exhausted() -> LocalProtocolError:
    return LocalProtocolError("seal", "EXHAUSTED", "2**48 records were sent: the connection must be made anew")


class _GcmWriter:
    __slots__ = ("_encrypt", "_next", "_salt", "overhead")

    def __init__(self, key: bytes, salt: bytes) -> None:
        self._encrypt = AESGCM(key).encrypt
        self._salt = salt
        self._next = _EPOCH_1
        self.overhead = _GCM_OVERHEAD

    def protect(self, kind: int, payload: bytes) -> bytes:
        if len(payload) > MAX_PLAINTEXT:
            raise MessageTooLarge(MAX_PLAINTEXT, len(payload))
        number = self._next
        if number >= _EPOCH_2:
            raise _exhausted()
        self._next = number + 1
        explicit = _NUMBER.pack(number)
        associated = _ASSOCIATED.pack(number, kind, DTLS_1_2, len(payload))
        sealed = explicit + self._encrypt(self._salt + explicit, payload, associated)
        return HEADER.pack(kind, DTLS_1_2, number, len(sealed)) + sealed

    def seal(self, plaintext: bytes) -> bytes:
        number = self._next
        size = len(plaintext)
        if number >= _EPOCH_2:
            raise _exhausted()
        if size > MAX_PLAINTEXT:
            raise MessageTooLarge(MAX_PLAINTEXT, size)
        self._next = number + 1
        return _GCM_HEADER.pack(23, 0xFEFD, number, size + 24, number) + self._encrypt(
            self._salt + _NUMBER.pack(number), plaintext, _ASSOCIATED.pack(number, 23, 0xFEFD, size)
        )


class _ChaChaWriter:
    __slots__ = ("_encrypt", "_next", "_salt", "overhead")

    def __init__(self, key: bytes, salt: bytes) -> None:
        self._encrypt = ChaCha20Poly1305(key).encrypt
        self._salt = int.from_bytes(salt)
        self._next = _EPOCH_1
        self.overhead = _CHACHA_OVERHEAD

    def protect(self, kind: int, payload: bytes) -> bytes:
        if len(payload) > MAX_PLAINTEXT:
            raise MessageTooLarge(MAX_PLAINTEXT, len(payload))
        number = self._next
        if number >= _EPOCH_2:
            raise _exhausted()
        self._next = number + 1
        nonce = (self._salt ^ number).to_bytes(12)
        sealed = self._encrypt(nonce, payload, _ASSOCIATED.pack(number, kind, DTLS_1_2, len(payload)))
        return HEADER.pack(kind, DTLS_1_2, number, len(sealed)) + sealed

    def seal(self, plaintext: bytes) -> bytes:
        return self.protect(APPLICATION_DATA, plaintext)


def _check(record: Record, window: ReplayWindow, overhead: int) -> int:
    """The length of the plaintext of a record that is worth decrypting."""
    if record.version != DTLS_1_2:
        raise DecodeError("unknown record version")
    if not window.fresh(record.number):
        raise DecodeError("repeated record")
    size = len(record.payload) - overhead
    if size < 0:
        raise DecodeError("record cut short")
    return size


class _GcmReader:
    __slots__ = ("_decrypt", "_salt", "_window")

    def __init__(self, key: bytes, salt: bytes, replay_window: int) -> None:
        self._decrypt = AESGCM(key).decrypt
        self._salt = salt
        self._window = ReplayWindow(replay_window)

    def unprotect(self, record: Record) -> bytes:
        size = _check(record, self._window, _EXPLICIT_SIZE + _TAG_SIZE)
        associated = _ASSOCIATED.pack(record.number, record.kind, DTLS_1_2, size)
        nonce = self._salt + record.payload[:_EXPLICIT_SIZE]
        try:
            plaintext = self._decrypt(nonce, record.payload[_EXPLICIT_SIZE:], associated)
        except InvalidTag:
            raise DecodeError("record not authentic") from None
        self._window.mark(record.number)
        return plaintext

    def open(self, datagram: bytes, now: float) -> bytes | None:
        length = len(datagram) - 13
        if length < 24:
            return None
        kind, version, number, stated = HEADER.unpack_from(datagram)
        if kind != 23 or version != 0xFEFD or stated != length or number >> 48 != 1:
            return None
        window = self._window
        in_order = number == window.top + 1
        if not in_order and not window.fresh(number):
            return None
        try:
            plaintext = self._decrypt(
                self._salt + datagram[13:21], datagram[21:], _ASSOCIATED.pack(number, 23, 0xFEFD, length - 24)
            )
        except InvalidTag:
            return None
        if in_order:
            window.top = number
            window.mask = (window.mask << 1 | 1) & window.full
        else:
            window.mark(number)
        return plaintext


class _ChaChaReader:
    __slots__ = ("_decrypt", "_salt", "_window")

    def __init__(self, key: bytes, salt: bytes, replay_window: int) -> None:
        self._decrypt = ChaCha20Poly1305(key).decrypt
        self._salt = int.from_bytes(salt)
        self._window = ReplayWindow(replay_window)

    def unprotect(self, record: Record) -> bytes:
        size = _check(record, self._window, _TAG_SIZE)
        associated = _ASSOCIATED.pack(record.number, record.kind, DTLS_1_2, size)
        nonce = (self._salt ^ record.number).to_bytes(12)
        try:
            plaintext = self._decrypt(nonce, record.payload, associated)
        except InvalidTag:
            raise DecodeError("record not authentic") from None
        self._window.mark(record.number)
        return plaintext

    def open(self, datagram: bytes, now: float) -> bytes | None:
        if len(datagram) < _CHACHA_OVERHEAD:
            return None
        kind, version, number, stated = HEADER.unpack_from(datagram)
        if kind != APPLICATION_DATA or stated != len(datagram) - HEADER_SIZE or number >> 48 != 1:
            return None
        try:
            return self.unprotect(Record(kind, version, number, datagram[HEADER_SIZE:]))
        except DecodeError:
            return None


def make_writer(keys: TrafficKeys, *, client: bool) -> Writer:
    """The writer of the side that is the client, or of the other."""
    key, salt = (keys.client_key, keys.client_salt) if client else (keys.server_key, keys.server_salt)
    return _GcmWriter(key, salt) if keys.suite.aead == "gcm" else _ChaChaWriter(key, salt)


def make_reader(keys: TrafficKeys, *, client: bool, replay_window: int) -> Reader:
    """The reader of the side that is the client, or of the other: it has the other side's keys."""
    key, salt = (keys.server_key, keys.server_salt) if client else (keys.client_key, keys.client_salt)
    if keys.suite.aead == "gcm":
        return _GcmReader(key, salt, replay_window)
    return _ChaChaReader(key, salt, replay_window)
