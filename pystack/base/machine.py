"""A state machine over a transition table.

Legal moves are data: ``{state: {input: next}}``. A look-up that misses *is* the error. Side effects stay with the
handlers of whoever owns the machine; the documentation's diagrams are drawn from the same tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

from pystack.errors import LocalProtocolError

__all__ = ["Machine", "Table"]

S = TypeVar("S", bound=Enum)
I = TypeVar("I", bound=Enum)  # noqa: E741 - input

Table: TypeAlias = Mapping[S, Mapping[I, S]]
"""``{state: {input: next}}``; a state without a row is final."""


class Machine(Generic[S, I]):
    """Where something stands in its table.

    Attributes:
        state: the present state; read it freely, change it only by :meth:`move`.
    """

    __slots__ = ("_table", "state")

    def __init__(self, table: Table[S, I], state: S) -> None:
        self._table = table
        self.state = state

    def allows(self, given: I) -> bool:
        """Tell whether ``given`` is legal in the present state."""
        return given in self._table.get(self.state, {})

    def move(self, given: I) -> S:
        """Follow ``given``; return the new state.

        Raises:
            LocalProtocolError: ``given`` is not legal here; the state is unchanged. For a *peer's* illegal input ask
                :meth:`allows` first, because a peer's input never raises.
        """
        following = self._table.get(self.state, {}).get(given)
        if following is None:
            raise LocalProtocolError(given.name.lower().replace("_", " "), self.state.name)
        self.state = following
        return following
