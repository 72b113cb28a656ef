"""A standalone Spark cluster on this machine, from the installed package: a master, its workers."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

import psutil
import pyspark

_HOST = "127.0.0.1"
_STARTING_SECONDS = 60


class SparkCluster:
    """Master and workers, each in a process of its own, that tests start, kill and stop.

    Args:
        folder: for logs, and the workers' files.
        workers: how many.
        cores: of each worker.
        memory: of each worker, as Spark writes it.
    """

    def __init__(
        self, folder: Path, *, workers: int = 2, cores: int = 1, memory: str = "1g"
    ) -> None:
        self.folder = folder
        self._cores, self._memory = cores, memory
        self._master: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes]] = []
        self._wanted = workers
        self.url = ""

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._master = self._start("master", "master.Master")
            self.url = self._logged("master", r"Starting Spark master at (spark://\S+)")
            for number in range(self._wanted):
                self._start_worker(number)
            for number in range(self._wanted):
                self._logged(f"worker-{number}", r"(Successfully registered) with master")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self._workers, *([self._master] if self._master else [])]:
            self._end(process)

    @property
    def workers(self) -> int:
        """How many workers are alive."""
        return sum(process.poll() is None for process in self._workers)

    def kill_worker(self) -> None:
        """Kill one worker and its executors at once, as a machine's failure would."""
        self._end(self._workers.pop(0))

    def memory_bytes(self) -> int:
        """What master, workers and their executors hold now."""
        processes = [psutil.Process(p.pid) for p in self._workers if p.poll() is None]
        children = [child for process in processes for child in process.children(recursive=True)]
        return sum(_resident(process) for process in [*processes, *children])

    def _start_worker(self, number: int) -> None:
        bounds = ["--cores", str(self._cores), "--memory", self._memory]
        bounds += ["--work-dir", str(self.folder / f"work-{number}")]
        self._workers.append(self._start(f"worker-{number}", "worker.Worker", *bounds, self.url))

    def _start(self, name: str, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        home = Path(pyspark.__file__).parent
        command = [str(home / "bin/spark-class"), f"org.apache.spark.deploy.{program}"]
        command += ["--host", _HOST, "--port", "0", "--webui-port", "0", *arguments]
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env=os.environ
                | {
                    "SPARK_HOME": str(home),
                    "SPARK_LOCAL_IP": _HOST,
                    "SPARK_DAEMON_MEMORY": "256m",
                    "SPARK_LOCAL_DIRS": str(self.folder / "local"),
                    "SPARK_LOG_DIR": str(self.folder),
                },
                start_new_session=True,  # a terminal's Ctrl-C is for the test alone
            )

    def _logged(self, name: str, pattern: str) -> str:
        """Wait for a line in a process's log; what the pattern's group found in it."""
        path = self.folder / f"{name}.log"
        deadline = time.monotonic() + _STARTING_SECONDS
        while time.monotonic() < deadline:
            if found := re.search(pattern, path.read_text(errors="replace")):
                return found[1]
            time.sleep(0.1)
        raise TimeoutError(f"Spark's {name} did not start:\n{path.read_text(errors='replace')}")

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            parent = psutil.Process(process.pid)
            for each in [parent, *parent.children(recursive=True)]:
                try:
                    each.send_signal(signal.SIGKILL)
                except psutil.NoSuchProcess:
                    continue
        process.wait(timeout=30)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
