"""How the frames of a stream may depend on each other: the template structure (AV1 RTP specification, appendix A.8).

It comes with a key frame and holds until the next one that comes; each packet then names a template of it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import attrs

from pystack.errors import DecodeError, InvalidArgument
from pystack.rtp.descriptor.bits import BitReader, BitWriter

__all__ = ["TEMPLATE_IDS", "DecodeTargetIndication", "FrameDependencyStructure", "FrameTemplate"]

TEMPLATE_IDS: Final = 64
_SAME, _NEXT_TEMPORAL, _NEXT_SPATIAL, _NO_MORE = 0, 1, 2, 3
_MAX_FDIFFS: Final = 64
"""More references than any codec has buffers for; bounds what a peer can make us build from one extension."""


class DecodeTargetIndication(IntEnum):
    """What a frame is to one decode target."""

    NOT_PRESENT = 0
    DISCARDABLE = 1
    SWITCH = 2
    REQUIRED = 3


@attrs.frozen(kw_only=True)
class FrameTemplate:
    """What frames of one kind have in common.

    Attributes:
        spatial_id: their spatial layer.
        temporal_id: their temporal layer.
        dtis: what they are to each decode target.
        fdiffs: how many frames back their references are, 1 to 16 each.
        chain_fdiffs: for each chain how many frames back its last frame is, 0 to 15; 0: the chain begins here.
    """

    spatial_id: int = 0
    temporal_id: int = 0
    dtis: tuple[DecodeTargetIndication, ...]
    fdiffs: tuple[int, ...] = ()
    chain_fdiffs: tuple[int, ...] = ()


@attrs.frozen(kw_only=True)
class FrameDependencyStructure:
    """The templates of a stream.

    Attributes:
        template_id_offset: the id of the first template, 0 to 63; ids go on from there modulo 64.
        decode_targets: how many there are, 1 to 32.
        templates: ordered by spatial, then temporal layer.
        protected_by: for each decode target the chain that protects it; empty without chains.
        resolutions: width and height of each spatial layer in pixels; empty if they are not told.
    """

    template_id_offset: int = 0
    decode_targets: int
    templates: tuple[FrameTemplate, ...]
    protected_by: tuple[int, ...] = ()
    resolutions: tuple[tuple[int, int], ...] = ()

    @property
    def chains(self) -> int:
        """How many chains there are."""
        return len(self.templates[0].chain_fdiffs)

    @property
    def spatial_layers(self) -> int:
        """How many spatial layers there are."""
        return self.templates[-1].spatial_id + 1

    def template(self, template_id: int) -> FrameTemplate | None:
        """The template with that id; ``None`` if there is none."""
        index = (template_id - self.template_id_offset) % TEMPLATE_IDS
        return self.templates[index] if index < len(self.templates) else None

    def layer_of(self, decode_target: int) -> tuple[int, int]:
        """The highest spatial and temporal layer that a decode target shows (appendix A.8.2)."""
        shown = [each for each in self.templates if each.dtis[decode_target]]
        return (
            max((each.spatial_id for each in shown), default=0),
            max((each.temporal_id for each in shown), default=0),
        )

    def write(self, bits: BitWriter) -> None:
        """Write ``template_dependency_structure()``.

        Raises:
            InvalidArgument: the parts do not fit together, or a number does not fit its field.
        """
        self._check()
        bits.fixed(self.template_id_offset, 6)
        bits.fixed(self.decode_targets - 1, 5)
        for before, after in zip(self.templates, self.templates[1:], strict=False):
            bits.fixed(_step(before, after), 2)
        bits.fixed(_NO_MORE, 2)
        for template in self.templates:
            for indication in template.dtis:
                bits.fixed(indication, 2)
        for template in self.templates:
            for fdiff in template.fdiffs:
                bits.fixed(1, 1)
                bits.fixed(fdiff - 1, 4)
            bits.fixed(0, 1)
        chains = self.chains
        bits.below(chains, self.decode_targets + 1)
        if chains:
            for chain in self.protected_by:
                bits.below(chain, chains)
            for template in self.templates:
                for distance in template.chain_fdiffs:
                    bits.fixed(distance, 4)
        bits.fixed(bool(self.resolutions), 1)
        for width, height in self.resolutions:
            bits.fixed(width - 1, 16)
            bits.fixed(height - 1, 16)

    @classmethod
    def read(cls, bits: BitReader) -> FrameDependencyStructure:
        """Read ``template_dependency_structure()``.

        Raises:
            DecodeError: it runs past the end, or holds more templates or references than can be.
        """
        offset = bits.fixed(6)
        targets = bits.fixed(5) + 1
        layers = _read_layers(bits)
        dtis = [tuple(DecodeTargetIndication(bits.fixed(2)) for _ in range(targets)) for _ in layers]
        fdiffs = [_read_fdiffs(bits) for _ in layers]
        chains = bits.below(targets + 1)
        protected_by: tuple[int, ...] = ()
        chain_fdiffs: list[tuple[int, ...]] = [()] * len(layers)
        if chains:
            protected_by = tuple(bits.below(chains) for _ in range(targets))
            chain_fdiffs = [tuple(bits.fixed(4) for _ in range(chains)) for _ in layers]
        resolutions: tuple[tuple[int, int], ...] = ()
        if bits.flag():
            resolutions = tuple((bits.fixed(16) + 1, bits.fixed(16) + 1) for _ in range(layers[-1][0] + 1))
        return cls(
            template_id_offset=offset,
            decode_targets=targets,
            templates=tuple(
                FrameTemplate(spatial_id=spatial, temporal_id=temporal, dtis=dti, fdiffs=fdiff, chain_fdiffs=chain)
                for (spatial, temporal), dti, fdiff, chain in zip(layers, dtis, fdiffs, chain_fdiffs, strict=True)
            ),
            protected_by=protected_by,
            resolutions=resolutions,
        )

    def _check(self) -> None:
        if not 1 <= len(self.templates) <= TEMPLATE_IDS:
            raise InvalidArgument(f"a structure has 1 to {TEMPLATE_IDS} templates, not {len(self.templates)}")
        first = self.templates[0]
        if first.spatial_id or first.temporal_id:
            raise InvalidArgument("the first template is of spatial and temporal layer 0")
        for each in self.templates:
            if len(each.dtis) != self.decode_targets:
                raise InvalidArgument(f"{len(each.dtis)} indications for {self.decode_targets} decode targets")
            if len(each.chain_fdiffs) != self.chains:
                raise InvalidArgument("templates differ in the number of their chains")
        if len(self.protected_by) != (self.decode_targets if self.chains else 0):
            raise InvalidArgument("with chains, each decode target names the one that protects it")
        if self.resolutions and len(self.resolutions) != self.spatial_layers:
            raise InvalidArgument(f"{len(self.resolutions)} resolutions for {self.spatial_layers} spatial layers")


def _step(before: FrameTemplate, after: FrameTemplate) -> int:
    """``next_layer_idc`` between two templates."""
    spatial, temporal = after.spatial_id - before.spatial_id, after.temporal_id - before.temporal_id
    if (spatial, temporal) == (0, 0):
        return _SAME
    if (spatial, temporal) == (0, 1):
        return _NEXT_TEMPORAL
    if spatial == 1 and after.temporal_id == 0:
        return _NEXT_SPATIAL
    raise InvalidArgument("templates are ordered by spatial, then temporal layer, without a gap")


def _read_layers(bits: BitReader) -> list[tuple[int, int]]:
    spatial = temporal = 0
    layers: list[tuple[int, int]] = []
    step = _SAME
    while step != _NO_MORE:
        if len(layers) == TEMPLATE_IDS:
            raise DecodeError("dependency descriptor: more than 64 templates")
        layers.append((spatial, temporal))
        step = bits.fixed(2)
        if step == _NEXT_TEMPORAL:
            temporal += 1
        elif step == _NEXT_SPATIAL:
            spatial, temporal = spatial + 1, 0
    return layers


def _read_fdiffs(bits: BitReader) -> tuple[int, ...]:
    fdiffs: list[int] = []
    while bits.flag():
        if len(fdiffs) == _MAX_FDIFFS:
            raise DecodeError("dependency descriptor: more than 64 references")
        fdiffs.append(bits.fixed(4) + 1)
    return tuple(fdiffs)
