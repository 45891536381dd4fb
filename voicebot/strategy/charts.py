"""What does a simulation look like? Four charts as SVG, drawn by hand: a browser's own fonts write the Chinese.

Colours are Okabe and Ito's (2008), which people of every colour vision tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from pathlib import Path

from voicebot.strategy.model import Means
from voicebot.strategy.simulation import Outcome

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442", "#000000")
FONTS = "'Noto Sans CJK SC', 'Microsoft YaHei', 'PingFang SC', sans-serif"
WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 84, 190, 68, 56


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    values: Sequence[float]


def write_charts(o: Outcome, first: date, folder: Path) -> list[Path]:
    """Returns the files written."""
    days = [first + timedelta(days=d) for d in range(o.days)]
    channels = [Series(str(m), [o.contacts[d, m] for d in range(o.days)]) for m in Means]
    counters = (
        ("承诺 promised", o.promised),
        ("兑现 kept", o.kept),
        ("结清 paid", o.paid),
        ("接通 reached", o.reached),
    )
    results = [Series(name, [counter[d] for d in range(o.days)]) for name, counter in counters]
    drawn = {
        "contacts.svg": stacked("每日联系量 contacts a day", "次", days, [s for s in channels if any(s.values)]),
        "results.svg": lines("每日结果 results a day", "件", days, results),
        "refusals.svg": bars("按规则的拒绝 refusals by rule", "次", dict(o.refusals.most_common(12))),
        "handed.svg": bars("移交与结局 where cases went", "件", _ends(o)),
    }
    files = []
    for name, svg in drawn.items():
        (folder / name).write_text(svg, "utf-8")
        files.append(folder / name)
    return files


def _ends(o: Outcome) -> dict[str, float]:
    return {"结清 paid": o.paid.total(), **dict(o.handed.most_common()), "仍在进行 open": o.still_open}


def stacked(title: str, unit: str, days: Sequence[date], series: Sequence[Series]) -> str:
    """Bars of each day, one upon another."""
    totals = [sum(s.values[d] for s in series) for d in range(len(days))]
    top, body = _axes(max(totals, default=0), days, unit)
    step = (WIDTH - LEFT - RIGHT) / len(days)
    for d in range(len(days)):
        base = float(HEIGHT - BOTTOM)
        for i, s in enumerate(series):
            height = s.values[d] / top * (HEIGHT - TOP - BOTTOM)
            base -= height
            body += _box(LEFT + d * step + step * 0.1, base, step * 0.8, height, COLOURS[i % len(COLOURS)])
    return _page(title, body + _legend([s.name for s in series]))


def lines(title: str, unit: str, days: Sequence[date], series: Sequence[Series]) -> str:
    top, body = _axes(max((v for s in series for v in s.values), default=0), days, unit)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(days) - 1)
    for i, s in enumerate(series):
        points = " ".join(f"{LEFT + d * step:.1f},{_y(v, top):.1f}" for d, v in enumerate(s.values))
        body += f'<polyline points="{points}" fill="none" stroke="{COLOURS[i % len(COLOURS)]}" stroke-width="2.2"/>'
    return _page(title, body + _legend([s.name for s in series]))


def bars(title: str, unit: str, values: dict[str, float]) -> str:
    """Lying bars, the longest first, each with its number."""
    rows = sorted(((k, v) for k, v in values.items() if v), key=lambda row: -row[1])
    if not rows:
        return _page(title, f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">没有 none</text>')
    height = min(34.0, (HEIGHT - TOP - 30) / len(rows))
    left, widest, body = 220, WIDTH - 220 - 120, ""
    for i, (name, value) in enumerate(rows):
        y = TOP + i * height
        width = widest * value / rows[0][1]
        middle = y + height * 0.5 + 4
        body += _box(left, y + height * 0.15, width, height * 0.7, COLOURS[0])
        body += f'<text x="{left - 10}" y="{middle:.1f}" text-anchor="end">{escape(name)}</text>'
        body += f'<text x="{left + width + 8:.1f}" y="{middle:.1f}">{value:,.0f} {unit}</text>'
    return _page(title, body, round(TOP + len(rows) * height + 24))


def _axes(highest: float, days: Sequence[date], unit: str) -> tuple[float, str]:
    """The top of the scale, and grid, numbers and dates."""
    tick = _tick(highest)
    top = tick * max(1, math.ceil(highest / tick))
    body = f'<text x="{LEFT}" y="{TOP - 12}" fill="#555">{unit}</text>'
    for i in range(round(top / tick) + 1):
        y = _y(i * tick, top)
        body += f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        body += f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{i * tick:,.0f}</text>'
    every = max(1, math.ceil(len(days) / 10))
    step = (WIDTH - LEFT - RIGHT) / len(days)
    for d in range(0, len(days), every):
        x = LEFT + (d + 0.5) * step
        body += f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{days[d]:%m-%d}</text>'
    return top, body


def _tick(highest: float) -> float:
    """A round distance of 1, 2 or 5 times a power of ten that gives four to eight lines."""
    if highest <= 4:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest / 4))
    return next(power * m for m in (1, 2, 5, 10) if highest / (power * m) <= 8)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _legend(names: Sequence[str]) -> str:
    body = ""
    for i, name in enumerate(names):
        y = TOP + 8 + i * 24
        body += _box(WIDTH - RIGHT + 18, y - 11, 14, 14, COLOURS[i % len(COLOURS)])
        body += f'<text x="{WIDTH - RIGHT + 40}" y="{y + 1}">{escape(name)}</text>'
    return body


def _page(title: str, body: str, height: int = HEIGHT) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="{FONTS}" font-size="13" fill="#222"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="20" y="28" font-size="18" font-weight="600">{escape(title)}</text>{body}</svg>\n'
    )
