"""The openssl command as the other end, over UDP on the loopback: suites, groups, RSA, cookies, small MTUs."""

import os
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pystack.base import SecretRandomness
from pystack.dtls import Certificate, Connected, DtlsEngine, DtlsEvent, DtlsOptions, EngineState, fingerprint

pytestmark = pytest.mark.component("openssl")

DEFAULT = DtlsOptions()
LABEL = "EXTRACTOR-dtls_srtp"


@pytest.fixture(scope="module")
def openssl() -> str:
    path = shutil.which("openssl")
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the openssl command is not installed")
    assert path is not None
    return path


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """PEM files with key and certificate, and the certificates' fingerprints."""
    found = {}
    folder = tmp_path_factory.mktemp("identities")
    keys: dict[str, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey] = {
        "ecdsa": ec.generate_private_key(ec.SECP256R1()),
        "rsa": rsa.generate_private_key(65537, 2048),
        "large": rsa.generate_private_key(65537, 4096),
    }
    for name, key in keys.items():
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(datetime.now(UTC) - timedelta(days=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        path = folder / f"{name}.pem"
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        found[name] = (path, fingerprint(certificate.public_bytes(Encoding.DER)))
    return found


class End:
    """Our engine on a UDP socket, driven by hand."""

    def __init__(self, role: str, trusted: str, options: DtlsOptions = DEFAULT) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.peer: tuple[str, int] | None = None
        certificate = Certificate.generate(time.time())
        self.engine = DtlsEngine(role, certificate, options, SecretRandomness())  # type: ignore[arg-type]
        self.engine.trust([("sha-256", trusted)], time.monotonic())
        self.engine.start(time.monotonic())
        self.events: list[DtlsEvent] = []
        self.data = b""
        self.lose: set[int] = set()
        self._sent = 0

    def send(self, datagram: bytes) -> None:
        self._sent += 1
        if self._sent in self.lose:
            return
        if self.peer is not None:
            with suppress(ConnectionRefusedError):  # it is not up yet: the next flight will find it
                self.socket.sendto(datagram, self.peer)

    def run(self, until: Callable[[], object], seconds: float = 15.0) -> None:
        end = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            self.engine.tick(now)
            for datagram in self.engine.flush(now):
                self.send(datagram)
            self.events += self.engine.take_events()
            self.data += b"".join(self.engine.take_data())
            if until():
                return
            assert now < end, f"{self.engine.state}, {self.engine.drops}, {self.events}"
            wait = min(self.engine.deadline, end, now + 0.02) - now  # the command's output wakes nobody
            if select.select([self.socket], [], [], max(0.0, wait))[0]:
                try:
                    datagram, self.peer = self.socket.recvfrom(4096)
                except ConnectionRefusedError:
                    continue
                self.engine.receive(datagram, time.monotonic())

    @property
    def connected(self) -> Connected | None:
        return next((event for event in self.events if isinstance(event, Connected)), None)


class Command:
    """The openssl command, with its output collected."""

    def __init__(self, arguments: list[str]) -> None:
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.output = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while chunk := os.read(self.process.stdout.fileno(), 4096):
            self.output += chunk

    def write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@contextmanager
def running(arguments: list[str], end: End) -> Iterator[Command]:
    command = Command(arguments)
    try:
        yield command
    except BaseException:
        print(command.output.decode(errors="replace"))
        raise
    finally:
        command.close()
        end.socket.close()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def exchange(end: End, command: Command, profile: int, size: int) -> None:
    """Keys are equal, and data goes both ways."""
    assert end.connected is not None
    assert end.connected.srtp_profile == profile
    exported = b"".join(end.engine.srtp_keying_material())
    assert len(exported) == size
    end.send(end.engine.seal(b"a line from us\n"))
    command.write(b"a line from them\n")
    end.run(lambda: b"a line from them\n" in end.data and b"a line from us" in command.output)
    end.run(lambda: exported.hex().upper().encode() in command.output)
    end.engine.close(time.monotonic())
    end.run(lambda: end.engine.state is EngineState.ENDED)


@pytest.mark.parametrize(
    ("identity", "extra", "cipher"),
    [
        ("ecdsa", ["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        ("ecdsa", ["-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"], "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        ("ecdsa", ["-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
        ("ecdsa", ["-groups", "P-256"], "TLS_ECDHE_ECDSA_WITH_AES_"),
        ("ecdsa", ["-groups", "P-384:P-256", "-serverpref"], "TLS_ECDHE_ECDSA_WITH_AES_"),
        ("rsa", ["-sigalgs", "RSA+SHA256:ECDSA+SHA256"], "TLS_ECDHE_RSA_WITH_"),
        ("rsa", ["-sigalgs", "rsa_pss_rsae_sha384:ECDSA+SHA256"], "TLS_ECDHE_RSA_WITH_"),
        ("large", ["-mtu", "300"], "TLS_ECDHE_RSA_WITH_"),
        ("ecdsa", ["-listen"], "TLS_ECDHE_ECDSA_WITH_AES_"),  # with a HelloVerifyRequest
    ],
)
def test_our_client_meets_their_server(
    openssl: str, identities: dict[str, tuple[Path, str]], identity: str, extra: list[str], cipher: str
) -> None:
    path, trusted = identities[identity]
    end = End("client", trusted)
    port = free_port()
    end.peer = ("127.0.0.1", port)
    arguments = [openssl, "s_server", "-dtls1_2", "-accept", f"127.0.0.1:{port}", "-cert", str(path), "-Verify", "1"]
    arguments += ["-use_srtp", "SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80", "-naccept", "1"]
    arguments += ["-keymatexport", LABEL, "-keymatexportlen", "88", *extra]
    with running(arguments, end) as command:
        end.run(lambda: end.connected)
        assert end.connected is not None
        assert end.connected.cipher.startswith(cipher)
        exchange(end, command, 8, 88)


@pytest.mark.parametrize(
    ("identity", "extra", "options"),
    [
        ("ecdsa", ["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], DtlsOptions()),
        ("ecdsa", ["-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"], DtlsOptions()),
        ("ecdsa", ["-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], DtlsOptions()),
        ("ecdsa", ["-groups", "P-521:P-384:P-256"], DtlsOptions()),
        ("rsa", [], DtlsOptions(mtu=300)),
        ("large", ["-mtu", "300"], DtlsOptions(mtu=200)),
        ("ecdsa", [], DtlsOptions(cookie_exchange=True)),
    ],
)
def test_our_server_meets_their_client(
    openssl: str, identities: dict[str, tuple[Path, str]], identity: str, extra: list[str], options: DtlsOptions
) -> None:
    path, trusted = identities[identity]
    end = End("server", trusted, options)
    port = end.socket.getsockname()[1]
    arguments = [openssl, "s_client", "-dtls1_2", "-connect", f"127.0.0.1:{port}", "-cert", str(path)]
    arguments += ["-use_srtp", "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM"]
    arguments += ["-keymatexport", LABEL, "-keymatexportlen", "56", *extra]
    with running(arguments, end) as command:
        end.run(lambda: end.connected)
        exchange(end, command, 7, 56)


@pytest.mark.parametrize("lost", [1, 2])
def test_their_client_gets_what_was_lost(openssl: str, identities: dict[str, tuple[Path, str]], lost: int) -> None:
    """Our first flight by our timer, our last by their repetition."""
    path, trusted = identities["ecdsa"]
    end = End("server", trusted)
    end.lose = {lost}
    port = end.socket.getsockname()[1]
    arguments = [openssl, "s_client", "-dtls1_2", "-connect", f"127.0.0.1:{port}", "-cert", str(path)]
    with running(arguments, end) as command:
        end.run(lambda: end.connected)
        end.run(lambda: b"Verify return code" in command.output)
        assert end.engine.repetitions >= 1
        command.write(b"a line from them\n")
        end.run(lambda: b"a line from them\n" in end.data)


@pytest.mark.parametrize("lost", [1, 2])
def test_their_server_gets_what_was_lost(openssl: str, identities: dict[str, tuple[Path, str]], lost: int) -> None:
    path, trusted = identities["ecdsa"]
    end = End("client", trusted)
    port = free_port()
    end.peer = ("127.0.0.1", port)
    arguments = [openssl, "s_server", "-dtls1_2", "-accept", f"127.0.0.1:{port}", "-cert", str(path), "-Verify", "1"]
    with running(arguments, end) as command:
        while b"ACCEPT" not in command.output:
            time.sleep(0.01)
        end.lose = {lost}
        end.run(lambda: end.connected)
        assert end.engine.repetitions >= 1
        command.write(b"a line from them\n")
        end.run(lambda: b"a line from them\n" in end.data)


def test_their_client_without_a_certificate_is_refused(openssl: str, identities: dict[str, tuple[Path, str]]) -> None:
    end = End("server", identities["ecdsa"][1])
    port = end.socket.getsockname()[1]
    with running([openssl, "s_client", "-dtls1_2", "-connect", f"127.0.0.1:{port}"], end) as command:
        end.run(lambda: end.engine.state is EngineState.ENDED)
        assert "has no certificate" in str(end.events[-1])
        end.run(lambda: b"handshake failure" in command.output)
