# SPDX-License-Identifier: GPL-2.0-or-later
"""Draws what session.py printed as a terminal: svg.py SESSION PICTURE. The text stays text, so it can be searched and read aloud.

The window has its own colours, so it looks the same on a light and on a dark page."""

import json
import re
import sys
import xml.sax.saxutils

COLUMNS = 100
WIDTH, HEIGHT, SIZE = 8.0, 19, 13.3  # of a character, a line, the font; in pixels
LEFT, TOP = 18, 50
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
PAPER, BAR, INK, COMMAND, TITLE = "#1f2430", "#2d3444", "#c8d0dc", "#ffffff", "#9aa4b5"
SGR = {"1": "#ffffff", "2": "#9aa4b5", "31": "#ff8080", "32": "#87d787", "33": "#ffd75f", "36": "#7fd7e0"}  # console_codes(4)
PROMPTS = {"member$": "#87d787", "guest#": "#ffb86c"}
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"
     font-family="{font}" font-size="{size}">
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!-- Made by tools/capture. -->
<title>{title}</title>
<rect width="{width}" height="{height}" rx="8" fill="{paper}"/>
<path d="M0 30V8a8 8 0 0 1 8-8h{inner}a8 8 0 0 1 8 8v22z" fill="{bar}"/>
<text x="{middle}" y="20" text-anchor="middle" fill="{title_ink}">{title}</text>
"""
NAME = "an ordinary user puts a guest on VLAN 100"


def text(column, line, ink, words):
    """One run of characters at a column of a line. Its length is given, so that another font keeps the columns."""
    start = len(words) - len(words.lstrip(" "))
    words = words.strip(" ")
    if not words:
        return ""
    return (f'<text xml:space="preserve" x="{LEFT + (column + start) * WIDTH:g}" y="{TOP + line * HEIGHT}" fill="{ink}" '
            f'textLength="{len(words) * WIDTH:g}" lengthAdjust="spacingAndGlyphs">{xml.sax.saxutils.escape(words)}</text>\n')  # fmt: skip


def coloured(words, ink):
    """[(colour, text)] of a line with the colours of a terminal."""
    parts = re.split(r"\x1b\[([0-9;]*)m", words)
    return [(SGR.get(code.split(";")[-1], ink), part) for code, part in zip(["", *parts[1::2]], parts[::2]) if part]


def main():
    session, picture = sys.argv[1:]
    with open(session, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.startswith("[")]
    drawn, number, continued = [], 0, False
    for prompt, words in rows:
        column, ink = 0, INK
        if prompt:
            number += 0.4 if drawn else 0  # a little space before each command
            drawn.append(text(0, number, PROMPTS[prompt], prompt))
            column, ink = len(prompt) + 1, COMMAND
        elif continued:
            ink = COMMAND
        continued = words.endswith("\\")
        for shade, part in coloured(words, ink):
            assert column + len(part) <= COLUMNS, f"longer than {COLUMNS} columns: {words}"
            drawn.append(text(column, number, shade, part))
            column += len(part)
        number += 1
    width, height = LEFT * 2 + COLUMNS * WIDTH, TOP + number * HEIGHT
    with open(picture, "w", encoding="utf-8") as out:
        out.write(HEAD.format(width=f"{width:g}", height=f"{height:g}", inner=f"{width - 16:g}", middle=f"{width / 2:g}", font=FONT,
                              size=SIZE, paper=PAPER, bar=BAR, title_ink=TITLE, title=NAME))  # fmt: skip
        out.write("".join(drawn) + "</svg>\n")


main()
