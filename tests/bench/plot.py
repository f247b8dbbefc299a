# SPDX-License-Identifier: GPL-2.0-or-later
"""Bar charts as SVG, readable on light and dark pages. No library and nothing random: the same figures make the same file, byte by byte,
so that lint can compare it."""

import dataclasses
from html import escape

WIDTH, MARGIN = 860, 18
ROW, BAR, GROUP = 21, 13, 27  # heights of a row, of its bar, of a group's heading
LETTER = 7.0  # no letter of a label is wider on average
STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de; }
  text { fill: #1f2328; font-size: 13px; }
  .title { font-size: 16px; font-weight: 600; } .head { font-weight: 600; } .group { font-weight: 600; fill: #57606a; }
  .note { fill: #57606a; font-size: 12px; }
  .group, .note { stroke: #ffffff; stroke-width: 3px; paint-order: stroke; }
  .axis { stroke: #8c959f; } .grid { stroke: #d0d7de; stroke-dasharray: 2 3; }
  .mark { stroke: #b3261e; stroke-width: 1.5; stroke-dasharray: 5 3; } .t-mark { fill: #b3261e; font-size: 12px; }
  .whisker { stroke: #1f2328; fill: none; }
  .other { fill: #8c959f; } .tap { fill: #0b62c4; } .packet { fill: #2f7d3b; } .polkit { fill: #b35900; }
  @media (prefers-color-scheme: dark) {
    .card { fill: #161b22; stroke: #30363d; }
    text { fill: #e6edf3; } .group, .note { fill: #9aa4ae; stroke: #161b22; }
    .axis { stroke: #6e7681; } .grid { stroke: #30363d; }
    .mark { stroke: #ff7b72; } .t-mark { fill: #ff7b72; }
    .whisker { stroke: #e6edf3; }
    .other { fill: #6e7681; } .tap { fill: #4a90e2; } .packet { fill: #57ab5a; } .polkit { fill: #d9863b; }
  }
"""


@dataclasses.dataclass
class Bar:
    """A row: its bar, and the spread as a whisker. With value None it is a group's heading."""

    label: str
    value: float = None
    low: float = None
    high: float = None
    color: str = "other"  # a class of STYLE


@dataclasses.dataclass
class Panel:
    title: str
    bars: list
    mark: float = None  # a line across all bars, with its text
    mark_text: str = ""

    def height(self):
        return 58 + sum(GROUP if bar.value is None else ROW for bar in self.bars) + (18 if self.mark_text else 0)

    def most(self):
        return max([bar.high or bar.value for bar in self.bars if bar.value is not None] + [self.mark or 0])


def number(value):
    """As bars are labelled: three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def step_of(most):
    """Between grid lines: one, two or five times a power of ten, two to five of them."""
    power = 1.0
    while power > most:
        power /= 10
    while power * 10 <= most:
        power *= 10
    return next(step for step in (power / 5, power / 2, power, power * 2, power * 5) if most / step <= 5)


def place(panel, left, top, width):
    """The panel's elements, with its corner there."""
    labels = 14 + max(len(bar.label) * LETTER for bar in panel.bars if bar.value is not None)
    start, room = left + labels, width - labels - 62  # room for the longest bar; behind it its number
    scale = room / panel.most()
    lines = [f'<text class="head" x="{left}" y="{top + 14}">{escape(panel.title)}</text>']
    y = first = top + 28
    shapes, texts = [], []
    for bar in panel.bars:
        if bar.value is None:
            texts.append(f'<text class="group" x="{left}" y="{y + 18}">{escape(bar.label)}</text>')
            y += GROUP
            continue
        middle, end = y + ROW / 2, bar.value
        texts.append(f'<text x="{start - 8:.1f}" y="{middle + 4.5:.1f}" text-anchor="end">{escape(bar.label)}</text>')
        shapes.append(f'<rect class="{bar.color}" x="{start:.1f}" y="{middle - BAR / 2:.1f}" width="{max(1, bar.value * scale):.1f}" height="{BAR}"/>')
        if bar.high is not None and bar.high > bar.low:
            end = bar.high
            low, high = start + bar.low * scale, start + end * scale
            shapes.append(f'<path class="whisker" d="M{low:.1f} {middle - 3:.1f}v6m0 -3H{high:.1f}m0 -3v6"/>')
        texts.append(f'<text class="note" x="{start + end * scale + 6:.1f}" y="{middle + 4:.1f}">{number(bar.value)}</text>')
        y += ROW
    step = step_of(panel.most())
    tick = 0
    while tick * step <= panel.most():
        x = start + tick * step * scale
        lines.append(f'<line class="{"grid" if tick else "axis"}" x1="{x:.1f}" y1="{first}" x2="{x:.1f}" y2="{y + 2}"/>')
        lines.append(f'<text class="note" x="{x:.1f}" y="{y + 17}" text-anchor="middle">{tick * step:,g}</text>')
        tick += 1
    if panel.mark is not None:
        x = start + panel.mark * scale
        # Across the bars, and behind the words.
        shapes.append(f'<line class="mark" x1="{x:.1f}" y1="{first - 4}" x2="{x:.1f}" y2="{y + 4}"/>')
        texts.append(f'<text class="t-mark" x="{x:.1f}" y="{y + 34}" text-anchor="middle">{escape(panel.mark_text)}</text>')
    return lines + shapes + texts


def chart(title, description, panels, columns=1, note=""):
    """The SVG's text. Panels stand in so many columns, row by row."""
    width = (WIDTH - 2 * MARGIN - (columns - 1) * 24) / columns
    y, parts = MARGIN + 34, []
    for start in range(0, len(panels), columns):
        row = panels[start : start + columns]
        for column, panel in enumerate(row):
            parts += place(panel, MARGIN + column * (width + 24), y, width)
        y += max(panel.height() for panel in row)
    if note:
        parts.append(f'<text class="note" x="{MARGIN}" y="{y + 6}">{escape(note)}</text>')
        y += 18
    height = y + 6
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"',
        "     font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', 'Liberation Sans', sans-serif\">",
        "<!-- SPDX-License-Identifier: GPL-2.0-or-later -->",
        "<!-- Made by tests/bench/render: do not edit. -->",
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(description)}</desc>",
        f"<style>{STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
        f'<text class="title" x="{MARGIN}" y="{MARGIN + 14}">{escape(title)}</text>',
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"
