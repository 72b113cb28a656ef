"""Dockerfiles read as stages, and carried out in folders where no container engine runs."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """A stage: its base, its name and its instructions in order."""

    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        """What follows the instruction `word`, each time it comes."""
        return [rest for found, rest in self.instructions if found == word]


def read_dockerfile(path: Path) -> list[Stage]:
    """The stages of a Dockerfile; the last is the image."""
    stages: list[Stage] = []
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    for line in filter(str.strip, "\n".join(lines).replace("\\\n", " ").splitlines()):
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name))
        else:
            stages[-1].instructions.append((word, rest.strip()))
    return stages


class Outside:
    """Carries stages out below a folder: `/app` of each stage is a folder of its own.

    Downloads (ADD) and the system's packages are left out; users are not switched.

    Args:
        folder: empty.
        context: the build's.
        environment: what the commands see, and nothing else.
    """

    def __init__(self, folder: Path, context: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._context = context
        self._environment = dict(environment)

    def build(self, stages: list[Stage]) -> Path:
        """Carry the stages out; answers the image's `/app`."""
        for number, stage in enumerate(stages):
            app = self._app(stage.name or str(number))
            app.mkdir(parents=True)
            for word, rest in stage.instructions:
                if word == "COPY":
                    self._copy(rest, app)
                elif word == "RUN" and not rest.startswith("apt-get"):
                    done = subprocess.run(
                        ["sh", "-ec", rest],
                        cwd=app, env=self._environment, capture_output=True, text=True,
                    )  # fmt: skip
                    assert done.returncode == 0, f"RUN {rest}\n{done.stdout}\n{done.stderr}"[-4000:]
        return app

    def _app(self, stage: str) -> Path:
        return self._folder / stage / "app"

    def _copy(self, arguments: str, app: Path) -> None:
        *sources, target = shlex.split(arguments)
        origin = self._context
        if sources[0].startswith("--from="):
            origin = self._app(sources.pop(0).removeprefix("--from="))
            sources = [source.removeprefix("/app/") for source in sources]
        for name in sources:
            source = origin / name
            into = app / target
            if target.endswith("/"):
                into = into / source.name if source.is_file() else into
            into.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                ignored = shutil.ignore_patterns(
                    "__pycache__", "vendor" if origin == self._context else "-"
                )
                shutil.copytree(source, into, symlinks=True, dirs_exist_ok=True, ignore=ignored)
            else:
                shutil.copy(source, into)


def command(stage: Stage, word: str) -> list[str]:
    """The command of a CMD, ENTRYPOINT or HEALTHCHECK, as a list."""
    [rest] = stage.all(word)
    found: list[str] = json.loads(rest[rest.index("[") :])
    return found


def plain_environment() -> dict[str, str]:
    """PATH and HOME alone."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
