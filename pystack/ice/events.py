"""What the lite agent and the consent tell the layer above, beside :class:`pystack.base.Ended`."""

from __future__ import annotations

import attrs

from pystack.errors import Reason
from pystack.ice.path import Path
from pystack.ice.states import LiteState

__all__ = ["GenerationRetired", "PathAuthenticated", "PathForgotten", "PathSelected", "StateChanged"]


@attrs.define
class PathAuthenticated:
    """The peer proved on this path that it knows our password: datagrams from there belong to this session."""

    path: Path


@attrs.define
class PathForgotten:
    """The path made room for others; datagrams from there are no longer this session's."""

    path: Path


@attrs.define
class PathSelected:
    """The peer nominated this path: send here from now on."""

    path: Path


@attrs.define
class StateChanged:
    """The state moved; ``reason`` says why when it is ``FAILED``."""

    state: LiteState
    reason: Reason | None = None


@attrs.define
class GenerationRetired:
    """The credentials with this user fragment are no longer honoured: a restart has replaced them."""

    ufrag: str
