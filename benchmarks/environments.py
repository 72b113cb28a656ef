"""Environments of their own for peers that do not install beside ours, made when first needed.

They are kept in `bench/` in LOAN_HOME. What runs in them lies in `peers/`: scripts that read
arguments from a file of JSON and print their answer as one line of JSON.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.settings import load_settings

PEERS = Path(__file__).parent / "peers"
_DONE = ".installed"  # a file that is there once all packages are

_ROOT = Path(__file__).parents[1]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]

ENVIRONMENTS = {
    "web": (  # ours, as `pip install loan-pipeline[web]` makes it, but for our own files
        "-c", "requirements.lock",
        *_PROJECT["dependencies"], *_PROJECT["optional-dependencies"]["web"],
    ),
    "featuretools": (
        "featuretools==1.31.0", "lightgbm==4.7.0", "pandas==2.3.3", "pyarrow==24.0.0",
        "scikit-learn==1.9.1", "setuptools<81",
    ),
    "feast": ("feast==0.67.0",),
    "fastapi": (
        "fastapi==0.165.0", "onnxruntime==1.32.0", "scikit-learn==1.9.1", "shap==0.51.0",
        "uvicorn==0.54.0",
    ),
    "mlflow": ("mlflow==3.17.2", "onnx==1.23.2", "onnxruntime==1.32.0"),
    "mlflow-autogluon": (  # AutoGluon as ours, whose predictor it loads
        "-c", "requirements.lock",
        "autogluon.tabular[lightgbm]", "mlflow==3.17.2", "mlflow-autogluon==0.2.0",
    ),
    "optbinning": ("optbinning==1.0.0", "pyarrow==24.0.0"),
}  # fmt: skip


class PeerFailed(LoanPipelineError):
    """A peer could not be installed, or its script failed."""


def python_of(name: str) -> Path:
    """The Python of an environment, installed where it is not there yet.

    Raises:
        PeerFailed: the packages cannot be installed.
    """
    folder = _folder(name)
    python = folder / "bin/python"
    if not installed(name):
        print(f"installing the environment {name}", flush=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(python), "-m", "pip", "install", "-q", *ENVIRONMENTS[name]])
        (folder / _DONE).touch()
    return python


def installed(name: str) -> bool:
    """Whether an environment is there already."""
    return (_folder(name) / _DONE).exists()


def run_peer(name: str, script: str, **arguments: Any) -> Any:
    """What a script of `peers/` answers, run in the environment `name`.

    Raises:
        PeerFailed: it ended with an error; the message has the end of what it printed.
    """
    python = python_of(name)
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as folder:
        path = Path(folder) / "arguments.json"
        path.write_text(json.dumps(arguments))
        printed = _run([str(python), str(PEERS / f"{script}.py"), str(path)])
    return json.loads(printed.splitlines()[-1])


def megabytes_of(name: str) -> int:
    """What an environment's files take on the disk."""
    folder = python_of(name).parents[1]
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) // 1_000_000


def plain_environment() -> dict[str, str]:
    """Ours without what points Python to our own packages."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _folder(name: str) -> Path:
    """A folder for these very packages and this Python."""
    made_of = repr((ENVIRONMENTS[name], sys.version_info[:2]))
    digest = hashlib.sha256(made_of.encode()).hexdigest()[:8]
    return load_settings().home / "bench" / f"{name}-{digest}"


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, cwd=_ROOT, capture_output=True, text=True, env=plain_environment()
    )
    if done.returncode:
        raise PeerFailed(f"{' '.join(command[:3])} failed:\n{done.stderr[-2000:]}")
    return done.stdout
