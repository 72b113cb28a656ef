"""How every script here is called: arguments from a file of JSON, the answer as a line of JSON."""

import json
import sys
from collections.abc import Callable
from pathlib import Path


def answer(work: Callable[..., object]) -> None:
    """Call `work` with the arguments, and print what it returns."""
    print(json.dumps(work(**json.loads(Path(sys.argv[1]).read_text()))))
