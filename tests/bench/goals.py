# SPDX-License-Identifier: GPL-2.0-or-later
"""What a benchmark is measured against, in one form for its table, its JSON and docs/benchmarks.md."""

AT_MOST, AT_LEAST = "at most", "at least"


def goal(name, what, value, sense, limit, unit=""):
    """name: its key in the page's template. what: the sentence's subject. unit: "" for a ratio."""
    met = value <= limit if sense == AT_MOST else value >= limit
    return {"name": name, "what": what, "value": value, "sense": sense, "limit": limit, "unit": unit, "met": met}


def text(number, unit):
    """A measured number or a limit with its unit, as tables have it."""
    if isinstance(number, int) or abs(number) >= 100 or (number == int(number) and unit):
        digits = f"{number:,.0f}"
    else:
        digits = f"{number:.1f}" if unit and abs(number) >= 10 else f"{number:.2f}"
    return f"{digits} {unit}".strip()


def show(goals):
    for one in goals:
        result = "met" if one["met"] else "MISSED"
        print(f"target {result:7}{one['what']}: {text(one['value'], one['unit'])}, {one['sense']} {text(one['limit'], one['unit'])}")
