# SPDX-License-Identifier: GPL-2.0-or-later
"""The blocks of code in the Markdown documents and in the man pages' EXAMPLES, so that tests run what is printed.

A fenced block has a comment in the line before it: <!-- tested: NAME --> or <!-- not tested: REASON -->, in a man page ; tested: NAME and so
on. Blocks of one name in several documents are the same text."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FENCE = re.compile(r"^( *)```(\w*)$")
MARK = re.compile(r"^ *<!-- (tested|not tested): (.*) -->$")
PAGE_MARK = re.compile(r"^; (tested|not tested): (.*)$")


class Block:
    """path, line (of the fence), language, text, and name or reason, which are empty where there is none."""

    def __init__(self, path, line, language, mark):
        self.path, self.line, self.language, self.text = path, line, language, ""
        kind, words = mark or ("", "")
        self.name = words if kind == "tested" else ""
        self.reason = words if kind == "not tested" else ""

    def __str__(self):
        return f"{self.path}:{self.line}"


def files():
    """The users' documents, relative to the project."""
    return ["README.md", "CONTRIBUTING.md", *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/*.md")))]


def blocks_of(path):
    """Every fenced block of a document. AssertionError where one does not end."""
    found, block, indent, before = [], None, "", ""
    for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if block and line == f"{indent}```":
            found.append(block)
            block = None
        elif block:
            block.text += line.removeprefix(indent) + "\n"
        elif fence:
            mark = MARK.match(before)
            indent = fence[1]
            block = Block(path, number, fence[2], mark and mark.groups())
        before = line
    assert not block, f"{block}: this block does not end"
    return found


def pages():
    """The man pages, relative to the project."""
    return [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("man/*.scd"))]


def blocks_of_page(path):
    """Every literal block of a man page (scdoc(5)); those of EXAMPLES are commands."""
    found, block, before, section = [], None, "", ""
    for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() == "```":
            if block:
                found.append(block)
            mark = PAGE_MARK.match(before)
            block = None if block else Block(path, number, "sh" if section == "EXAMPLES" else "", mark and mark.groups())
        elif block:
            block.text += line.replace("\\\\", "\\") + "\n"
        elif line.startswith("# "):
            section = line[2:]
        before = line
    assert not block, f"{block}: this block does not end"
    return found


def blocks():
    return [block for path in files() for block in blocks_of(path)] + [block for path in pages() for block in blocks_of_page(path)]


def block(name):
    """The text of the block that is marked <!-- tested: NAME -->."""
    found = [each for each in blocks() if each.name == name]
    assert found, f"no block is marked <!-- tested: {name} -->"
    differ = [str(each) for each in found if each.text != found[0].text]
    assert not differ, f"{found[0]} and {' '.join(differ)} differ"
    return found[0].text
