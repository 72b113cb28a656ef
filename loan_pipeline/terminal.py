"""What a person sees on the terminal while a run is under way: steps, and bars inside them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from loan_pipeline.progress import Task, shown_on


class _BarTask:
    def __init__(self, progress: Progress, task_id: TaskID) -> None:
        self.progress = progress
        self.task_id = task_id

    def advance(self, amount: float = 1.0) -> None:
        self.progress.advance(self.task_id, amount)


class RunDisplay:
    """Steps as lines, the work inside them as bars; plain lines where it is no terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._steps: dict[str, tuple[float, TaskID]] = {}
        self._warned: set[str] = set()

    def start(self, description: str, total: float | None) -> Task:
        """Show a bar for work inside a step."""
        return _BarTask(self.progress, self.progress.add_task(f"  {description}", total=total))

    def finish(self, task: Task) -> None:
        """Take the bar away."""
        if isinstance(task, _BarTask):
            self.progress.remove_task(task.task_id)

    def warn(self, message: str) -> None:
        """Leave one line behind; what several steps find is shown once."""
        if message not in self._warned:
            self._warned.add(message)
            self.console.print(Text.assemble(("! ", "yellow"), message), soft_wrap=True)

    def step_started(self, step: str) -> None:
        """Show that a step is running."""
        if not self.console.is_terminal:
            self.console.print(f"… {step}")
        self._steps[step] = (time.monotonic(), self.progress.add_task(step, total=None))

    def step_ended(self, step: str, *, succeeded: bool) -> None:
        """Leave one line behind."""
        mark = "[green]✓[/green]" if succeeded else "[red]✗[/red]"
        started, task_id = self._steps.pop(step)
        self.progress.remove_task(task_id)
        self.console.print(f"{mark} {step}  [dim]{time.monotonic() - started:.1f} s[/dim]")


@contextmanager
def run_shown_on(console: Console) -> Iterator[None]:
    """Show the run inside on `console`."""
    display = RunDisplay(console)
    with display.progress, shown_on(display):
        yield


@contextmanager
def shown_on_terminal() -> Iterator[None]:
    """Show progress on the standard error, so that answers on the standard output stay clean."""
    with run_shown_on(Console(stderr=True)):
        yield
