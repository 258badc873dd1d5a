"""The signalling half of a connection: which description is made, applied and rolled back, and what follows from it.

The value that is negotiated, and every rule on it, is :mod:`pystack.sdp.jsep`. Here is the order of things around it
(W3C webrtc-pc section 4.4.1.5): read first and touch nothing until the text is known to be usable; then media, then
the transports, then tell. Everything is synchronous: applying a description schedules the start of transports and
waits for nobody (rule L8).

ICE restarts are here as well, because credentials travel in descriptions: a restart that was asked for happens with
the next offer that is made in a stable state, so that it never pulls the credentials from under a pending one.

Used by the connection alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from pystack.aio import Driver, IceParameters, IceTransport
from pystack.errors import LocalProtocolError, StackError
from pystack.peer import events as told
from pystack.peer.description import IceCandidate, SessionDescription
from pystack.peer.events import PeerEvent
from pystack.peer.transceivers import Transceivers
from pystack.sdp import jsep
from pystack.sdp.jsep import SignalingState
from pystack.session import Session

__all__ = ["Signaling"]

_EARLY_CANDIDATES: Final = 64
_TOLD_CANDIDATES: Final = 256

_ROLLED_BACK: Final = (SignalingState.HAVE_LOCAL_OFFER, SignalingState.HAVE_REMOTE_OFFER)
"""Where a rollback of either side is legal (RFC 9429 section 4.1.10.2)."""


class Signaling:
    """Where a negotiation stands, and what moves it.

    Args:
        session, driver, ice, transceivers: what follows the descriptions.
        describe: what this side wants now.
        emit: tells the application.
        on_change: called when states may have changed.
        on_data_rejected: called when an exchange leaves no section of data where there was one, or was to be one.
        session_id: 62 random bits.

    Attributes:
        negotiation: the value.
    """

    def __init__(
        self,
        *,
        session: Session,
        driver: Driver,
        ice: IceTransport,
        transceivers: Transceivers,
        describe: Callable[[], jsep.LocalSession],
        emit: Callable[[PeerEvent], None],
        on_change: Callable[[], None],
        on_data_rejected: Callable[[], None],
        session_id: int,
    ) -> None:
        self.negotiation = jsep.start(session_id)
        self._session = session
        self._driver = driver
        self._ice = ice
        self._transceivers = transceivers
        self._describe: Callable[[], jsep.LocalSession] = describe
        self._emit: Callable[[PeerEvent], None] = emit
        self._on_change: Callable[[], None] = on_change
        self._on_data_rejected: Callable[[], None] = on_data_rejected
        self._made: jsep.LocalDescription | None = None
        self._shown: tuple[tuple[str, tuple[str, ...], bool], str] = ("", (), False), ""
        self._early: list[IceCandidate | None] = []
        self._told: set[str] = set()
        self._controlling: bool | None = None
        self._restart_wanted = False
        self._restarted = False  # the ICE transport is in a generation that is not agreed yet
        self._restart_offered = False  # and the offer that is pending says so
        self._restart_again = False  # and it was asked for once more since
        self._data_mids: frozenset[str] = frozenset()  # living sections of data since the state was stable
        self._check_scheduled = False
        self._needed = False
        self._ended = False

    # ---- what the application asks for

    def create_offer(self, ice_restart: bool) -> SessionDescription:
        """Make an offer of what is wanted now."""
        self._restart_wanted = self._restart_wanted or (ice_restart and self.negotiation.transport is not None)
        return self._describe_made(self._make("offer"))

    def create_answer(self) -> SessionDescription:
        """Make the answer to the remote offer that is pending."""
        return self._describe_made(self._make("answer"))

    def set_local(self, description: SessionDescription | None) -> None:
        """Apply a description of ours, by default the one that the state asks for."""
        if description is not None and description.type == "rollback":
            self._roll_back("local")
        elif not self._is_pending(description):
            self._apply_local(self._choose_local(description))

    def set_remote(self, description: SessionDescription) -> None:
        """Apply the peer's description; nothing has changed when it raises."""
        if description.type == "rollback":
            self._roll_back("remote")
            return
        text = description.sdp
        if description.type == "offer" and self.negotiation.state is SignalingState.HAVE_LOCAL_OFFER:
            # Nothing is rolled back for an offer that cannot be used: read it against the old value first.
            jsep.apply_remote(jsep.rollback(self.negotiation), "offer", text, self._describe())
            self._roll_back("local")
        self._apply_remote(description.type, text)

    def add_candidate(self, candidate: IceCandidate | None) -> None:
        """Tell ICE a candidate of the peer; keep it, within a bound, if the description is yet to come."""
        if self.negotiation.transport is not None:
            self._tell_candidate(candidate)
        elif len(self._early) < _EARLY_CANDIDATES:
            self._early.append(candidate)
        else:
            self._session.drops["candidate too early"] += 1

    def restart_ice(self) -> None:
        """Restart ICE with the next offer, and ask for it."""
        if self._restart_offered:  # what that offer brings is already to be replaced (W3C restartIce, step 2)
            self._restart_again = True
        else:
            self._restart_wanted = True
        self.check_needed()

    # ---- what can be read

    @property
    def controlling(self) -> bool:
        """RFC 8445 section 6.1.1: the full agent controls; between equals, the one that offered first.

        A role that the checks settled is kept through restarts, as the peer keeps its own: begun anew, a conflict would
        have to be resolved in each generation.
        """
        settled = self._ice.controlling
        if settled is not None:
            return settled
        transport = self.negotiation.transport
        return bool(self._controlling) or (transport is not None and transport.ice_lite)

    @property
    def started(self) -> bool:
        """Whether a description was applied, so that it is known who controls."""
        return self._controlling is not None

    @property
    def candidate_section(self) -> tuple[str, int]:
        """The section whose candidates count: the bundle's first, else the first that is not dead."""
        negotiation = self.negotiation
        for index, slot in enumerate(negotiation.slots):
            if slot.mid == negotiation.bundle[0] if negotiation.bundle else not slot.dead:
                return slot.mid, index
        return "0", 0

    def local_text(self, applied: jsep.AppliedDescription | None) -> SessionDescription | None:
        """A local description with the candidates gathered so far."""
        if applied is None:
            return None
        complete = self._ice.gathering_state == "complete"
        candidates = tuple(self._ice.local_candidates)
        known, text = self._shown
        if known != (applied.text, candidates, complete):
            text = jsep.with_candidates(applied.text, candidates, complete=complete)
            self._shown = (applied.text, candidates, complete), text
        return SessionDescription(applied.type, text)

    def remote_text(self, applied: jsep.AppliedDescription | None) -> SessionDescription | None:
        """A remote description as it came."""
        return None if applied is None else SessionDescription(applied.type, applied.text)

    # ---- what the connection tells it

    def start_transports(self) -> None:
        """Start DTLS, and the association, when the path is there and both descriptions are."""
        negotiation = self.negotiation
        if negotiation.dtls_role is None or negotiation.transport is None:
            return
        now = self._driver.now()
        if self._ice.state in {"connected", "completed"}:
            self._session.start(negotiation.dtls_role, negotiation.transport.fingerprints, now)
        if negotiation.sctp is not None:
            self._session.start_data(negotiation.sctp.max_message_size, now, negotiation.sctp.remote_port)

    def check_needed(self) -> None:
        """Say once, at the end of this turn of the loop, that a negotiation is needed (W3C 4.7.3)."""
        if not self._check_scheduled and not self._ended:
            self._check_scheduled = True
            asyncio.get_running_loop().call_soon(self._tell_needed)

    def end(self) -> None:
        """The connection ended: nothing is called any more. What was agreed can still be read."""
        self._ended = True
        self._emit = _ignore
        self._on_change = self._on_data_rejected = _ignore
        self._early.clear()
        self._told.clear()

    # ---- making and choosing

    def _make(self, kind: str, *, provisional: bool = False) -> jsep.LocalDescription:
        negotiation = self.negotiation
        if kind == "offer":
            made = jsep.create_offer(negotiation, self._describe())
            # Also in the place of an offer that is pending: who makes another has given up the first.
            if self._restart_wanted and not self._restarted:
                self._restart()
                made = jsep.create_offer(negotiation, self._describe())
        else:
            made = jsep.create_answer(negotiation, self._describe(), provisional=provisional)
        self._made = made
        return made

    def _is_pending(self, description: SessionDescription | None) -> bool:
        """Whether it was applied already, and nothing came after it."""
        pending = self.negotiation.pending_local
        return (
            description is not None
            and pending is not None
            and (pending.type, pending.text) == (description.type, description.sdp)
        )

    @staticmethod
    def _describe_made(made: jsep.LocalDescription) -> SessionDescription:
        return SessionDescription(made.type, made.text)

    def _choose_local(self, description: SessionDescription | None) -> jsep.LocalDescription:
        made = self._made
        state = self.negotiation.state
        if description is None or not description.sdp:
            # Made anew, because what was made before may not be what is wanted now.
            answering = state in {SignalingState.HAVE_REMOTE_OFFER, SignalingState.HAVE_LOCAL_PRANSWER}
            wanted = description.type if description is not None else "answer" if answering else "offer"
            return self._make(wanted, provisional=wanted == "pranswer")
        kind = "answer" if description.type == "pranswer" else description.type
        if made is None or made.text != description.sdp or made.type != kind:
            raise LocalProtocolError(
                "set local description",
                state.value,
                "the description is not the one that create_offer or create_answer made last; apply that one unchanged",
            )
        if description.type == "pranswer":
            return self._make("pranswer", provisional=True)
        return made

    # ---- applying

    def _apply_local(self, made: jsep.LocalDescription) -> None:
        before = self.negotiation
        self.negotiation = jsep.apply_local(before, made)
        self._made = None
        self._restart_offered = self._restarted and made.type == "offer"
        self._transceivers.place(made.sections)
        if self._controlling is None:
            self._controlling = made.type == "offer"
        self._follow(before)
        if self._ice.gathering_state == "new" and not self._ended:
            self._emit(told.IceGatheringStateChanged("gathering"))
            self._ice.gather()

    def _apply_remote(self, kind: jsep.DescriptionType, text: str) -> None:
        before = self.negotiation
        negotiation = jsep.apply_remote(before, kind, text, self._describe())
        if kind == "offer" or not self._restart_offered:
            self._undo_restart()  # of an offer that was made and never applied: the answer is to theirs, or to another
        self._tell_ice(negotiation, offered=kind == "offer")  # before anything changed: it may refuse
        self.negotiation = negotiation
        self._made = None
        if self._controlling is None:
            self._controlling = kind != "offer"
        heard = self._transceivers.meet(negotiation.remote_sections, offered=kind == "offer")
        self._follow(before)
        for event in heard:
            self._emit(event)

    def _roll_back(self, whose: str) -> None:
        before = self.negotiation
        if before.state not in _ROLLED_BACK:
            state = before.state.value
            raise LocalProtocolError(
                f"roll back by the {whose} description",
                state,
                f"a rollback as {whose} description is not legal in state {state}: there is no offer that waits for "
                "its first answer",
            )
        self.negotiation = jsep.rollback(before)
        if self.negotiation.transport is None:
            self._controlling = None  # whoever offers next
        self._made = None
        self._undo_restart()
        heard = self._transceivers.unplace(self.negotiation)
        self._follow(before)
        for event in heard:
            self._emit(event)

    def _follow(self, before: jsep.Negotiation) -> None:
        """Follow a change of the value: media first, then the transports, then tell."""
        negotiation = self.negotiation
        stable = negotiation.state is SignalingState.STABLE
        if negotiation.sections is not before.sections:
            self._transceivers.settle(negotiation.sections, final=stable)
            if stable and self._restarted:
                self._ice.keep_restart()
                self._restarted = self._restart_offered = False
                self._restart_wanted, self._restart_again = self._restart_again, False
        offered = negotiation.state in {SignalingState.HAVE_LOCAL_OFFER, SignalingState.HAVE_REMOTE_OFFER}
        if (
            negotiation.transport is not None
            and negotiation.dtls_role is not None
            and not (offered and self._restarted)  # what is only offered can still be rolled back
        ):
            self._ice.start(self.controlling)
            self.start_transports()
        if negotiation.state is not before.state:
            self._emit(told.SignalingStateChanged(negotiation.state.value))
        if stable:
            self._needed = False
            self.check_needed()
        self._look_for_rejected_data(stable=stable)
        self._on_change()
        self._driver.soon()

    def _look_for_rejected_data(self, *, stable: bool) -> None:
        """Say so when an exchange ended a section of data, or let none begin; one that was rolled back is just gone."""
        of_data = [slot for slot in self.negotiation.slots if slot.kind == "application"]
        living = frozenset(slot.mid for slot in of_data if not slot.dead)
        if not stable:
            self._data_mids |= living
            return
        rejected = any(slot.dead and slot.mid in self._data_mids for slot in of_data)
        self._data_mids = living
        if rejected and not living:
            self._on_data_rejected()

    def _tell_needed(self) -> None:
        self._check_scheduled = False
        if self._ended or self.negotiation.state is not SignalingState.STABLE:
            return
        needed, self._needed = self._needed, self._is_needed()
        if self._needed and not needed:
            self._emit(told.NegotiationNeeded())

    def _is_needed(self) -> bool:
        restart = self._restart_wanted and self.negotiation.transport is not None
        return restart or jsep.needs_negotiation(self.negotiation, self._describe())

    # ---- ICE

    def _restart(self) -> None:
        self._ice.restart()
        self._restarted = True

    def _undo_restart(self) -> None:
        """A restart that nobody agreed on did not happen; if it was ours, it is still wanted."""
        if self._restarted and self._ice.undo_restart():
            self._restarted = self._restart_offered = self._restart_again = False

    def _tell_ice(self, negotiation: jsep.Negotiation, *, offered: bool) -> None:
        transport = negotiation.transport
        if transport is None:
            return
        parameters = IceParameters(transport.ufrag, transport.pwd, transport.ice_lite)
        known = self._ice.remote_parameters
        if known != parameters:
            if known is not None and not offered:
                # An answer must not restart ICE on its own (RFC 8839 section 4.4.1.1.1), but a peer whose restart was
                # rolled back in a glare does. What runs goes on, and a restart of ours brings both together again.
                self._restart_wanted = True
                return
            if known is not None:
                self._restart()
            try:
                self._ice.set_remote_parameters(parameters)
            except StackError:
                self._undo_restart()
                raise
            self._told.clear()
        for text in transport.candidates:
            self._tell_text(text)
        early, self._early = self._early, []
        for kept in early:
            self._tell_kept(kept, transport, negotiation.slots)
        if transport.end_of_candidates:
            self._ice.add_remote_candidate(None)

    def _tell_candidate(self, candidate: IceCandidate | None) -> None:
        transport = self.negotiation.transport
        if transport is not None:
            self._tell_kept(candidate, transport, self.negotiation.slots)

    def _tell_kept(
        self, candidate: IceCandidate | None, transport: jsep.RemoteTransport, slots: tuple[jsep.Slot, ...]
    ) -> None:
        """Tell one that came by itself, if it is meant for the transport; count it if not."""
        if candidate is None:
            self._tell_text(None)
        elif why := _foreign(candidate, transport, slots):
            self._session.drops[f"candidate of {why}"] += 1
        else:
            self._tell_text(candidate.candidate)

    def _tell_text(self, text: str | None) -> None:
        """Each candidate once: every description repeats those before it, and ICE has room for so many."""
        if not text:
            self._ice.add_remote_candidate(None)
        elif text not in self._told:
            if len(self._told) < _TOLD_CANDIDATES:
                self._told.add(text)
            self._ice.add_remote_candidate(text)


def _foreign(candidate: IceCandidate, transport: jsep.RemoteTransport, slots: tuple[jsep.Slot, ...]) -> str:
    """Whose it is, if it is not of this generation, or of a section with another transport than the one in use."""
    if candidate.username_fragment not in {None, "", transport.ufrag}:
        return "another generation"
    if candidate.sdp_mid:
        index = next((index for index, slot in enumerate(slots) if slot.mid == candidate.sdp_mid), -1)
    elif candidate.sdp_m_line_index is not None:
        index = candidate.sdp_m_line_index
    else:
        return ""
    if not 0 <= index < len(slots):
        return "an unknown section"
    # A dead section has no transport: some peers write the first one whatever became of it.
    return "" if index == transport.index or slots[index].dead else "a section that is not bundled"


def _ignore(*_: object) -> None:
    return
