"""The machine that figures were measured on, and the versions that measured them."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

_PACKAGES = (
    "autogluon.tabular", "dagster", "duckdb", "flask", "ibis-framework", "lightgbm", "numpy",
    "onnxruntime", "pandas", "polars", "pyarrow", "pyspark", "scikit-learn", "waitress",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """Cores, memory, system, versions, and how busy the machine is with other work."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "load_before": round(os.getloadavg()[0], 2),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
