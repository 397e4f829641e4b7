"""Bars as a drawing that any browser shows without script; its colours are those of the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from gitu_web.console.texts import say

WIDTH, NARROW, HEIGHT, LEFT, BOTTOM, TOP = 720, 340, 220, 52, 28, 12
LETTER, BETWEEN = 6.8, 80.0
"""How wide a letter below the bars is, and how far apart two labels stand at least."""

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


def both(data: Mapping[str, Any], title: str) -> str:
    """The drawing of a chart block for wide screens and for narrow ones; a page shows one of them."""
    return svg(data, title, WIDTH, "wide") + svg(data, title, NARROW, "narrow")


def svg(data: Mapping[str, Any], title: str, width: int = WIDTH, name: str = "wide") -> str:
    """The drawing of a chart block, as wide as that and of the class *name*."""
    labels = [str(each) for each in data.get("labels", ())][:MOST]
    series = [(str(each.get("name", "")), numbers(each.get("values"))) for each in data.get("series", ())
              if isinstance(each, Mapping)][:SERIES]  # fmt: skip
    most = max([value for _, values in series for value in values[: len(labels)]], default=0.0)
    top, unit = _round_up(most), str(data.get("unit", ""))
    about = escape(say("chart.about", title=title, bars=len(labels), most=f"{_short(most)} {unit}".strip()), quote=True)
    parts = [f'<svg class="chart {name}" viewBox="0 0 {width} {HEIGHT}" role="img" aria-label="{about}">']
    plot = HEIGHT - BOTTOM - TOP
    for step in range(5):
        y = TOP + plot * step / 4
        tick = escape(_short(top * (4 - step) / 4))
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{width}" y2="{y:.1f}"></line>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>')
    slot = (width - LEFT) / max(1, len(labels))
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
    return "".join([*parts, *_below(labels, slot, width), "</svg>"])


def _below(labels: Sequence[str], slot: float, width: int) -> Iterator[str]:
    """The words below the bars, *slot* apart: as many as have room, none over another or beyond the edge."""
    every, end = max(1, math.ceil(BETWEEN / slot)), 0.0
    room = int(slot * every / LETTER)
    for number in range(0, len(labels), every):
        label = labels[number]
        words = label if len(label) < room else label[: room - 2] + chr(0x2026)
        half = len(words) * LETTER / 2
        x = min(max(LEFT + slot * (number + 0.5), half), width - half)
        if x - half >= end:
            yield f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(words)}</text>'
            end = x + half


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
