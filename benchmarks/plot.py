"""Draws a result as a plain SVG bar chart: the ratio of each case, a line at 1 and one at its target."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

__all__ = ["draw"]

_ROW = 34
_LEFT = 170
_WIDTH = 430
_RIGHT = 160
_TOP = 48


def draw(result: dict[str, Any], title: str) -> str:
    """Return the SVG text of ``result`` as :func:`benchmarks.rounds.measure` gave it."""
    cases = result["cases"]
    top = max([1.2, *(max(case["ratio"], case.get("target", 0)) for case in cases)]) * 1.08
    scale = _WIDTH / top
    height = _TOP + _ROW * len(cases) + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + _RIGHT} {height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="15" font-weight="600" fill="#1c2733">{escape(title)}</text>',
    ]
    for number, case in enumerate(cases):
        y = _TOP + number * _ROW
        parts += [
            f'<text x="{_LEFT - 10}" y="{y + 19}" text-anchor="end" fill="#1c2733">{escape(case["case"])}</text>',
            f'<rect x="{_LEFT}" y="{y + 5}" width="{case["ratio"] * scale:.1f}" height="{_ROW - 12}" rx="3" '
            f'fill="{"#2f7d5b" if case["ratio"] >= 1 else "#b4553a"}"/>',
            f'<text x="{_LEFT + case["ratio"] * scale + 8:.1f}" y="{y + 19}" fill="#1c2733">{case["ratio"]:.2f}x '
            f"({case['ours']:.3g} to {case['peer']:.3g} {escape(case['unit'])})</text>",
        ]
        if "target" in case:
            x = _LEFT + case["target"] * scale
            parts.append(f'<path d="M{x:.1f} {y + 2}v{_ROW - 6}" stroke="#c9a227" stroke-width="2"/>')
    x = _LEFT + scale
    bottom = _TOP + _ROW * len(cases)
    names = sorted({case["peer_name"] for case in cases})
    note = f"ratio to {', '.join(names)}; line at 1; yellow: target; {result['python']}"
    parts += [
        f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="#5b6875" stroke-dasharray="3 3"/>',
        f'<text x="16" y="{bottom + 28}" font-size="11" fill="#5b6875">{escape(note)}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
