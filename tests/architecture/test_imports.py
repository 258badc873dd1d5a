"""Imports point down: the arrows of docs/explanation/architecture.md, read from the source with ast."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = frozenset({"sctp", "dtls", "srtp", "rtp", "datachannel", "ice", "sdp"})
BELOW: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "base": frozenset({"errors"}),
    **dict.fromkeys(LAYERS, frozenset({"errors", "base"})),
    "session": frozenset({"errors", "base", *LAYERS}),
    "aio": frozenset({"errors", "base", *LAYERS, "session"}),
    "peer": frozenset({"errors", "base", *LAYERS, "session", "aio"}),
    "": frozenset({"errors", "base", *LAYERS, "session", "aio", "peer"}),
    "testing": frozenset({"errors", "base", *LAYERS, "session", "aio", "peer", ""}),
}
"""Which subpackages of pystack each may import; ``""`` is ``pystack/__init__.py``."""

OUTSIDE = frozenset(
    {
        *("asyncio", "concurrent", "multiprocessing", "queue", "selectors", "signal", "subprocess", "threading"),
        *("random", "secrets", "time"),
        *("os", "select", "socket", "socketserver", "ssl"),
        "logging",
    }
)
"""The clock, chance, the disk, the wire and the loop."""

MAY: dict[str, frozenset[str]] = {
    "pystack/base/rand.py": frozenset({"random", "secrets"}),
    "pystack/aio/": OUTSIDE,
    "pystack/peer/": frozenset({"asyncio", "logging"}),
    "pystack/testing/": frozenset({"asyncio", "random"}),
    "sfu/__main__.py": frozenset({"os", "signal"}),
    "sfu/server/": OUTSIDE,
    "sfu/cluster/": OUTSIDE,
    "sfu/egress/": OUTSIDE,
    "sfu/telemetry/": OUTSIDE,
}

THIRD: dict[str, frozenset[str]] = {
    "pystack/": frozenset({"attrs", "attr", "cryptography", "crc32c"}),
    "pystack/aio/": frozenset({"aioice", "ifaddr"}),
    "pystack/testing/": frozenset({"hypothesis"}),
    "sfu/": frozenset({"attrs", "google", "livekit"}),
    "sfu/server/": frozenset({"aiohttp", "jwt", "yaml", "structlog", "uvloop"}),
    "sfu/telemetry/": frozenset({"aiohttp", "prometheus_client", "structlog"}),
    "sfu/cluster/": frozenset({"redis"}),
}
"""Third-party packages, by where they may be imported; prefixes add up."""


@attrs.frozen
class Import:
    """One imported module (``name`` too when it is imported from it), where it stands."""

    file: str
    line: int
    module: str
    name: str | None

    def __str__(self) -> str:
        what = self.module if self.name is None else f"{self.name} from {self.module}"
        return f"{self.file}:{self.line} imports {what}"


def read_imports(file: str, source: str) -> Iterator[Import]:
    """All imports of a file, relative ones resolved, those inside functions and TYPE_CHECKING included."""
    package = file.removesuffix(".py").split("/")[:-1]  # of a module and of an __init__ alike
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, None)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(file, node.lineno, module, alias.name)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"__import__", "importlib.import_module"}:
            argument = node.args[0] if node.args else None
            module = argument.value if isinstance(argument, ast.Constant) else "?"
            yield Import(file, node.lineno, str(module), None)


def is_module(dotted: str) -> bool:
    path = ROOT / dotted.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def target(one: Import) -> str:
    """The module that is really reached: ``from pystack.sctp import events`` reaches ``pystack.sctp.events``."""
    if one.name is not None and is_module(f"{one.module}.{one.name}"):
        return f"{one.module}.{one.name}"
    return one.module


def part(module: str) -> str:
    """The direct subpackage (or module) of pystack or sfu that a module belongs to."""
    names = module.split(".")
    return names[1] if len(names) > 1 else ""


def sources(*tops: str) -> dict[str, str]:
    found = {}
    for top in tops:
        for path in sorted((ROOT / top).rglob("*.py")):
            found[path.relative_to(ROOT).as_posix()] = path.read_text()
    return found


def exported(module: str) -> frozenset[str]:
    """``__all__`` of a module, read and not run."""
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(path.read_text()).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(one, ast.Name) and one.id == "__all__" for one in targets):
            return frozenset(ast.literal_eval(node.value))  # type: ignore[attr-defined,union-attr]
    return frozenset()


# -- the rules, each a function from a file to complaints, so that each can be shown to complain ---------------------


def arrows_in_pystack(file: str, source: str) -> list[str]:
    """Imports point down, siblings never see each other, and only testing sees testing."""
    parts = file.removesuffix(".py").split("/")
    here = "" if parts[1] == "__init__" else parts[1]
    wrong = []
    for one in read_imports(file, source):
        reached = target(one)
        top = reached.partition(".")[0]
        if top == "sfu":
            wrong.append(f"{one}: pystack does not know the sfu")
        if top != "pystack":
            continue
        there = part(reached)
        allowed = there == here or there in BELOW[here]
        if here == "datachannel" and there == "sctp":
            allowed = reached == "pystack.sctp.events"
        if here == "peer" and there == "" and one.name in {"__version__", None}:
            allowed = True
        if not allowed:
            wrong.append(f"{one}: {here or 'pystack'} may not import {there or 'pystack'}")
    return wrong


def arrows_in_sfu(file: str, source: str) -> list[str]:
    """The sfu uses public names of pystack only; nobody but the server knows the server."""
    wrong = []
    for one in read_imports(file, source):
        reached = target(one)
        top = reached.partition(".")[0]
        if (
            top == "sfu"
            and part(reached) == "server"
            and not file.startswith("sfu/server/")
            and file != "sfu/__main__.py"
        ):
            wrong.append(f"{one}: only the server knows the server")
        if top == "pystack":
            wrong += only_public(one)
    return wrong


def only_public(one: Import) -> list[str]:
    """Public are the names in ``__all__`` of pystack and of its direct subpackages."""
    if part(target(one)) == "testing":
        return [f"{one}: the product does not use pystack.testing"]
    if one.module.count(".") > 1:
        return [f"{one}: a deep module"]
    if one.name is None:
        return []
    if one.module == "pystack" and (part(f"pystack.{one.name}") in BELOW or one.name == "__version__"):
        return []
    if one.name not in exported(one.module):
        return [f"{one}: not a public name"]
    return []


def nothing_from_outside(file: str, source: str) -> list[str]:
    """No clock, chance, socket, thread, log or loop in a core."""
    allowed = frozenset().union(*(names for where, names in MAY.items() if file.startswith(where)))
    return [
        f"{one}: not in a core"
        for one in read_imports(file, source)
        if (top := one.module.partition(".")[0]) in OUTSIDE and top not in allowed
    ]


def only_listed_packages(file: str, source: str) -> list[str]:
    """Third-party packages only where they are listed."""
    allowed = frozenset().union(*(names for where, names in THIRD.items() if file.startswith(where)))
    known = sys.stdlib_module_names | {"pystack", "sfu"} | allowed
    return [
        f"{one}: not listed for this place"
        for one in read_imports(file, source)
        if one.module.partition(".")[0] not in known
    ]


@pytest.mark.parametrize(
    ("rule", "top"),
    [
        (arrows_in_pystack, "pystack"),
        (arrows_in_sfu, "sfu"),
        (nothing_from_outside, "pystack"),
        (nothing_from_outside, "sfu"),
        (only_listed_packages, "pystack"),
        (only_listed_packages, "sfu"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_the_rule_holds(rule, top: str) -> None:  # type: ignore[no-untyped-def]
    complaints = [complaint for file, source in sources(top).items() for complaint in rule(file, source)]
    assert not complaints, "\n".join(complaints)


def test_examples_use_public_names_only() -> None:
    complaints = [
        complaint
        for file, source in sources("examples").items()
        for one in read_imports(file, source)
        if one.module.partition(".")[0] == "pystack"
        for complaint in only_public(one)
    ]
    assert not complaints, "\n".join(complaints)


def test_the_testing_package_imports_without_hypothesis() -> None:
    for file, source in sources("pystack/testing").items():
        if "/strategies/" in file or file.endswith("/laws.py"):
            continue
        for one in read_imports(file, source):
            assert not one.module.startswith("hypothesis"), one
            assert target(one) not in {"pystack.testing.laws", "pystack.testing.strategies"}, one


@pytest.mark.parametrize(
    ("rule", "file", "source"),
    [
        (arrows_in_pystack, "pystack/sctp/association.py", "from pystack.dtls import DtlsEngine"),
        (arrows_in_pystack, "pystack/sctp/tx/gate.py", "from ...dtls import DtlsEngine"),
        (arrows_in_pystack, "pystack/sctp/tx/gate.py", "def f():\n    import pystack.session"),
        (arrows_in_pystack, "pystack/base/core.py", "from pystack.sctp import Association"),
        (arrows_in_pystack, "pystack/errors.py", "from pystack.base import Core"),
        (arrows_in_pystack, "pystack/session/session.py", "from pystack.aio import path"),
        (arrows_in_pystack, "pystack/aio/udp.py", "from .. import peer"),
        (arrows_in_pystack, "pystack/datachannel/channels.py", "from pystack.sctp import Association"),
        (arrows_in_pystack, "pystack/peer/connection.py", "from pystack.testing import World"),
        (arrows_in_pystack, "pystack/peer/connection.py", "if TYPE_CHECKING:\n    import sfu.rooms"),
        (arrows_in_pystack, "pystack/srtp/session.py", "importlib.import_module('pystack.rtp')"),
        (arrows_in_sfu, "sfu/rooms/room.py", "from sfu.server import cli"),
        (arrows_in_sfu, "sfu/rooms/room.py", "from ..server.cli import main"),
        (arrows_in_sfu, "sfu/rooms/room.py", "from pystack.base.timers import TimerSet"),
        (arrows_in_sfu, "sfu/rooms/room.py", "import pystack.base.timers"),
        (arrows_in_sfu, "sfu/rooms/room.py", "from pystack.base import bisect"),
        (arrows_in_sfu, "sfu/server/app.py", "from pystack.testing import World"),
        (nothing_from_outside, "pystack/sctp/association.py", "import asyncio"),
        (nothing_from_outside, "pystack/sctp/association.py", "from time import monotonic"),
        (nothing_from_outside, "pystack/dtls/engine.py", "import logging.handlers"),
        (nothing_from_outside, "pystack/peer/connection.py", "import socket"),
        (nothing_from_outside, "pystack/testing/world.py", "import time"),
        (nothing_from_outside, "sfu/rooms/room.py", "import asyncio"),
        (only_listed_packages, "pystack/sctp/association.py", "import aioice"),
        (only_listed_packages, "pystack/peer/connection.py", "from hypothesis import given"),
        (only_listed_packages, "sfu/rooms/room.py", "import aiohttp"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_the_rule_can_complain(rule, file: str, source: str) -> None:  # type: ignore[no-untyped-def]
    assert rule(file, source)


@pytest.mark.parametrize(
    ("rule", "file", "source"),
    [
        (arrows_in_pystack, "pystack/datachannel/channels.py", "from pystack.sctp.events import Established"),
        (arrows_in_pystack, "pystack/datachannel/channels.py", "from pystack.sctp import events"),
        (arrows_in_pystack, "pystack/sctp/tx/gate.py", "from ..events import Writable"),
        (arrows_in_pystack, "pystack/peer/connection.py", "from pystack.sdp import parse"),
        (arrows_in_sfu, "sfu/rooms/room.py", "from pystack.base import TimerSet\nfrom pystack.errors import Closed"),
        (nothing_from_outside, "pystack/base/rand.py", "import secrets"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_the_rule_lets_good_imports_pass(rule, file: str, source: str) -> None:  # type: ignore[no-untyped-def]
    assert rule(file, source) == []
