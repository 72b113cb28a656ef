"""Strikes a stage of the pipeline at a chosen moment: kills it, or takes its bank or store away."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Literal, get_args

from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer

Harm = Literal["killed", "store away", "bank away"]
HARMS: tuple[Harm, ...] = get_args(Harm)

_PATIENCE = 250  # seconds for one stage, on a busy machine


@dataclass(frozen=True)
class Moment:
    """When a stage is struck, and by what.

    Attributes:
        when: part of the key that the stage is about to write, or something to wait for.
        written: the store has the object, but the process died before it heard so.
    """

    when: str | Callable[[], bool]
    harm: Harm = "killed"
    written: bool = False


class Striker:
    """Decides about requests to the store, for `TroubledS3`, and watches the stage under way."""

    def __init__(self, bank: MariaDBServer) -> None:
        self._bank = bank
        self._process: ForkServerProcess | None = None
        self._moment: Moment | None = None
        self._store_is_away = False

    def __call__(self, method: str, path: str, _count: int) -> str | None:
        """What becomes of a request; the stage may be struck by it."""
        if self._store_is_away:
            return "cut"
        when = self._moment.when if self._moment else None
        if method == "PUT" and isinstance(when, str) and when in path:
            return self._strike()
        return None

    def watch(self, process: ForkServerProcess, moment: Moment | None, log: Path) -> int:
        """Let a stage run to its end, struck at the moment; what was taken away then comes back.

        Returns:
            Its exit code.
        """
        self._process, self._moment = process, moment
        deadline = time.monotonic() + _PATIENCE
        while process.is_alive():
            if time.monotonic() > deadline:
                process.kill()
                raise AssertionError(f"a stage hangs:\n{log.read_text()[-3000:]}")
            when = self._moment.when if self._moment else None
            if callable(when) and when():
                self._strike()
            process.join(0.01)
        assert self._moment is None, f"the stage ended before {moment}"
        self._store_is_away = False
        if moment and moment.harm == "bank away":
            self._bank.start()
        assert process.exitcode is not None
        return process.exitcode

    def _strike(self) -> str | None:
        moment, self._moment = self._moment, None  # once
        assert moment is not None
        assert self._process is not None
        if moment.harm == "bank away":
            self._bank.kill()
            return None
        if moment.harm == "store away":
            self._store_is_away = True
            return "cut"
        self._process.kill()
        return "lost" if moment.written else "cut"
