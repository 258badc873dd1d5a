"""The client's side of the DTLS 1.2 handshake: what it offers, checks and answers.

RFC 5246 section 7.4, RFC 6347 section 4.2, RFC 8422 section 5, RFC 5764 section 4.1, RFC 7627 section 5, RFC 5746
section 3.4. A pure state machine over whole messages (:mod:`pystack.dtls.states`); called by the engine.
"""

from __future__ import annotations

from hmac import compare_digest

from pystack.base import Machine, Randomness
from pystack.dtls.certificate import Certificate, public_key
from pystack.dtls.export import Agreement12
from pystack.dtls.flights import ChangeCipherSpec, Outgoing
from pystack.dtls.handshake import Numbering, Refusal, Step, find_extension
from pystack.dtls.keys import extended_master_secret, key_log_line, master_secret, traffic_keys, verify_data
from pystack.dtls.options import DtlsOptions
from pystack.dtls.provider import GROUPS, CryptoProvider
from pystack.dtls.signatures import ECDSA_SIGN, OFFERED_SCHEMES, OWN_SCHEMES, PublicKey, verify
from pystack.dtls.states import CLIENT_TABLE, ClientState
from pystack.dtls.suites import CLIENT_SUITES, SUITES, CipherSuite
from pystack.dtls.wire.alert import AlertDescription
from pystack.dtls.wire.extensions import (
    EC_POINT_FORMATS,
    EXTENDED_MASTER_SECRET,
    RENEGOTIATION_INFO,
    SIGNATURE_ALGORITHMS,
    SUPPORTED_GROUPS,
    USE_SRTP,
    Extensions,
    parse_renegotiation_info,
    parse_use_srtp,
    serialize_numbers16,
    serialize_use_srtp,
)
from pystack.dtls.wire.handshake import (
    CertificateChain,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    ClientKeyExchange,
    Finished,
    HandshakeType,
    HelloVerifyRequest,
    ServerHello,
    ServerKeyExchange,
)
from pystack.dtls.wire.record import DTLS_1_2
from pystack.errors import DecodeError

__all__ = ["ClientHandshake12"]


class ClientHandshake12:
    """One client handshake. See :class:`pystack.dtls.handshake.Handshake` for its members."""

    def __init__(
        self, certificate: Certificate, options: DtlsOptions, randomness: Randomness, provider: CryptoProvider
    ) -> None:
        self._certificate = certificate
        self._options = options
        self._provider = provider
        self._machine = Machine(CLIENT_TABLE, ClientState.START)
        self._numbering = Numbering()
        self._transcript = self._numbering.transcript
        self._client_random = randomness.token(32)
        # What the server's messages tell, in the order in which they come:
        self._server_random = b""
        self._suite: CipherSuite = SUITES[CLIENT_SUITES[0]]
        self._extended = False
        self._srtp_profile: int | None = None
        self._peer_der = b""
        self._peer_key: PublicKey | None = None
        self._group = 0
        self._peer_public = b""
        self._scheme: int | None = None
        self._master = b""

    @property
    def waiting_for(self) -> str:
        """What it waits for."""
        return self._machine.state.name

    @property
    def key_log(self) -> str | None:
        """Once there are keys: the line that gives them away to a debugger."""
        return key_log_line(self._client_random, self._master) if self._master else None

    def start(self) -> Step:
        """Send the ClientHello."""
        self._machine.move(HandshakeType.CLIENT_HELLO)
        return Step(flight=[self._hello(b"")])

    def allows(self, kind: int) -> bool:
        """Tell whether a message of this type is legal now."""
        return kind in CLIENT_TABLE.get(self._machine.state, {})

    def handle(self, kind: int, sequence: int, body: bytes) -> Step:
        """Take a message that is legal now."""
        message = HandshakeType(kind)
        match message:
            case HandshakeType.HELLO_VERIFY_REQUEST:
                step = self._handle_hello_verify_request(body)
            case HandshakeType.SERVER_HELLO:
                step = self._handle_server_hello(sequence, body)
            case HandshakeType.CERTIFICATE:
                step = self._handle_certificate(sequence, body)
            case HandshakeType.SERVER_KEY_EXCHANGE:
                step = self._handle_server_key_exchange(sequence, body)
            case HandshakeType.CERTIFICATE_REQUEST:
                step = self._handle_certificate_request(sequence, body)
            case HandshakeType.SERVER_HELLO_DONE:
                step = self._handle_server_hello_done(sequence, body)
            case _:
                step = self._handle_finished(sequence, body)
        self._machine.move(message)
        return step

    def _hello(self, cookie: bytes) -> Outgoing:
        extensions: list[tuple[int, bytes]] = [
            (EXTENDED_MASTER_SECRET, b""),
            (RENEGOTIATION_INFO, b"\x00"),
            (SUPPORTED_GROUPS, serialize_numbers16(GROUPS)),
            (EC_POINT_FORMATS, b"\x01\x00"),
            (SIGNATURE_ALGORITHMS, serialize_numbers16(OFFERED_SCHEMES)),
        ]
        if self._options.srtp_profiles:
            extensions.append((USE_SRTP, serialize_use_srtp(self._options.srtp_profiles)))
        hello = ClientHello(DTLS_1_2, self._client_random, b"", cookie, CLIENT_SUITES, b"\x00", tuple(extensions))
        return self._numbering.message(HandshakeType.CLIENT_HELLO, hello.serialize())

    def _handle_hello_verify_request(self, body: bytes) -> Step:
        request = HelloVerifyRequest.parse(body)
        self._transcript.clear()
        return Step(flight=[self._hello(request.cookie)])

    def _handle_server_hello(self, sequence: int, body: bytes) -> Step:
        hello = ServerHello.parse(body)
        if hello.version != DTLS_1_2:
            raise Refusal(AlertDescription.PROTOCOL_VERSION, "the server does not speak DTLS 1.2")
        if hello.suite not in CLIENT_SUITES or hello.compression != 0:
            raise Refusal(AlertDescription.ILLEGAL_PARAMETER, "the server chose what was not offered")
        self._read_extensions(hello.extensions)
        self._suite = SUITES[hello.suite]
        self._server_random = hello.random
        self._transcript.add(HandshakeType.SERVER_HELLO, sequence, body)
        return Step()

    def _read_extensions(self, extensions: Extensions) -> None:
        offered = {EXTENDED_MASTER_SECRET, RENEGOTIATION_INFO, EC_POINT_FORMATS, SUPPORTED_GROUPS}
        if self._options.srtp_profiles:
            offered.add(USE_SRTP)
        if any(kind not in offered for kind, _ in extensions):
            raise Refusal(AlertDescription.UNSUPPORTED_EXTENSION, "the server sent an extension that was not offered")
        info = find_extension(extensions, RENEGOTIATION_INFO)
        if info is not None and parse_renegotiation_info(info):
            raise Refusal(AlertDescription.HANDSHAKE_FAILURE, "the server thinks that this is a renegotiation")
        self._extended = find_extension(extensions, EXTENDED_MASTER_SECRET) is not None
        if self._options.require_extended_master_secret and not self._extended:
            raise Refusal(AlertDescription.HANDSHAKE_FAILURE, "the server has no extended master secret")
        self._srtp_profile = None
        srtp = find_extension(extensions, USE_SRTP)
        if srtp is not None:
            profiles, mki = parse_use_srtp(srtp)
            if len(profiles) != 1 or profiles[0] not in self._options.srtp_profiles or mki:
                raise Refusal(AlertDescription.ILLEGAL_PARAMETER, "the server chose an SRTP profile not offered")
            self._srtp_profile = profiles[0]

    def _handle_certificate(self, sequence: int, body: bytes) -> Step:
        chain = CertificateChain.parse(body)
        if not chain.certificates:
            raise Refusal(AlertDescription.HANDSHAKE_FAILURE, "the server has no certificate")
        try:
            self._peer_key = public_key(chain.certificates[0])
        except DecodeError as error:
            raise Refusal(AlertDescription.BAD_CERTIFICATE, error.message) from None
        self._peer_der = chain.certificates[0]
        self._transcript.add(HandshakeType.CERTIFICATE, sequence, body)
        return Step()

    def _handle_server_key_exchange(self, sequence: int, body: bytes) -> Step:
        exchange = ServerKeyExchange.parse(body)
        if exchange.group not in GROUPS:
            raise Refusal(AlertDescription.ILLEGAL_PARAMETER, "the server chose a group that was not offered")
        assert self._peer_key is not None
        signed = self._client_random + self._server_random + exchange.parameters
        if self._suite.authentication == "ecdsa":
            allowed = [scheme for scheme in OFFERED_SCHEMES if scheme in OWN_SCHEMES]
        else:
            allowed = [scheme for scheme in OFFERED_SCHEMES if scheme not in OWN_SCHEMES]
        if not verify(self._peer_key, exchange.scheme, exchange.signature, signed, allowed):
            raise Refusal(AlertDescription.DECRYPT_ERROR, "the server's key exchange is not signed by its certificate")
        self._group = exchange.group
        self._peer_public = exchange.public
        self._transcript.add(HandshakeType.SERVER_KEY_EXCHANGE, sequence, body)
        return Step(certificate=self._peer_der)

    def _handle_certificate_request(self, sequence: int, body: bytes) -> Step:
        request = CertificateRequest.parse(body)
        scheme = next((scheme for scheme in OWN_SCHEMES if scheme in request.schemes), None)
        if scheme is None or ECDSA_SIGN not in request.types:
            raise Refusal(AlertDescription.HANDSHAKE_FAILURE, "the server takes no ECDSA certificate")
        self._scheme = scheme
        self._transcript.add(HandshakeType.CERTIFICATE_REQUEST, sequence, body)
        return Step()

    def _handle_server_hello_done(self, sequence: int, body: bytes) -> Step:
        if body:
            raise DecodeError("malformed ServerHelloDone")
        self._transcript.add(HandshakeType.SERVER_HELLO_DONE, sequence, body)
        share = self._provider.key_share(self._group)
        try:
            premaster = share.exchange(self._peer_public)
        except ValueError:
            raise Refusal(AlertDescription.ILLEGAL_PARAMETER, "the server's key is no point of its group") from None
        flight: list[Outgoing | ChangeCipherSpec] = []
        message = self._numbering.message
        if self._scheme is not None:
            chain = CertificateChain((self._certificate.der,))
            flight.append(message(HandshakeType.CERTIFICATE, chain.serialize()))
        exchange = ClientKeyExchange(share.public)
        flight.append(message(HandshakeType.CLIENT_KEY_EXCHANGE, exchange.serialize()))
        algorithm = self._suite.hash
        if self._extended:
            self._master = extended_master_secret(algorithm, premaster, self._transcript.hash(algorithm))
        else:
            self._master = master_secret(algorithm, premaster, self._client_random, self._server_random)
        if self._scheme is not None:
            signature = self._provider.sign(self._certificate.private_key, self._scheme, self._transcript.messages)
            proof = CertificateVerify(self._scheme, signature)
            flight.append(message(HandshakeType.CERTIFICATE_VERIFY, proof.serialize()))
        flight.append(ChangeCipherSpec())
        finished = verify_data(algorithm, self._master, b"client finished", self._transcript.hash(algorithm))
        flight.append(message(HandshakeType.FINISHED, Finished(finished).serialize(), epoch=1))
        return Step(
            keys=traffic_keys(self._suite, self._master, self._client_random, self._server_random), flight=flight
        )

    def _handle_finished(self, sequence: int, body: bytes) -> Step:
        finished = Finished.parse(body)
        algorithm = self._suite.hash
        expected = verify_data(algorithm, self._master, b"server finished", self._transcript.hash(algorithm))
        if not compare_digest(finished.verify_data, expected):
            raise Refusal(AlertDescription.DECRYPT_ERROR, "the server saw another handshake")
        return Step(
            agreement=Agreement12(
                self._suite, self._srtp_profile, self._master, self._client_random, self._server_random
            )
        )
