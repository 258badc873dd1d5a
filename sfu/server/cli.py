"""The command line: ``sfu serve`` and ``sfu token``.

Every mistake of the user is one line on standard error and exit code 2, never a traceback.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pystack
from sfu.server.auth import MAX_NAME, make_token
from sfu.server.config import SETTINGS, ConfigError, load
from sfu.server.serve import run
from sfu.server.terminal import complain, ensure_streams

__all__ = ["main"]


def main(argv: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Run the command line; return the exit code (console scripts exit with it)."""
    ensure_streams()
    arguments = _parser().parse_args(argv)
    environment = os.environ if environment is None else environment
    try:
        if arguments.command == "token":
            return _token(arguments, environment)
        return _serve(arguments, environment)
    except ConfigError as error:
        complain(f"sfu: {error}")
        return 2
    except KeyboardInterrupt:
        complain("stopped at once: clients were not told")
        return 130


def _serve(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    flags = {setting.name: getattr(arguments, setting.name) for setting in SETTINGS}
    config = load(flags, environment, arguments.config, dev=arguments.dev)
    return run(config, pystack.__version__)


def _token(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    if not arguments.room.strip() or not arguments.identity.strip():
        raise ConfigError("token: neither --room nor --identity may be empty")
    if max(len(arguments.room), len(arguments.identity)) > MAX_NAME:
        raise ConfigError(f"token: --room and --identity may have {MAX_NAME} characters at most")
    config = load({"keys": arguments.keys}, environment, arguments.config, dev=arguments.dev)
    key = next(iter(config.keys))
    grants = {
        "canPublish": not arguments.no_publish,
        "canSubscribe": not arguments.no_subscribe,
        "canPublishData": not arguments.no_data,
        "hidden": arguments.hidden,
    }
    token = make_token(
        key,
        config.keys[key],
        identity=arguments.identity,
        room=arguments.room,
        name=arguments.name or arguments.identity,
        lifetime=arguments.hours * 3600,
        grants=grants,
    )
    print(token)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sfu", description="A thin SFU that LiveKit clients connect to.")
    parser.add_argument("--version", action="version", version=f"sfu {pystack.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    serve = commands.add_parser("serve", help="run the server", description="Run the server until Ctrl-C.")
    serve.add_argument(
        "--dev", action="store_true", help="development: a well-known key, this machine only, demo links"
    )
    serve.add_argument("--config", type=Path, metavar="FILE", help="a YAML file with the settings below by name")
    for setting in SETTINGS:
        serve.add_argument(
            setting.flag, dest=setting.name, metavar="VALUE", help=f"{setting.help} [{setting.variable}]"
        )

    token = commands.add_parser("token", help="make an access token", description="Print an access token.")
    token.add_argument("--room", required=True, help="the room that it lets into")
    token.add_argument("--identity", required=True, help="who it is for, unique in the room")
    token.add_argument("--name", help="the name that others see; the identity when left out")
    token.add_argument("--hours", type=_hours, default=6.0, help="how long it is valid (6)")
    token.add_argument("--no-publish", action="store_true", help="it does not allow publishing tracks")
    token.add_argument("--no-subscribe", action="store_true", help="it does not allow receiving tracks")
    token.add_argument("--no-data", action="store_true", help="it does not allow sending data messages")
    token.add_argument("--hidden", action="store_true", help="the others do not see this participant")
    token.add_argument("--dev", action="store_true", help="sign with the development key")
    token.add_argument("--config", type=Path, metavar="FILE", help="a YAML file with the keys")
    token.add_argument("--keys", metavar="KEY:SECRET", help="sign with this key [SFU_KEYS]")
    return parser


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours < 1e6:
        raise argparse.ArgumentTypeError("give a number of hours above 0")
    return hours


if __name__ == "__main__":
    sys.exit(main())
