"""What the serving parts measure: the sample bank's release, made once by the whole pipeline."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from loan_pipeline.lake.open import open_store
from loan_pipeline.scoring.bundle import Bundle, BundleError, load_bundle
from loan_pipeline.scoring.release import NoRelease, fetch_release
from loan_pipeline.settings import load_settings

AMOUNT, DURATION = 96_000, 24


def released_home() -> Path:
    """A LOAN_HOME of the benchmarks' own, in which the pipeline has run on the sample bank."""
    home = load_settings().home / "bench" / "run"
    try:
        _fetched(home)
    except (NoRelease, BundleError):  # none, or one of another version
        shutil.rmtree(home, ignore_errors=True)
        print("running the pipeline on the sample bank, to have a release", flush=True)
        program = str(Path(sys.executable).with_name("loan-pipeline"))
        command = [program, "run", "--source", "sample"]
        subprocess.run(command, check=True, env=environment_of(home), stdout=subprocess.DEVNULL)
    return home


def released_bundle(home: Path) -> Bundle:
    """The behavioural bundle released there."""
    return load_bundle(_fetched(home))


def environment_of(home: Path) -> dict[str, str]:
    """The environment of a process that works in that home, whatever the user's settings are."""
    own = {"LOAN_HOME": str(home), "LOAN_ENV_FILE": ""}
    return {name: v for name, v in os.environ.items() if not name.startswith("LOAN_")} | own


def _fetched(home: Path) -> Path:
    return fetch_release(open_store((home / "lake").as_uri()), "behavioural", home / "cache")
