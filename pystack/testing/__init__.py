"""A simulated network, clock and event loop, and the laws of a core: public, like ``trio.testing``.

Nothing here opens a socket, sleeps, or reads a clock. :mod:`pystack.testing.laws` and
:mod:`pystack.testing.strategies` need hypothesis (``pip install pystack-rtc[testing]``); the rest does not.
"""
