"""The wire formats of SCTP (RFC 9260, 3758, 6525, 9653): pure functions and values, no state.

Everything here raises :class:`~pystack.errors.DecodeError` and nothing else on what a peer sent.
"""
