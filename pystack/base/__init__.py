"""What every layer stands on; knows no protocol."""

from pystack.base.core import Core, Ended, PathCore
from pystack.base.machine import Machine, Table
from pystack.base.rand import Randomness, SecretRandomness, SeededRandomness
from pystack.base.ranges import RangeSet
from pystack.base.revise import revise
from pystack.base.serial import (
    Unwrapper,
    serial_add,
    serial_gt,
    serial_gte,
    serial_lt,
    serial_lte,
    wrap_delta,
)
from pystack.base.timers import Backoff, TimerSet
from pystack.base.trace import Trace

__all__ = [
    "Backoff",
    "Core",
    "Ended",
    "Machine",
    "PathCore",
    "Randomness",
    "RangeSet",
    "SecretRandomness",
    "SeededRandomness",
    "Table",
    "TimerSet",
    "Trace",
    "Unwrapper",
    "revise",
    "serial_add",
    "serial_gt",
    "serial_gte",
    "serial_lt",
    "serial_lte",
    "wrap_delta",
]
