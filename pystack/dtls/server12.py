"""The server's side of the DTLS 1.2 handshake: what it chooses, asks for and checks.

RFC 5246 section 7.4, RFC 6347 section 4.2, RFC 8422 section 5, RFC 5764 section 4.1, RFC 7627 section 5, RFC 5746
section 3.6. Today's browsers offer DTLS 1.3 first, with groups, suites, versions and extensions that 1.2 does not
know: all of that is skipped. The downgrade mark of RFC 8446 section 4.1.3 is not written, because it would be untrue:
this side speaks nothing higher. A client certificate is always demanded. A pure state machine over whole messages
(:mod:`pystack.dtls.states`); called by the engine.
"""

from __future__ import annotations

from hmac import compare_digest

from pystack.base import Machine, Randomness
from pystack.dtls.certificate import Certificate, public_key
from pystack.dtls.export import Agreement12
from pystack.dtls.flights import ChangeCipherSpec
from pystack.dtls.handshake import Numbering, Refusal, Step, find_extension
from pystack.dtls.keys import extended_master_secret, key_log_line, master_secret, traffic_keys, verify_data
from pystack.dtls.options import DtlsOptions
from pystack.dtls.provider import GROUPS, SECP256R1, CryptoProvider, KeyShare
from pystack.dtls.signatures import ECDSA_SIGN, OFFERED_SCHEMES, OWN_SCHEMES, RSA_SIGN, PublicKey, verify
from pystack.dtls.states import SERVER_TABLE, ServerState
from pystack.dtls.suites import SERVER_SUITES, SUITES, CipherSuite
from pystack.dtls.wire.alert import AlertDescription
from pystack.dtls.wire.extensions import (
    EC_POINT_FORMATS,
    EXTENDED_MASTER_SECRET,
    RENEGOTIATION_INFO,
    SIGNATURE_ALGORITHMS,
    SUPPORTED_GROUPS,
    SUPPORTED_VERSIONS,
    USE_SRTP,
    Extensions,
    parse_numbers8,
    parse_numbers16,
    parse_point_formats,
    parse_renegotiation_info,
    parse_use_srtp,
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
from pystack.dtls.wire.record import DTLS_1_0, DTLS_1_2
from pystack.errors import DecodeError

__all__ = ["ServerHandshake12"]

_RENEGOTIATION_SCSV = 0x00FF
_COOKIE_SIZE = 20


class ServerHandshake12:
    """One server handshake. See :class:`pystack.dtls.handshake.Handshake` for its members."""

    def __init__(
        self, certificate: Certificate, options: DtlsOptions, randomness: Randomness, provider: CryptoProvider
    ) -> None:
        self._certificate = certificate
        self._options = options
        self._provider = provider
        self._machine = Machine(SERVER_TABLE, ServerState.HELLO)
        self._numbering = Numbering()
        self._transcript = self._numbering.transcript
        self._server_random = randomness.token(32)
        self._cookie = randomness.token(_COOKIE_SIZE) if options.cookie_exchange else b""
        # What the client's messages tell, in the order in which they come:
        self._client_random = b""
        self._suite: CipherSuite = SUITES[SERVER_SUITES[0]]
        self._extended = False
        self._secure_renegotiation = False
        self._srtp_profile: int | None = None
        self._share: KeyShare | None = None
        self._peer_der = b""
        self._peer_key: PublicKey | None = None
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
        """Nothing: the client speaks first."""
        return Step()

    def allows(self, kind: int) -> bool:
        """Tell whether a message of this type is legal now."""
        return kind in SERVER_TABLE.get(self._machine.state, {})

    def handle(self, kind: int, sequence: int, body: bytes) -> Step:
        """Take a message that is legal now."""
        message = HandshakeType(kind)
        match message:
            case HandshakeType.CLIENT_HELLO:
                hello = ClientHello.parse(body)
                if self._options.cookie_exchange and not compare_digest(hello.cookie, self._cookie):
                    return self._demand_cookie()
                step = self._handle_client_hello(hello, sequence, body)
            case HandshakeType.CERTIFICATE:
                step = self._handle_certificate(sequence, body)
            case HandshakeType.CLIENT_KEY_EXCHANGE:
                step = self._handle_client_key_exchange(sequence, body)
            case HandshakeType.CERTIFICATE_VERIFY:
                step = self._handle_certificate_verify(sequence, body)
            case _:
                step = self._handle_finished(sequence, body)
        self._machine.move(message)
        return step

    def _demand_cookie(self) -> Step:
        # RFC 6347 section 4.2.1: version 1.0 here whatever is spoken, and neither message counts in the transcript.
        request = HelloVerifyRequest(DTLS_1_0, self._cookie)
        message = self._numbering.message(HandshakeType.HELLO_VERIFY_REQUEST, request.serialize(), counts=False)
        return Step(flight=[message], timed=False)

    def _handle_client_hello(self, hello: ClientHello, sequence: int, body: bytes) -> Step:
        # DTLS version numbers fall as versions rise.
        if hello.version >> 8 != 0xFE or hello.version > DTLS_1_2:
            raise Refusal(AlertDescription.PROTOCOL_VERSION, "the client does not speak DTLS 1.2")
        versions = find_extension(hello.extensions, SUPPORTED_VERSIONS)
        if versions is not None and DTLS_1_2 not in parse_numbers8(versions):
            raise Refusal(AlertDescription.PROTOCOL_VERSION, "the client does not speak DTLS 1.2")
        if 0 not in hello.compressions:
            raise Refusal(AlertDescription.ILLEGAL_PARAMETER, "the client insists on compression")
        suite = next((number for number in SERVER_SUITES if number in hello.suites), None)
        if suite is None:
            raise Refusal(AlertDescription.HANDSHAKE_FAILURE, "no cipher suite in common")
        self._read_extensions(hello.extensions, scsv=_RENEGOTIATION_SCSV in hello.suites)
        group = self._choose_group(hello.extensions)
        scheme = self._choose_scheme(hello.extensions)
        self._suite = SUITES[suite]
        self._client_random = hello.random
        self._transcript.add(HandshakeType.CLIENT_HELLO, sequence, body)
        share = self._share = self._provider.key_share(group)
        unsigned = ServerKeyExchange(group, share.public, scheme, b"")
        signed = self._client_random + self._server_random + unsigned.parameters
        signature = self._provider.sign(self._certificate.private_key, scheme, signed)
        exchange = ServerKeyExchange(group, share.public, scheme, signature)
        answer = ServerHello(DTLS_1_2, self._server_random, b"", suite, 0, self._answer_extensions(hello.extensions))
        request = CertificateRequest(bytes((ECDSA_SIGN, RSA_SIGN)), OFFERED_SCHEMES)
        message = self._numbering.message
        return Step(
            flight=[
                message(HandshakeType.SERVER_HELLO, answer.serialize()),
                message(HandshakeType.CERTIFICATE, CertificateChain((self._certificate.der,)).serialize()),
                message(HandshakeType.SERVER_KEY_EXCHANGE, exchange.serialize()),
                message(HandshakeType.CERTIFICATE_REQUEST, request.serialize()),
                message(HandshakeType.SERVER_HELLO_DONE, b""),
            ]
        )

    def _read_extensions(self, extensions: Extensions, *, scsv: bool) -> None:
        info = find_extension(extensions, RENEGOTIATION_INFO)
        if info is not None and parse_renegotiation_info(info):
            raise Refusal(AlertDescription.HANDSHAKE_FAILURE, "the client thinks that this is a renegotiation")
        self._secure_renegotiation = scsv or info is not None
        self._extended = find_extension(extensions, EXTENDED_MASTER_SECRET) is not None
        if self._options.require_extended_master_secret and not self._extended:
            raise Refusal(AlertDescription.HANDSHAKE_FAILURE, "the client has no extended master secret")
        formats = find_extension(extensions, EC_POINT_FORMATS)
        if formats is not None and 0 not in parse_point_formats(formats):
            raise Refusal(AlertDescription.ILLEGAL_PARAMETER, "the client takes no uncompressed points")
        self._srtp_profile = None
        srtp = find_extension(extensions, USE_SRTP)
        if srtp is not None:
            offered, _ = parse_use_srtp(srtp)
            self._srtp_profile = next((own for own in self._options.srtp_profiles if own in offered), None)

    def _choose_group(self, extensions: Extensions) -> int:
        offered = find_extension(extensions, SUPPORTED_GROUPS)
        if offered is None:  # RFC 8422 section 4: then the choice is free
            return SECP256R1
        groups = parse_numbers16(offered)
        for group in GROUPS:
            if group in groups:
                return group
        raise Refusal(AlertDescription.HANDSHAKE_FAILURE, "no group in common")

    def _choose_scheme(self, extensions: Extensions) -> int:
        # Without the extension the client means SHA-1 (RFC 5246 section 7.4.1.4.1), which we do not sign.
        offered = find_extension(extensions, SIGNATURE_ALGORITHMS)
        schemes = () if offered is None else parse_numbers16(offered)
        for scheme in OWN_SCHEMES:
            if scheme in schemes:
                return scheme
        raise Refusal(AlertDescription.HANDSHAKE_FAILURE, "no signature scheme in common")

    def _answer_extensions(self, offered: Extensions) -> Extensions:
        answer: list[tuple[int, bytes]] = []
        if self._extended:
            answer.append((EXTENDED_MASTER_SECRET, b""))
        if self._secure_renegotiation:
            answer.append((RENEGOTIATION_INFO, b"\x00"))
        if find_extension(offered, EC_POINT_FORMATS) is not None:
            answer.append((EC_POINT_FORMATS, b"\x01\x00"))
        if self._srtp_profile is not None:
            answer.append((USE_SRTP, serialize_use_srtp((self._srtp_profile,))))
        return tuple(answer)

    def _handle_certificate(self, sequence: int, body: bytes) -> Step:
        chain = CertificateChain.parse(body)
        if not chain.certificates:
            raise Refusal(AlertDescription.HANDSHAKE_FAILURE, "the client has no certificate")
        try:
            self._peer_key = public_key(chain.certificates[0])
        except DecodeError as error:
            raise Refusal(AlertDescription.BAD_CERTIFICATE, error.message) from None
        self._peer_der = chain.certificates[0]
        self._transcript.add(HandshakeType.CERTIFICATE, sequence, body)
        return Step()

    def _handle_client_key_exchange(self, sequence: int, body: bytes) -> Step:
        exchange = ClientKeyExchange.parse(body)
        assert self._share is not None
        try:
            premaster = self._share.exchange(exchange.public)
        except ValueError:
            raise Refusal(AlertDescription.ILLEGAL_PARAMETER, "the client's key is no point of its group") from None
        self._share = None
        self._transcript.add(HandshakeType.CLIENT_KEY_EXCHANGE, sequence, body)
        algorithm = self._suite.hash
        if self._extended:
            self._master = extended_master_secret(algorithm, premaster, self._transcript.hash(algorithm))
        else:
            self._master = master_secret(algorithm, premaster, self._client_random, self._server_random)
        return Step(keys=traffic_keys(self._suite, self._master, self._client_random, self._server_random))

    def _handle_certificate_verify(self, sequence: int, body: bytes) -> Step:
        proof = CertificateVerify.parse(body)
        assert self._peer_key is not None
        if not verify(self._peer_key, proof.scheme, proof.signature, self._transcript.messages, OFFERED_SCHEMES):
            raise Refusal(AlertDescription.DECRYPT_ERROR, "the client does not hold the key of its certificate")
        self._transcript.add(HandshakeType.CERTIFICATE_VERIFY, sequence, body)
        return Step(certificate=self._peer_der)

    def _handle_finished(self, sequence: int, body: bytes) -> Step:
        finished = Finished.parse(body)
        algorithm = self._suite.hash
        expected = verify_data(algorithm, self._master, b"client finished", self._transcript.hash(algorithm))
        if not compare_digest(finished.verify_data, expected):
            raise Refusal(AlertDescription.DECRYPT_ERROR, "the client saw another handshake")
        self._transcript.add(HandshakeType.FINISHED, sequence, body)
        own = verify_data(algorithm, self._master, b"server finished", self._transcript.hash(algorithm))
        return Step(
            flight=[
                ChangeCipherSpec(),
                self._numbering.message(HandshakeType.FINISHED, Finished(own).serialize(), epoch=1),
            ],
            timed=False,
            agreement=Agreement12(
                self._suite, self._srtp_profile, self._master, self._client_random, self._server_random
            ),
        )
