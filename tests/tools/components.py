"""``@pytest.mark.component("chromium", ...)``: what a test needs from outside.

A missing component skips the test with a line that says how to get it, and the summary names every one that is missing.
With ``CI`` set it fails the test instead: a green run there means that everything ran.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

DRIVER = Path(__file__).resolve().parents[1] / "e2e" / "driver"
PEERS = Path(__file__).resolve().parents[1] / "interop" / "node"
MISSING = pytest.StashKey[Counter[str]]()


def program(*names: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(name) for name in names)


def module(name: str) -> Callable[[], bool]:
    return lambda: importlib.util.find_spec(name) is not None


def node() -> bool:
    return shutil.which("node") is not None and (DRIVER / "node_modules").is_dir()


def node_peers() -> bool:
    return shutil.which("node") is not None and (PEERS / "node_modules").is_dir()


COMPONENTS: dict[str, tuple[Callable[[], bool], str]] = {
    "chromium": (program("chromium", "chromium-browser", "google-chrome"), "apt-get install chromium"),
    "firefox": (program("firefox-esr", "firefox"), "apt-get install firefox-esr"),
    "node": (node, "apt-get install nodejs npm, then npm ci in tests/e2e/driver"),
    "node-peers": (node_peers, "apt-get install nodejs npm, then npm ci in tests/interop/node"),
    "openssl": (program("openssl"), "apt-get install openssl"),
    "coturn": (program("turnserver"), "apt-get install coturn"),
    "tshark": (program("tshark"), "apt-get install tshark"),
    "aiortc": (module("aiortc"), "pip install pystack-rtc[interop]"),
    "livekit": (module("livekit.rtc"), "pip install pystack-rtc[interop]"),
    "pylibsrtp": (module("pylibsrtp"), "pip install pystack-rtc[interop]"),
    "numpy": (module("numpy"), "pip install pystack-rtc[interop]"),
}
"""Each component: is it there, and how to get it."""
_BROWSERS = frozenset({"chromium", "firefox"})


def is_ci() -> bool:
    """Tell whether what is missing is fatal."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def present(name: str) -> bool:
    try:
        return COMPONENTS[name][0]()
    except ModuleNotFoundError:  # find_spec of a submodule whose parent is missing
        return False


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MISSING] = Counter()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    needed: list[str] = []
    for marker in item.iter_markers("component"):
        needed += marker.args
        if _BROWSERS & set(marker.args):
            needed.append("node")
    unknown = set(needed) - set(COMPONENTS)
    if unknown:
        raise pytest.UsageError(f"{item.nodeid} needs unknown components: {', '.join(sorted(unknown))}")
    missing = [name for name in dict.fromkeys(needed) if not present(name)]
    if not missing:
        return
    item.config.stash[MISSING].update(missing)
    why = "; ".join(f"needs {name}: {COMPONENTS[name][1]}" for name in missing)
    if is_ci():
        pytest.fail(f"{why} (CI is set, so this is fatal)", pytrace=False)
    pytest.skip(why)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI ``importorskip`` is a failure too."""
    report = yield
    if report.skipped and is_ci() and isinstance(report.longrepr, tuple) and "could not import" in report.longrepr[2]:
        report.outcome = "failed"
        report.longrepr = f"{report.longrepr[2]} (CI is set, so this is fatal)"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    missing = config.stash[MISSING]
    if missing:
        terminalreporter.section("missing components")
        for name, count in sorted(missing.items()):
            terminalreporter.write_line(f"{name}: {count} tests could not run; {COMPONENTS[name][1]}")
