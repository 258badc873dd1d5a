"""Follows the dependency descriptors of one stream: keeps the structure that holds, and counts what cannot be read."""

from __future__ import annotations

from collections import Counter

from pystack.errors import DecodeError
from pystack.rtp.descriptor.dependency import DependencyDescriptor
from pystack.rtp.descriptor.frame import FrameDependencies
from pystack.rtp.descriptor.structure import FrameDependencyStructure

__all__ = ["DependencyReader"]


class DependencyReader:
    """One per received stream.

    Usage::

        reader = DependencyReader()
        found = reader.read(element)              # the value of the extension, as ExtensionReader gives it
        if found is not None:
            descriptor, frame = found
            wanted = frame.dtis[decode_target]    # NOT_PRESENT: need not be forwarded for that target

    Attributes:
        structure: the one that holds; ``None`` before the first key frame.
        active_decode_targets: a bit for each decode target that is being sent.
        drops: elements that could not be read, by reason: ``early`` (before a structure came) and ``malformed``.
    """

    __slots__ = ("active_decode_targets", "drops", "structure")

    def __init__(self) -> None:
        self.structure: FrameDependencyStructure | None = None
        self.active_decode_targets = 0
        self.drops: Counter[str] = Counter()

    def read(self, data: bytes) -> tuple[DependencyDescriptor, FrameDependencies] | None:
        """Read the descriptor of one packet; ``None`` if it cannot be, which is counted. Never raises."""
        try:
            descriptor = DependencyDescriptor.parse(data, self.structure)
        except DecodeError:
            self.drops["malformed" if self.structure is not None else "early"] += 1
            return None
        structure = descriptor.structure
        if structure is not None:
            self.structure = structure
            self.active_decode_targets = (1 << structure.decode_targets) - 1
        if descriptor.active_decode_targets is not None:
            self.active_decode_targets = descriptor.active_decode_targets
        assert self.structure is not None
        return descriptor, descriptor.resolve(self.structure)
