"""The configuration of the server: flags before environment before a YAML file before the defaults.

Every setting is one row of :data:`SETTINGS`: its name in the file, ``--its-name`` as a flag, ``SFU_ITS_NAME`` in the
environment. Every error names the setting, where it was set, and what to do. Called by ``sfu.server.cli``.
"""

from __future__ import annotations

import difflib
import ipaddress
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import yaml

from sfu.rooms import RoomOptions

__all__ = ["DEV_KEY", "DEV_SECRET", "SETTINGS", "Config", "ConfigError", "Setting", "load"]

DEV_KEY: Final = "devkey"
DEV_SECRET: Final = "secret"


class ConfigError(Exception):
    """A setting cannot be used; the text says which, where it was set, and how to fix it."""


@attrs.frozen(kw_only=True)
class Config:
    """The settings in use, by the names that ``sfu serve`` has for them; each is checked as its flag would be.

    Raises:
        ConfigError: a setting cannot be used; the text names it and says what would be right.
    """

    host: str = "0.0.0.0"
    port: int = 7880
    media_port: int = 7882
    media_tcp: bool = True
    media_addresses: tuple[str, ...] = ()
    advertised_addresses: tuple[str, ...] = ()
    keys: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    max_participants: int = 0
    max_rooms: int = 0
    join_timeout: float = 60.0
    resume_timeout: float = 20.0
    congestion_control: bool = True
    empty_timeout: float = 300.0
    departure_timeout: float = 20.0
    webhook_urls: tuple[str, ...] = ()
    webhook_key: str = ""
    metrics: bool = False
    log_level: str = "info"
    log_format: str = "console"
    dev: bool = False

    def __attrs_post_init__(self) -> None:
        for setting in SETTINGS:
            read = _read(setting, getattr(self, setting.name), "Config(...)")
            object.__setattr__(self, setting.name, read)  # frozen for everybody else

    def room_options(self, version: str) -> RoomOptions:
        """What of this concerns a room; ``version`` is announced to clients."""
        return RoomOptions(
            max_participants=self.max_participants,
            join_timeout=self.join_timeout,
            resume_timeout=self.resume_timeout,
            empty_timeout=self.empty_timeout,
            departure_timeout=self.departure_timeout,
            about=f"sfu {version}",
        )


@attrs.frozen
class Setting:
    """One row: how a setting is named, read and explained.

    ``parse`` takes text (flags, environment) or what YAML gave, and raises ``ValueError`` with what would be right.
    """

    name: str
    parse: Callable[[Any], Any]
    help: str

    @property
    def flag(self) -> str:
        """The name as a command-line flag."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The name as an environment variable."""
        return "SFU_" + self.name.upper()


def _port(value: Any) -> int:
    number = _whole(value)
    if number > 65535:
        raise ValueError("a port is between 1 and 65535 (0: any free one)")
    return number


def _whole(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        raise ValueError("give a whole number, not negative")
    return int(text)


def _switch(value: Any) -> bool:
    text = str(value).strip().lower()
    if text not in {"on", "off", "true", "false", "yes", "no"}:
        raise ValueError("give on or off")
    return text in {"on", "true", "yes"}


def _duration(*, zero: bool) -> Callable[[Any], float]:
    words = "give a number of seconds, 0 for none" if zero else "give a number of seconds above 0"

    def parse(value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(words) from None
        if isinstance(value, bool) or not 0 <= number < 1e9 or (not number and not zero):
            raise ValueError(words)
        return number

    return parse


_seconds: Final = _duration(zero=False)
_patience: Final = _duration(zero=True)


def _host(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or any(letter.isspace() for letter in value.strip()):
        raise ValueError("give an address or host name to listen on, such as 127.0.0.1 or 0.0.0.0")
    return value.strip()


def _list(value: Any) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return [each.strip() for each in value]
    raise ValueError("give a list of addresses, separated by commas")


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None


def _addresses(value: Any) -> tuple[str, ...]:
    addresses = tuple(_address(text) for text in _list(value))
    for address in addresses:
        if ipaddress.ip_address(address).is_unspecified:
            raise ValueError(
                f"{address} stands for all addresses; name the real ones, or leave it out to use all of them"
            )
    return addresses


def _urls(value: Any) -> tuple[str, ...]:
    urls = tuple(dict.fromkeys(_list(value)))
    for url in urls:
        shown = url.rpartition("@")[2]  # a password is for nobody's log
        wrong = ValueError(f"{shown!r} is not a web address; give one such as https://example.com/hook")
        try:
            parts = urlsplit(url)
            host, _ = (parts.hostname or "").encode("idna"), parts.port
        except ValueError:
            raise wrong from None
        if parts.scheme not in {"http", "https"} or not host or any(letter.isspace() for letter in url):
            raise wrong
        if parts.username is not None:
            raise ValueError(f"leave user and password out of the address at {parts.hostname}: webhooks are signed")
    return urls


def _keys(value: Any) -> dict[str, str]:
    pairs: dict[str, str] = {}
    if isinstance(value, Mapping):
        if not all(type(each) in {str, int} for pair in value.items() for each in pair):
            raise ValueError("give each key its secret as text: an empty one is none")  # and not the text "None"
        pairs = {str(key).strip(): str(secret).strip() for key, secret in value.items()}
    elif isinstance(value, (str, list, tuple)):
        for text in _list(value):
            key, colon, secret = text.partition(":")
            if not colon:
                raise ValueError("give KEY:SECRET, several separated by commas")
            if key.strip() in pairs:
                raise ValueError(f"the key {key.strip()!r} is given twice")
            pairs[key.strip()] = secret.strip()
    else:
        raise ValueError("give a mapping of keys to secrets")
    if not all(key and secret for key, secret in pairs.items()):
        raise ValueError("neither a key nor its secret may be empty")
    return pairs


def _key_name(value: Any) -> str:
    if not isinstance(value, (str, int)) and value is not None:
        raise ValueError("give the name of one API key")
    return "" if value is None else str(value).strip()  # "webhook_key:" alone is as if it were left out


def _one_of(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if str(value).lower() not in choices:
            raise ValueError("give one of: " + ", ".join(choices))
        return str(value).lower()

    return parse


SETTINGS: Final = (
    Setting("host", _host, "address that the HTTP and WebSocket port listens on (with --dev: 127.0.0.1)"),
    Setting("port", _port, "TCP port for HTTP and WebSocket; 0 for any free one"),
    Setting("media_port", _port, "the one UDP port for all media; 0 for any free one"),
    Setting(
        "media_tcp",
        _switch,
        "on or off: also take media over TCP, on the same port number, for clients whose network lets no UDP through",
    ),
    Setting("media_addresses", _addresses, "addresses to take media on; all of the machine's own when left out"),
    Setting(
        "advertised_addresses",
        _addresses,
        "addresses to tell clients instead of those of the machine, for servers behind a 1:1 NAT or a load balancer",
    ),
    Setting("keys", _keys, "API keys with their secrets, KEY:SECRET; tokens are signed with them"),
    Setting("max_participants", _whole, "participants in one room; 0 for no limit"),
    Setting("max_rooms", _whole, "rooms at one time; 0 for no limit"),
    Setting("join_timeout", _seconds, "seconds from joining to a working connection"),
    Setting(
        "resume_timeout",
        _patience,
        "seconds that a client may take to come back when its signalling is lost; 0 for none",
    ),
    Setting(
        "congestion_control",
        _switch,
        "on or off: give a subscriber whose path is full fewer layers, and try for more later",
    ),
    Setting("empty_timeout", _seconds, "seconds that a room lives which nobody ever joined"),
    Setting("departure_timeout", _seconds, "seconds that a room lives after the last one left"),
    Setting("webhook_urls", _urls, "web addresses that are told what happens in rooms, as LiveKit's webhooks"),
    Setting("webhook_key", _key_name, "the API key that webhooks are signed with; the first one when left out"),
    Setting("metrics", _switch, "on or off: tell Prometheus what the server does, at /metrics"),
    Setting("log_level", _one_of("debug", "info", "warning", "error"), "debug, info, warning or error"),
    Setting("log_format", _one_of("console", "json"), "console or json"),
)

_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


def load(
    flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None, *, dev: bool = False
) -> Config:
    """Put the settings together.

    Args:
        flags: values by setting name; ``None`` means not given.
        environment: of the process: ``os.environ``, or ``{}`` to have none. A variable that begins with ``SFU_`` and
            is no setting is ignored, for it may be another program's, and a warning, for it may be a slip.
        file: a YAML file, ``None`` for none.
        dev: development mode: a well-known key, and listening on this machine only.

    Raises:
        ConfigError: naming the setting, its source and the fix.
    """
    for name in flags:
        if name not in _BY_NAME:
            raise ConfigError(f"{name}: unknown flag; {_nearest(name)}")
    _tell_of_strangers(environment)
    values: dict[str, Any] = {}
    if dev:
        values.update(host="127.0.0.1", keys={DEV_KEY: DEV_SECRET})
    if file is not None:
        values.update(_from_file(file))
    for setting in SETTINGS:
        if setting.variable in environment:
            values[setting.name] = _read(setting, environment[setting.variable], f"environment {setting.variable}")
    for setting in SETTINGS:
        if flags.get(setting.name) is not None:
            values[setting.name] = _read(setting, flags[setting.name], f"flag {setting.flag}")
    config = Config(dev=dev, **values)
    if not config.keys:
        raise ConfigError(
            "keys: there is no API key, so nobody could join. Set one with --keys KEY:SECRET, SFU_KEYS or in the "
            "file under 'keys:', or start with --dev for a development key."
        )
    if config.webhook_key and config.webhook_key not in config.keys:
        known = ", ".join(config.keys)
        raise ConfigError(f"webhook_key: {config.webhook_key!r} is not one of the API keys; known are: {known}")
    return config


class _Twice(Exception):
    """A name is given twice."""


class _Loader(yaml.SafeLoader):
    """YAML as ever, but what is said twice is refused: the last would win, and nobody would see the other."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        said = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode):
                if name.value in said:
                    raise _Twice(f"{name.value!r} is given twice, again in line {name.start_mark.line + 1}")
                said.add(name.value)
        return super().construct_mapping(node, deep=deep)


def _from_file(file: Path) -> dict[str, Any]:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise ConfigError(
            f"config: cannot read {file}: {error.strerror}. Give a readable file with --config."
        ) from None
    except _Twice as error:
        raise ConfigError(f"config: {file}: {error}; keep one of them") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where is not None else ""
        raise ConfigError(f"config: {file}{line} is not YAML: {getattr(error, 'problem', None) or error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"config: {file} must hold 'name: value' lines, not a {type(content).__name__}")
    values = {}
    for name, value in content.items():
        setting = _BY_NAME.get(str(name))
        if setting is None:
            raise ConfigError(f"{name}: unknown setting in {file}; {_nearest(str(name))}")
        values[setting.name] = _read(setting, value, str(file))
    return values


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, _BY_NAME, n=1)
    return f"did you mean {near[0]!r}?" if near else "known are: " + ", ".join(_BY_NAME)


def _tell_of_strangers(environment: Mapping[str, str]) -> None:
    known = {setting.variable for setting in SETTINGS}
    for name in environment:
        if name.startswith("SFU_") and name not in known:
            near = difflib.get_close_matches(name.removeprefix("SFU_").lower(), _BY_NAME, n=1)
            hint = f"; did you mean {_BY_NAME[near[0]].variable}?" if near else ""
            # Not by structlog: logs are set up by these settings, and without any set-up this reaches standard error.
            logging.getLogger("sfu").warning("%s is not a setting and is ignored%s", name, hint)


_SECRET: Final = frozenset({"keys", "webhook_urls"})
"""Settings whose values may hold a secret: no message repeats them."""


def _read(setting: Setting, value: Any, source: str) -> Any:
    try:
        return setting.parse(value)
    except ValueError as error:
        shown = "the value" if setting.name in _SECRET else repr(value)
        raise ConfigError(f"{setting.name}: {shown} from {source} cannot be used: {error}") from None
