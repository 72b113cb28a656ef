"""The blocks of commands in `docs/deployment.md`, and who executes them."""

import re
from dataclasses import dataclass

from loan_pipeline_tests.helpers.cloudformation import ROOT

_BLOCK = re.compile(r"^(?P<before>[^\n]*)\n+```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
_EXECUTED = re.compile(r"^<!-- executed by (\S+::\S+) -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        before: the last line of text before it.
        executed_by: the test that executes it; empty where none does.
    """

    before: str
    kind: str
    text: str
    executed_by: str


def blocks() -> list[Block]:
    """Every block of the page, in order."""
    page = (ROOT / "docs" / "deployment.md").read_text()
    found = []
    for match in _BLOCK.finditer(page):
        executed = _EXECUTED.match(match["before"])
        by = executed[1] if executed else ""
        found.append(Block(match["before"], match["kind"], match["text"], by))
    return found
