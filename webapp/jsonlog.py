"""Logs as JSON, one object per line. Loaded before the server forks."""

import logging
from datetime import UTC, datetime

import orjson


class JsonFormatter(logging.Formatter):
    """One JSON object per line; `extra={"lines": […]}` are written instead of the record."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line of JSON."""
        if lines := getattr(record, "lines", None):
            return b"\n".join(map(orjson.dumps, lines)).decode()
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if message := record.getMessage():
            line["message"] = message
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()
