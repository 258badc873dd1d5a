"""The server: the only part of the SFU with sockets, clocks and tasks in it."""

from sfu.server.auth import AuthError, Claims, make_token, verify
from sfu.server.config import Config, ConfigError, load
from sfu.server.runtime import Refused, Runtime
from sfu.server.serve import Server

__all__ = [
    "AuthError",
    "Claims",
    "Config",
    "ConfigError",
    "Refused",
    "Runtime",
    "Server",
    "load",
    "make_token",
    "verify",
]
