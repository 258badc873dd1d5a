"""A thin selective forwarding unit that LiveKit clients connect to.

``rooms`` decides, ``media`` and ``data`` forward, ``signal`` speaks the LiveKit protocol, ``tracks`` is what a room
knows about media, and ``server`` is the only package with sockets, clocks and tasks in it.
"""

__all__: list[str] = []
