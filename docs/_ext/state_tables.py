"""``{state-table} module:TABLE``: the drawing of a transition table, made from the table itself, so it cannot lie.

Every state is a box, in the order of the table. Each of its inputs has a line of its own, which runs to the lane of the
state that it leads to; the lane ends in that state's arrow.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from enum import Enum
from html import escape
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

Transitions = Mapping[Enum, Mapping[Enum, Enum]]

ROW = 20
GAP = 10
LETTER = 7.2
LANE = 16
STYLE = """
.state-table {max-width: 100%; height: auto}
.state-table path, .state-table rect {fill: none; stroke: currentColor}
.state-table text {font: 11px monospace; fill: currentColor}
.state-table .state {font-weight: bold; text-anchor: middle}
.state-table circle, .state-table marker path {fill: currentColor}
"""
ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0L8 4L0 8z"/></marker></defs>'
)


def spoken(member: Enum) -> str:
    """What a state or an input is called in words."""
    return member.value if isinstance(member.value, str) else member.name.lower().replace("_", " ")


def load(where: str) -> Transitions:
    """Import ``module:TABLE``."""
    module, _, name = where.partition(":")
    table: Transitions = getattr(importlib.import_module(module), name)
    return table


def states_of(table: Transitions) -> list[Enum]:
    """All states, those that are only led to (final ones) last."""
    return list(dict.fromkeys([*table, *(target for row in table.values() for target in row.values())]))


def draw(table: Transitions) -> str:
    """Draw the table as SVG in the colour of the text around it."""
    states = states_of(table)
    rows = {state: table.get(state, {}) for state in states}
    box = max(len(spoken(state)) for state in states) * LETTER + 24
    labels = max((len(spoken(given)) for row in rows.values() for given in row), default=0) * LETTER + 16
    targets = [state for state in states if any(state in row.values() for row in rows.values())]
    lane = {state: box + labels + (len(targets) - at) * LANE for at, state in enumerate(targets)}
    width = box + labels + (len(targets) + 1) * LANE

    top: dict[Enum, float] = {}
    y = 4.0
    for state in states:
        top[state] = y
        y += (1 + len(rows[state])) * ROW + GAP
    parts: list[str] = []
    reach = {state: [top[state] + ROW / 2] for state in targets}
    for state, row in rows.items():
        height = (1 + len(row)) * ROW
        parts.append(f'<rect x="2" y="{top[state]}" width="{box - 4}" height="{height}" rx="5"/>')
        middle = top[state] + height / 2 + 4
        parts.append(f'<text x="{box / 2}" y="{middle}" class="state">{escape(spoken(state))}</text>')
        for at, (given, target) in enumerate(row.items(), start=1):
            line = top[state] + at * ROW + ROW / 2
            parts.append(f'<path d="M{box - 2} {line}H{lane[target]}"/>')
            parts.append(f'<circle cx="{lane[target]}" cy="{line}" r="2.5"/>')
            parts.append(f'<text x="{box + 6}" y="{line - 3}">{escape(spoken(given))}</text>')
            reach[target].append(line)
    for state in targets:
        line = top[state] + ROW / 2
        parts.append(f'<path d="M{lane[state]} {min(reach[state])}V{max(reach[state])}"/>')
        parts.append(f'<path d="M{lane[state]} {line}H{box + 1}" marker-end="url(#arrow)"/>')
    size = f'viewBox="0 0 {width:.0f} {y:.0f}" width="{width:.0f}" height="{y:.0f}"'
    opening = f'<svg class="state-table" role="img" xmlns="http://www.w3.org/2000/svg" {size}>'
    return f"{opening}<style>{STYLE}</style>{ARROW}{''.join(parts)}</svg>"


class StateTable(Directive):
    """The directive; its one argument is ``module:TABLE``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Put the drawing where the directive stands."""
        table = load(self.arguments[0])
        drawing = nodes.raw("", draw(table), format="html")
        figure = nodes.figure("", drawing)
        module, _, name = self.arguments[0].partition(":")
        figure += nodes.caption("", "", nodes.Text("drawn from "), nodes.literal("", f"{module}.{name}"))
        return [figure]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("state-table", StateTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
