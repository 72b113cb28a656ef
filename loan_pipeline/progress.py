"""Progress of long work: a bar on a terminal, lines in a run's log elsewhere.

Packages call `track` and do not know who watches. The command line puts a display in place;
without one, progress goes to the logger `loan_pipeline`, which Dagster shows in the run's log.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

logger = logging.getLogger("loan_pipeline")

_SECONDS_BETWEEN_LINES = 5.0


class Task(Protocol):
    """One piece of work under way."""

    def advance(self, amount: float = 1.0) -> None:
        """Say that `amount` more of the total is done."""


class Display(Protocol):
    """Something that shows tasks to a person."""

    def start(self, description: str, total: float | None) -> Task:
        """Show a new task; `total` is None while that is not known."""

    def finish(self, task: Task) -> None:
        """Take the task off the display."""

    def warn(self, message: str) -> None:
        """Show what does not stop the work, but what a person should know."""

    def step_started(self, step: str) -> None:
        """Show that a step of the pipeline has begun."""

    def step_ended(self, step: str, *, succeeded: bool) -> None:
        """Show how the step ended."""


class _LoggedTask:
    def __init__(self, description: str, total: float | None) -> None:
        self.description = description
        self.total = total
        self.done = 0.0
        self.started = self.reported = time.monotonic()

    def advance(self, amount: float = 1.0) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.reported >= _SECONDS_BETWEEN_LINES:
            self.reported = now
            share = f" ({self.done / self.total:.0%})" if self.total else ""
            logger.info("%s: %s%s", self.description, f"{self.done:,.0f}", share)


class _LogDisplay:
    def start(self, description: str, total: float | None) -> Task:
        return _LoggedTask(description, total)

    def finish(self, task: Task) -> None:
        if isinstance(task, _LoggedTask):
            logger.info("%s: %.1f s", task.description, time.monotonic() - task.started)

    def warn(self, message: str) -> None:
        """The logger has it."""

    def step_started(self, step: str) -> None:
        logger.info("%s begins", step)

    def step_ended(self, step: str, *, succeeded: bool) -> None:
        logger.info("%s %s", step, "done" if succeeded else "failed")


_display: ContextVar[Display | None] = ContextVar("progress_display", default=None)


def current_display() -> Display | None:
    """The display in place, if any."""
    return _display.get()


@contextmanager
def shown_on(display: Display) -> Iterator[None]:
    """Show the progress of everything inside on `display`."""
    token = _display.set(display)
    try:
        yield
    finally:
        _display.reset(token)


def warn(message: str) -> None:
    """Tell a person at the terminal, and the log, what does not stop the work."""
    logger.warning("%s", message)
    if display := _display.get():
        display.warn(message)


@contextmanager
def track(description: str, total: float | None = None) -> Iterator[Task]:
    """Follow one piece of work.

    Args:
        description: what is being done, for people ("Reading trans").
        total: how much there is to do, in any unit; None where that is not known.
    """
    display = _display.get() or _LogDisplay()
    task = display.start(description, total)
    try:
        yield task
    finally:
        display.finish(task)
