# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/benchmarks.md has the figures of the committed results and no others. Measures nothing."""

import copy
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [f"{SOURCE}/tests/lib", f"{SOURCE}/tests/bench"]
sys.dont_write_bytecode = True

import figures  # noqa: E402
import tap  # noqa: E402

loader = importlib.machinery.SourceFileLoader("render", f"{SOURCE}/tests/bench/render")
render = importlib.util.module_from_spec(importlib.util.spec_from_loader("render", loader))
loader.exec_module(render)

RESULTS = figures.load(pathlib.Path(SOURCE) / "docs/benchmarks/results")


def changed(*path):
    """The files that differ where the numbers at the end of that path are nine times as large."""
    results = copy.deepcopy(RESULTS)
    *way, last = path
    part = results
    for key in way:
        part = part[key]
    part[last] = [value * 9 for value in part[last]] if isinstance(part[last], list) else part[last] * 9
    before = render.made(RESULTS)
    return {name for name, text in render.made(results).items() if text != before[name]}


def test_committed():
    done = subprocess.run([f"{SOURCE}/tests/bench/render", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_figure_that_differs_shows():
    """In the page, in the README and in the plot that has it, and in no other plot."""
    assert changed("vhost", "result", "figures", "send", "tap lease", "rate") == {
        "docs/benchmarks.md", "README.md", "docs/benchmarks/2009.svg", "docs/benchmarks/guest.svg"}  # fmt: skip
    assert changed("open", "result", "rows", "sequential", "median_ms") == {"docs/benchmarks.md", "docs/benchmarks/open.svg"}
    assert changed("flood", "result", "rows", "open", "ms", "polkit") == {"docs/benchmarks.md", "docs/benchmarks/flood.svg"}
    assert changed("containers", "result", "figures", "pasta", "put") == {"docs/benchmarks.md"}
    assert changed("forms", "load") == {"docs/benchmarks.md"}


def test_a_missed_target_is_called_missed():
    results = copy.deepcopy(RESULTS)
    for one in results["open"]["result"]["goals"]:
        one["met"] = True
    assert "All 7 targets are met." in render.made(results)["docs/benchmarks.md"]
    results["open"]["result"]["goals"][0]["met"] = False
    assert "**Targets missed: 1 of 7.**" in render.made(results)["docs/benchmarks.md"]


def test_no_figure_by_hand():
    """A year, a manual page's section, code and links are none."""
    assert not render.check_template("In 2009, `tests/x 5`, rawnetd(8), [a](b#7), IPv6, {open:sequential} …\n<!-- 8 -->\n")
    for text in ("an open takes 4 ms", "half: 50 %", "tests/x 5"):
        assert len(render.check_template(f"first line\n{text}\n")) == 1, text


def test_plots_are_images():
    """Whole XML, with words for those who do not see them, and no color that depends on the page's theme."""
    for name, text in render.made(RESULTS).items():
        if name.endswith(".svg"):
            root = xml.etree.ElementTree.fromstring(text.encode())
            tags = {element.tag.rpartition("}")[2] for element in root}
            assert {"title", "desc", "rect", "text"} <= tags and "prefers-color-scheme: dark" in text and "nan" not in text, name


def test_result_file():
    """What a benchmark printed, with the machine, the versions, the commit, the date and the load."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/x.json"
        subprocess.run(["/usr/bin/python3", "-B", f"{SOURCE}/tests/bench/report.py", SOURCE, path, "x", "1.5", "7", "no", "--rounds", "2"],
                       input=json.dumps({"figures": {"a": [1.23456789, 2]}}), text=True, check=True)  # fmt: skip
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    assert found["result"] == {"figures": {"a": [1.2346, 2]}} and found["options"] == ["--rounds", "2"], found
    assert (found["benchmark"], found["load"], found["seconds"], found["trial"], found["format"]) == ("x", 1.5, 7, False, figures.FORMAT)
    assert found["machine"]["cores"] == os.cpu_count() and found["machine"]["memory_mib"] > 0 and found["kernel"] == os.uname().release
    assert found["commit"] and "dbus-daemon" in found["versions"] and found["date"].endswith(" UTC"), found
    assert SOURCE not in json.dumps(found)


if __name__ == "__main__":
    tap.main()
