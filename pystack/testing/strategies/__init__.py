"""Hypothesis strategies for what an application, a peer, a bad network or a stranger might hand in."""

from pystack.testing.strategies.bytes import mutate, mutated, noise, payloads

__all__ = ["mutate", "mutated", "noise", "payloads"]
