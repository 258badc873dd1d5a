"""The two handshakes, message by message: what they choose, and what they refuse."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from pystack.base import SeededRandomness
from pystack.dtls import Certificate, DtlsOptions, SeededProvider
from pystack.dtls.client12 import ClientHandshake12
from pystack.dtls.export import Agreement12
from pystack.dtls.flights import Outgoing
from pystack.dtls.handshake import Refusal, Step, find_extension
from pystack.dtls.keys import TrafficKeys
from pystack.dtls.provider import SECP256R1, SECP384R1, X25519
from pystack.dtls.server12 import ServerHandshake12
from pystack.dtls.suites import CLIENT_SUITES, SERVER_SUITES
from pystack.dtls.wire import extensions as ext
from pystack.dtls.wire.alert import AlertDescription
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
from pystack.errors import DecodeError

H = HandshakeType
A = AlertDescription
Tamper = Callable[[int, bytes], bytes | None]


def parts(seed: int) -> tuple[Certificate, SeededRandomness, SeededProvider]:
    randomness = SeededRandomness(seed)
    provider = SeededProvider(randomness)
    return Certificate.generate(1.7e9, provider), randomness, provider


def client(**options: Any) -> ClientHandshake12:
    certificate, randomness, provider = parts(1)
    return ClientHandshake12(certificate, DtlsOptions(**options), randomness, provider)


def server(**options: Any) -> ServerHandshake12:
    certificate, randomness, provider = parts(2)
    return ServerHandshake12(certificate, DtlsOptions(**options), randomness, provider)


def messages(step: Step) -> list[Outgoing]:
    return [item for item in step.flight if isinstance(item, Outgoing)]


def untouched(kind: int, body: bytes) -> bytes | None:
    return body


def play(
    one: ClientHandshake12, two: ServerHandshake12, tamper: Tamper = untouched
) -> tuple[list[Agreement12], list[TrafficKeys], list[bytes]]:
    """Pass whole messages back and forth; ``tamper`` may change one, or swallow it with ``None``."""
    agreements: list[Any] = []
    keys: list[TrafficKeys] = []
    certificates: list[bytes] = []
    flying: list[tuple[Any, Outgoing]] = [(two, message) for message in messages(one.start())]
    assert not two.start().flight
    while flying:
        target, message = flying.pop(0)
        body = tamper(message.kind, message.body)
        if body is None:
            continue
        assert target.allows(message.kind), f"{target.waiting_for} {message.kind}"
        step = target.handle(message.kind, message.sequence, body)
        agreements += [step.agreement] if step.agreement is not None else []
        keys += [step.keys] if step.keys is not None else []
        certificates += [step.certificate] if step.certificate is not None else []
        flying += [(one if target is two else two, answer) for answer in messages(step)]
    return agreements, keys, certificates


def change(kind: int, codec: Any, **changes: Any) -> Tamper:
    """Change fields of one message; a callable gets the value as it was."""

    def tamper(found: int, body: bytes) -> bytes | None:
        if found != kind:
            return body
        value = codec.parse(body)
        new = {name: entry(getattr(value, name)) if callable(entry) else entry for name, entry in changes.items()}
        changed: bytes = attrs.evolve(value, **new).serialize()
        return changed

    return tamper


def with_extension(kind: int, data: bytes | None) -> Callable[[ext.Extensions], ext.Extensions]:
    """Replace an extension, add it, or (``None``) take it out."""

    def changed(extensions: ext.Extensions) -> ext.Extensions:
        rest = tuple(item for item in extensions if item[0] != kind)
        return rest if data is None else (*rest, (kind, data))

    return changed


def hello(**changes: Any) -> Tamper:
    return change(H.CLIENT_HELLO, ClientHello, **changes)


def answer(**changes: Any) -> Tamper:
    return change(H.SERVER_HELLO, ServerHello, **changes)


def test_both_sides_agree() -> None:
    one, two = client(), server()
    agreements, keys, certificates = play(one, two)
    assert agreements[0] == agreements[1]
    assert keys[0] == keys[1]
    assert len({one.waiting_for, two.waiting_for}) == 1
    assert set(certificates) == {parts(1)[0].der, parts(2)[0].der}
    agreement = agreements[0]
    assert (agreement.version, agreement.cipher) == ("DTLS 1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
    assert agreement.srtp_profile == 8
    assert repr(agreement.master) not in repr(agreement)


@pytest.mark.parametrize("suite", SERVER_SUITES)
def test_every_suite(suite: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pystack.dtls.server12.SERVER_SUITES", (suite,))
    agreements, keys, _ = play(client(), server())
    assert agreements[0] == agreements[1]
    assert agreements[0].suite.number == suite
    assert keys[0] == keys[1]


@pytest.mark.parametrize("group", [X25519, SECP256R1, SECP384R1])
def test_every_group(group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pystack.dtls.server12.GROUPS", (group,))
    seen = []

    def look(kind: int, body: bytes) -> bytes:
        if kind == H.SERVER_KEY_EXCHANGE:
            seen.append(ServerKeyExchange.parse(body).group)
        return body

    agreements, _, _ = play(client(), server(), look)
    assert seen == [group]
    assert agreements[0] == agreements[1]


@pytest.mark.parametrize(
    ("offered", "ours", "chosen"),
    [((1, 8, 7), (8, 7, 1), 8), ((7, 1), (8, 7, 1), 7), ((8, 7, 1), (1,), 1), ((7,), (8, 1), None)],
)
def test_srtp_profile_is_the_servers_choice(
    offered: tuple[int, ...], ours: tuple[int, ...], chosen: int | None
) -> None:
    agreements, _, _ = play(client(srtp_profiles=offered), server(srtp_profiles=ours))
    assert [agreement.srtp_profile for agreement in agreements] == [chosen, chosen]


def test_without_srtp() -> None:
    agreements, _, _ = play(client(srtp_profiles=()), server())
    assert [agreement.srtp_profile for agreement in agreements] == [None, None]


def test_without_extended_master_secret_only_if_it_is_not_required() -> None:
    bare = hello(extensions=with_extension(ext.EXTENDED_MASTER_SECRET, None))
    with pytest.raises(Refusal, match="extended master secret"):
        play(client(), server(), bare)
    # The transcripts differ then, but up to the Finished everything works, and the secrets are the old ones.
    with pytest.raises(Refusal, match=r"another handshake|does not hold"):
        play(client(require_extended_master_secret=False), server(require_extended_master_secret=False), bare)


def test_the_old_master_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides without RFC 7627: the client leaves the extension out itself, so the transcripts agree."""
    monkeypatch.setattr("pystack.dtls.client12.EXTENDED_MASTER_SECRET", 0x1234)
    agreements, keys, _ = play(
        client(require_extended_master_secret=False), server(require_extended_master_secret=False)
    )
    assert agreements[0] == agreements[1]
    assert keys[0] == keys[1]


def test_cookie_exchange() -> None:
    one, two = client(), server(cookie_exchange=True)
    agreements, _, _ = play(one, two)
    assert agreements[0] == agreements[1]


def test_a_wrong_cookie_is_asked_for_again() -> None:
    two = server(cookie_exchange=True)
    first = messages(client().start())[0]
    step = two.handle(H.CLIENT_HELLO, 0, first.body)
    assert not step.timed
    assert messages(step)[0].kind == H.HELLO_VERIFY_REQUEST
    wrong = attrs.evolve(ClientHello.parse(first.body), cookie=b"wrong").serialize()
    again = messages(two.handle(H.CLIENT_HELLO, 1, wrong))[0]
    assert again.kind == H.HELLO_VERIFY_REQUEST
    assert HelloVerifyRequest.parse(again.body).cookie
    assert two.waiting_for == "HELLO"


def test_server_tolerates_what_browsers_send() -> None:
    def browser(kind: int, body: bytes) -> bytes | None:
        if kind != H.CLIENT_HELLO:
            return body
        value = ClientHello.parse(body)
        extra = (
            (0x2A2A, b"grease"),
            (ext.SUPPORTED_VERSIONS, ext.serialize_numbers8((0xFEFC, 0xFEFD, 0x0303))),
            (51, bytes(1250)),
        )
        groups = ext.serialize_numbers16((0x11EC, X25519, SECP256R1))
        known = with_extension(ext.SUPPORTED_GROUPS, groups)(value.extensions)
        changed = attrs.evolve(
            value, suites=(0x1301, 0x1302, *value.suites, 0x00FF), extensions=(*extra, *reversed(known))
        )
        return changed.serialize()

    two = server()
    first = messages(client().start())[0]
    changed = browser(H.CLIENT_HELLO, first.body)
    assert changed is not None
    flight = messages(two.handle(H.CLIENT_HELLO, 0, changed))
    chosen = ServerHello.parse(flight[0].body)
    assert (chosen.version, chosen.suite, chosen.session_id) == (0xFEFD, 0xC02B, b"")
    assert not chosen.random.endswith((b"DOWNGRD\x01", b"DOWNGRD\x00"))
    assert find_extension(chosen.extensions, ext.SUPPORTED_VERSIONS) is None
    assert find_extension(chosen.extensions, ext.RENEGOTIATION_INFO) == b"\0"
    assert ServerKeyExchange.parse(flight[2].body).group == X25519


def test_server_answers_only_what_was_offered() -> None:
    bare = ClientHello.parse(messages(client(srtp_profiles=()).start())[0].body)
    keep = {ext.SIGNATURE_ALGORITHMS, ext.EXTENDED_MASTER_SECRET}
    bare = attrs.evolve(bare, extensions=tuple(item for item in bare.extensions if item[0] in keep))
    flight = messages(server().handle(H.CLIENT_HELLO, 0, bare.serialize()))
    assert ServerHello.parse(flight[0].body).extensions == ((ext.EXTENDED_MASTER_SECRET, b""),)
    assert ServerKeyExchange.parse(flight[2].body).group == SECP256R1  # the choice is free without supported_groups


@pytest.mark.parametrize(
    ("tamper", "alert"),
    [
        (hello(version=0xFEFF), A.PROTOCOL_VERSION),
        (hello(version=0x0303), A.PROTOCOL_VERSION),
        (
            hello(extensions=with_extension(ext.SUPPORTED_VERSIONS, ext.serialize_numbers8((0xFEFC,)))),
            A.PROTOCOL_VERSION,
        ),
        (hello(compressions=b"\x01"), A.ILLEGAL_PARAMETER),
        (hello(suites=(0xC02F, 0x1301)), A.HANDSHAKE_FAILURE),
        (hello(extensions=with_extension(ext.RENEGOTIATION_INFO, b"\x01x")), A.HANDSHAKE_FAILURE),
        (hello(extensions=with_extension(ext.EXTENDED_MASTER_SECRET, None)), A.HANDSHAKE_FAILURE),
        (hello(extensions=with_extension(ext.EC_POINT_FORMATS, b"\x01\x01")), A.ILLEGAL_PARAMETER),
        (
            hello(extensions=with_extension(ext.SUPPORTED_GROUPS, ext.serialize_numbers16((0x11EC, 256)))),
            A.HANDSHAKE_FAILURE,
        ),
        (hello(extensions=with_extension(ext.SIGNATURE_ALGORITHMS, None)), A.HANDSHAKE_FAILURE),
        (
            hello(extensions=with_extension(ext.SIGNATURE_ALGORITHMS, ext.serialize_numbers16((0x0401,)))),
            A.HANDSHAKE_FAILURE,
        ),
        (answer(version=0xFEFF), A.PROTOCOL_VERSION),
        (answer(suite=0x1301), A.ILLEGAL_PARAMETER),
        (answer(compression=1), A.ILLEGAL_PARAMETER),
        (answer(extensions=with_extension(16, b"")), A.UNSUPPORTED_EXTENSION),
        (answer(extensions=with_extension(ext.RENEGOTIATION_INFO, b"\x01x")), A.HANDSHAKE_FAILURE),
        (answer(extensions=with_extension(ext.EXTENDED_MASTER_SECRET, None)), A.HANDSHAKE_FAILURE),
        (answer(extensions=with_extension(ext.USE_SRTP, ext.serialize_use_srtp((2,)))), A.ILLEGAL_PARAMETER),
        (answer(extensions=with_extension(ext.USE_SRTP, ext.serialize_use_srtp((8, 7)))), A.ILLEGAL_PARAMETER),
        (answer(extensions=with_extension(ext.USE_SRTP, ext.serialize_use_srtp((8,), b"m"))), A.ILLEGAL_PARAMETER),
        (change(H.SERVER_KEY_EXCHANGE, ServerKeyExchange, group=25), A.ILLEGAL_PARAMETER),
        (change(H.SERVER_KEY_EXCHANGE, ServerKeyExchange, public=b"x" * 32), A.DECRYPT_ERROR),
        (change(H.SERVER_KEY_EXCHANGE, ServerKeyExchange, signature=b"junk"), A.DECRYPT_ERROR),
        (change(H.SERVER_KEY_EXCHANGE, ServerKeyExchange, scheme=0x0401), A.DECRYPT_ERROR),
        (change(H.CERTIFICATE_REQUEST, CertificateRequest, types=b"\x01"), A.HANDSHAKE_FAILURE),
        (change(H.CERTIFICATE_REQUEST, CertificateRequest, schemes=(0x0401, 0x0804)), A.HANDSHAKE_FAILURE),
        (change(H.CERTIFICATE, CertificateChain, certificates=()), A.HANDSHAKE_FAILURE),
        (change(H.CERTIFICATE, CertificateChain, certificates=(b"junk",)), A.BAD_CERTIFICATE),
        (change(H.CLIENT_KEY_EXCHANGE, ClientKeyExchange, public=b"short"), A.ILLEGAL_PARAMETER),
        (change(H.CLIENT_KEY_EXCHANGE, ClientKeyExchange, public=bytes(32)), A.ILLEGAL_PARAMETER),
        (change(H.CERTIFICATE_VERIFY, CertificateVerify, signature=b"junk"), A.DECRYPT_ERROR),
        (change(H.FINISHED, Finished, verify_data=bytes(12)), A.DECRYPT_ERROR),
    ],
)
def test_refusals(tamper: Tamper, alert: AlertDescription) -> None:
    with pytest.raises(Refusal) as caught:
        play(client(), server(), tamper)
    assert caught.value.alert == alert


def only_from_client(tamper: Tamper) -> Tamper:
    """The second Certificate, and the second Finished, are the other side's."""
    seen: set[int] = set()

    def later(kind: int, body: bytes) -> bytes | None:
        if kind in {H.CERTIFICATE, H.FINISHED} and kind not in seen:
            seen.add(kind)
            return body
        return tamper(kind, body)

    return later


@pytest.mark.parametrize(
    ("tamper", "alert", "whose"),
    [
        (change(H.CERTIFICATE, CertificateChain, certificates=()), A.HANDSHAKE_FAILURE, "the client has no"),
        (change(H.CERTIFICATE, CertificateChain, certificates=(b"junk",)), A.BAD_CERTIFICATE, "unreadable"),
        (change(H.FINISHED, Finished, verify_data=bytes(12)), A.DECRYPT_ERROR, "the server saw another"),
    ],
)
def test_refusals_of_the_other_side(tamper: Tamper, alert: AlertDescription, whose: str) -> None:
    with pytest.raises(Refusal, match=whose) as caught:
        play(client(), server(), only_from_client(tamper))
    assert caught.value.alert == alert


def test_another_certificate_than_the_one_that_signed() -> None:
    other = parts(3)[0].der
    swap = change(H.CERTIFICATE, CertificateChain, certificates=(other,))
    with pytest.raises(Refusal, match="not signed by its certificate"):
        play(client(), server(), swap)
    with pytest.raises(Refusal, match="does not hold the key"):
        play(client(), server(), only_from_client(swap))


def test_a_bad_point_from_the_server_is_refused_although_it_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    two = server()
    share = two._provider.key_share(X25519)
    share.public = bytes(32)
    monkeypatch.setattr(two._provider, "key_share", lambda group: share)
    with pytest.raises(Refusal, match="the server's key is no point") as caught:
        play(client(), two)
    assert caught.value.alert == A.ILLEGAL_PARAMETER


def test_a_server_that_asks_for_no_certificate_gets_none() -> None:
    one, two = client(), server()
    sent: list[int] = []

    def tamper(kind: int, body: bytes) -> bytes | None:
        sent.append(kind)
        return None if kind == H.CERTIFICATE_REQUEST else body

    with pytest.raises(AssertionError, match="CERTIFICATE 16"):  # our server insists
        play(one, two, tamper)
    assert H.CERTIFICATE_VERIFY not in sent


@pytest.mark.parametrize(
    "kind",
    [
        H.CLIENT_HELLO,
        H.SERVER_HELLO,
        H.CERTIFICATE,
        H.SERVER_KEY_EXCHANGE,
        H.CERTIFICATE_REQUEST,
        H.SERVER_HELLO_DONE,
        H.CLIENT_KEY_EXCHANGE,
        H.CERTIFICATE_VERIFY,
        H.FINISHED,
    ],
)
@pytest.mark.parametrize("from_client", [False, True])
def test_a_malformed_message_changes_nothing(kind: int, from_client: bool) -> None:
    """It raises DecodeError, and the handshake goes on with the right message in its place."""
    one, two = client(), server()
    seen = 0

    def tamper(found: int, body: bytes) -> bytes | None:
        nonlocal seen
        if found == kind:
            seen += 1
            if seen == 1 + from_client or kind not in {H.CERTIFICATE, H.FINISHED}:
                to_server = found in {H.CLIENT_HELLO, H.CLIENT_KEY_EXCHANGE, H.CERTIFICATE_VERIFY} or (
                    found in {H.CERTIFICATE, H.FINISHED} and (seen == 2) == (found == H.CERTIFICATE)
                )
                target: Any = two if to_server else one
                for bad in (body + b"x", body[:-1] if body else b"xx"):
                    with pytest.raises(DecodeError):
                        target.handle(found, 9, bad)
        return body

    agreements, keys, _ = play(one, two, tamper)
    assert seen
    assert agreements[0] == agreements[1]
    assert keys[0] == keys[1]


def test_client_offer() -> None:
    offer = ClientHello.parse(messages(client().start())[0].body)
    assert offer.suites == CLIENT_SUITES
    assert offer.compressions == b"\0"
    groups = find_extension(offer.extensions, ext.SUPPORTED_GROUPS)
    assert groups is not None
    assert ext.parse_numbers16(groups) == (X25519, SECP256R1, SECP384R1)
    srtp = find_extension(offer.extensions, ext.USE_SRTP)
    assert srtp is not None
    assert ext.parse_use_srtp(srtp) == ((8, 7, 1), b"")
    assert find_extension(offer.extensions, ext.EXTENDED_MASTER_SECRET) == b""
    assert find_extension(offer.extensions, ext.RENEGOTIATION_INFO) == b"\0"
