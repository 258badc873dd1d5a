"""The dependency descriptor as it stands in one packet (AV1 RTP specification, appendix A)."""

from __future__ import annotations

from typing import Final

import attrs

from pystack.errors import DecodeError, InvalidArgument
from pystack.rtp.descriptor.bits import BitReader, BitWriter
from pystack.rtp.descriptor.frame import FrameDependencies
from pystack.rtp.descriptor.structure import DecodeTargetIndication, FrameDependencyStructure

__all__ = ["DependencyDescriptor"]

_MANDATORY: Final = 3
_MAX_FDIFFS: Final = 64


@attrs.define(kw_only=True)
class DependencyDescriptor:
    """One extension element.

    Attributes:
        start_of_frame: whether the packet is the first of its frame.
        end_of_frame: whether it is the last.
        template_id: the template of the frame, 0 to 63.
        frame_number: 16 bits.
        structure: a template structure that comes with it, as with each key frame.
        active_decode_targets: a bit for each decode target that is being sent, the first is bit 0; ``None`` if it is
            not told here: as it was, or all of a structure that comes.
        custom_dtis: what stands for the template's indications.
        custom_fdiffs: what stands for the template's references, 1 to 4096 each.
        custom_chain_fdiffs: what stands for the template's chains, 0 to 255 each.
    """

    start_of_frame: bool = True
    end_of_frame: bool = True
    template_id: int
    frame_number: int
    structure: FrameDependencyStructure | None = None
    active_decode_targets: int | None = None
    custom_dtis: tuple[DecodeTargetIndication, ...] | None = None
    custom_fdiffs: tuple[int, ...] | None = None
    custom_chain_fdiffs: tuple[int, ...] | None = None

    def serialize(self, known: FrameDependencyStructure | None = None) -> bytes:
        """Write the element.

        Args:
            known: the structure that the receiver has; of no effect if one comes with it.

        Raises:
            InvalidArgument: there is no structure, no such template in it, or a value does not fit.
        """
        structure = self.structure or known
        if structure is None:
            raise InvalidArgument("the first descriptor of a stream brings its structure")
        if structure.template(self.template_id) is None:
            raise InvalidArgument(f"template {self.template_id} is not in the structure")
        bits = BitWriter()
        bits.fixed(self.start_of_frame, 1)
        bits.fixed(self.end_of_frame, 1)
        bits.fixed(self.template_id, 6)
        bits.fixed(self.frame_number, 16)
        extended = (
            self.structure,
            self.active_decode_targets,
            self.custom_dtis,
            self.custom_fdiffs,
            self.custom_chain_fdiffs,
        )
        if any(each is not None for each in extended):
            for each in extended:
                bits.fixed(each is not None, 1)
            if self.structure is not None:
                self.structure.write(bits)
            self._write_frame(bits, structure)
        return bits.finish()

    @classmethod
    def parse(cls, data: bytes, known: FrameDependencyStructure | None = None) -> DependencyDescriptor:
        """Read the element.

        Args:
            data: its value.
            known: the structure that came last in the stream.

        Raises:
            DecodeError: it is cut short, needs a structure that is not known, or names a template that is not there.
        """
        if len(data) < _MANDATORY:
            raise DecodeError("dependency descriptor: too short")
        bits = BitReader(data)
        found = cls(
            start_of_frame=bits.flag(), end_of_frame=bits.flag(), template_id=bits.fixed(6), frame_number=bits.fixed(16)
        )
        comes = active = dtis = fdiffs = chains = False
        if len(data) > _MANDATORY:
            comes, active, dtis, fdiffs, chains = (bits.flag() for _ in range(5))
        if comes:
            found.structure = known = FrameDependencyStructure.read(bits)
        if known is None:
            raise DecodeError("dependency descriptor: its structure is not known")
        if known.template(found.template_id) is None:
            raise DecodeError("dependency descriptor: no such template")
        if active:
            found.active_decode_targets = bits.fixed(known.decode_targets)
        if dtis:
            found.custom_dtis = tuple(DecodeTargetIndication(bits.fixed(2)) for _ in range(known.decode_targets))
        if fdiffs:
            found.custom_fdiffs = _read_fdiffs(bits)
        if chains:
            found.custom_chain_fdiffs = tuple(bits.fixed(8) for _ in range(known.chains))
        return found

    def resolve(self, structure: FrameDependencyStructure) -> FrameDependencies:
        """What it says of its frame.

        Args:
            structure: the one that holds: that which comes with it, else the last.

        Raises:
            InvalidArgument: no such template is in it.
        """
        template = structure.template(self.template_id)
        if template is None:
            raise InvalidArgument(f"template {self.template_id} is not in the structure")
        resolutions = structure.resolutions
        return FrameDependencies(
            frame_number=self.frame_number,
            spatial_id=template.spatial_id,
            temporal_id=template.temporal_id,
            dtis=template.dtis if self.custom_dtis is None else self.custom_dtis,
            fdiffs=template.fdiffs if self.custom_fdiffs is None else self.custom_fdiffs,
            chain_fdiffs=template.chain_fdiffs if self.custom_chain_fdiffs is None else self.custom_chain_fdiffs,
            resolution=resolutions[template.spatial_id] if resolutions else None,
        )

    def _write_frame(self, bits: BitWriter, structure: FrameDependencyStructure) -> None:
        if self.active_decode_targets is not None:
            bits.fixed(self.active_decode_targets, structure.decode_targets)
        if self.custom_dtis is not None:
            if len(self.custom_dtis) != structure.decode_targets:
                raise InvalidArgument(
                    f"{len(self.custom_dtis)} indications for {structure.decode_targets} decode targets"
                )
            for indication in self.custom_dtis:
                bits.fixed(indication, 2)
        if self.custom_fdiffs is not None:
            for fdiff in self.custom_fdiffs:
                size = max(1, -(-(fdiff - 1).bit_length() // 4))
                bits.fixed(size, 2)
                bits.fixed(fdiff - 1, 4 * size)
            bits.fixed(0, 2)
        if self.custom_chain_fdiffs is not None:
            if len(self.custom_chain_fdiffs) != structure.chains:
                raise InvalidArgument(f"{len(self.custom_chain_fdiffs)} distances for {structure.chains} chains")
            for distance in self.custom_chain_fdiffs:
                bits.fixed(distance, 8)


def _read_fdiffs(bits: BitReader) -> tuple[int, ...]:
    fdiffs: list[int] = []
    while size := bits.fixed(2):
        if len(fdiffs) == _MAX_FDIFFS:
            raise DecodeError("dependency descriptor: more than 64 references")
        fdiffs.append(bits.fixed(4 * size) + 1)
    return tuple(fdiffs)
