"""Bars as a drawing that any browser shows without script; its colours are those of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from gitu_web.console.texts import say

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 220, 52, 28, 12
WIDEST = 48.0
"""How wide a bar is at most."""

MOST, SERIES = 120, 6
"""Labels, and bars beside each other, that are drawn at most."""


def numbers(values: Any) -> list[float]:
    """What of a list are numbers; anything else counts as nothing."""
    found = values if isinstance(values, Sequence) and not isinstance(values, str) else ()
    return [
        float(each) if isinstance(each, int | float) and math.isfinite(each) and each > 0 else 0.0 for each in found
    ]


def svg(data: Mapping[str, Any], title: str) -> str:
    """The drawing of a chart block."""
    labels = [str(each) for each in data.get("labels", ())][:MOST]
    series = [(str(each.get("name", "")), numbers(each.get("values"))) for each in data.get("series", ())
              if isinstance(each, Mapping)][:SERIES]  # fmt: skip
    most = max([value for _, values in series for value in values[: len(labels)]], default=0.0)
    top, unit = _round_up(most), str(data.get("unit", ""))
    name = escape(say("chart.about", title=title, bars=len(labels), most=f"{_short(most)} {unit}".strip()), quote=True)
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">']
    plot = HEIGHT - BOTTOM - TOP
    for step in range(5):
        y = TOP + plot * step / 4
        tick = escape(_short(top * (4 - step) / 4))
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH}" y2="{y:.1f}"></line>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>')
    slot = (WIDTH - LEFT) / max(1, len(labels))
    thick = max(1.0, min(WIDEST, slot * 0.7 / max(1, len(series))))
    for number, label in enumerate(labels):
        middle = LEFT + slot * (number + 0.5)
        x = middle - thick * len(series) / 2
        for place, (named, values) in enumerate(series):
            value = values[number] if number < len(values) else 0.0
            tall = plot * value / top if top else 0.0
            told = escape(f"{label}: {_short(value)} {unit} {named}".strip())
            parts.append(f'<rect class="bar s{place}" x="{x + thick * place:.1f}" y="{TOP + plot - tall:.1f}" '
                         f'width="{thick:.1f}" height="{tall:.1f}"><title>{told}</title></rect>')  # fmt: skip
        if number % max(1, math.ceil(len(labels) / 8)) == 0:
            parts.append(f'<text class="tick" x="{middle:.1f}" y="{HEIGHT - 8}" text-anchor="middle">'
                         f"{escape(label if len(label) < 14 else label[:12] + chr(0x2026))}</text>")  # fmt: skip
    return "".join([*parts, "</svg>"])


def _round_up(most: float) -> float:
    if most <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(most))
    return next(step * size for step in (1, 2, 2.5, 5, 10) if step * size >= most)


def _short(value: float) -> str:
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {sign}"
    return f"{value:.3g}"
