"""Answers of the commands as JSON."""

import json


def json_text(answer: object) -> str:
    """Indented, letters as they are; dates and paths as text."""
    return json.dumps(answer, indent=2, ensure_ascii=False, default=str)
