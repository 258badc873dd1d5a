"""The eight laws, on a DTLS client and a DTLS server back to back."""

from math import inf
from typing import Any

from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.dtls import Certificate, DtlsEngine, DtlsOptions, SeededProvider
from pystack.testing.laws import START, Command, CoreLaws, Scenario, Side

CERTIFICATES = {
    role: Certificate.generate(1.7e9, SeededProvider(SeededRandomness(role))) for role in ("client", "server")
}
MTU = 400


class Speaker(DtlsEngine):
    """An engine whose sealed records leave by flush, so that the laws see them."""

    def __init__(self, role: Any, seed: int, options: DtlsOptions) -> None:
        randomness = SeededRandomness(f"{role} {seed}")
        super().__init__(role, CERTIFICATES[role], options, randomness, SeededProvider(randomness))
        self.sealed: list[bytes] = []

    def say(self, data: bytes) -> None:
        if len(self.sealed) < 20:
            self.sealed.append(self.seal(data))

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        out = super().flush(now, limit)
        while self.sealed and len(out) < limit:
            out.append(self.sealed.pop(0))
        return out


def right(core: Any) -> list[tuple[str, str]]:
    return [("sha-256", CERTIFICATES["server" if core.role == "client" else "client"].fingerprint())]


COMMANDS = [
    Command("start", lambda core, _, now: core.start(now)),
    Command("trust", lambda core, _, now: core.trust(right(core), now)),
    Command("say", lambda core, data, now: core.say(data), st.binary(max_size=300)),
    Command("hear", lambda core, _, now: core.take_data()),
    Command("open", lambda core, data, now: core.open(data, now), st.binary(max_size=60)),
    Command("export", lambda core, _, now: core.export(b"label", 20)),
    Command("srtp", lambda core, _, now: core.srtp_keying_material()),
]
ENDINGS = [
    Command("distrust", lambda core, _, now: core.trust([("sha-256", ":".join(["00"] * 32))], now)),
    Command("close", lambda core, _, now: core.close(now)),
]


class DtlsLaws(CoreLaws):
    options = DtlsOptions(mtu=MTU)
    trusting = True
    examples = 12
    flood = 2000
    commands: tuple[Command, ...] = (*COMMANDS, *ENDINGS)

    def make(self, seed: int) -> Scenario:
        sides = []
        for role in ("client", "server"):
            core = Speaker(role, seed, self.options)
            core.start(START)
            if self.trusting:
                core.trust(right(core), START)
            sides.append(Side(role, core, limit=MTU))
        return Scenario(sides=sides, commands=self.commands, end=lambda core, now: core.abort(now), memory=400_000)


class TestDtlsLaws(DtlsLaws):
    """Both sides started, trusting, and free to end."""


class TestDtlsLawsWhileItLasts(DtlsLaws):
    """Nobody ends it: schedules go deeper into a connection. Trust comes late, a cookie is asked for."""

    options = DtlsOptions(mtu=MTU, cookie_exchange=True, held_bytes=4096)
    trusting = False
    commands = tuple(COMMANDS)


class TestDtlsLawsUnstarted(DtlsLaws):
    """From the very beginning, in any order."""

    def make(self, seed: int) -> Scenario:
        sides = [Side(role, Speaker(role, seed, self.options), limit=MTU) for role in ("client", "server")]
        return Scenario(sides=sides, commands=self.commands, end=lambda core, now: core.abort(now), memory=400_000)
