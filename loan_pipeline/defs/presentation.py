"""How results look in the UI: pictures, and tables of figures."""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from loan_pipeline.contracts.bundle import BundleManifest, Metric
from loan_pipeline.evaluation.validation import Validation


def picture(name: str, svg: str) -> dg.MarkdownMetadataValue:
    """A drawing as metadata that the UI shows."""
    data = base64.b64encode(svg.encode()).decode()
    return dg.MetadataValue.md(f"![{name}](data:image/svg+xml;base64,{data})")


def markdown_table(frame: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """A small table; floats with three digits, dates without a time."""
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |", "| --- " * frame.shape[1] + "|"]
    lines += [
        "| " + " | ".join(_cell(value) for value in row) + " |"
        for row in frame.itertuples(index=False)
    ]
    return dg.MetadataValue.md("\n".join(lines) if len(frame) else "none yet")


def metrics_metadata(validation: Validation, label: Callable[[str], str]) -> dict[str, Any]:
    """Figures with their intervals as a table, single ones for the UI's plots, and pictures.

    Args:
        validation: what to show.
        label: puts the bank's own currency into a picture.
    """
    flat = {
        f"{sample}_{name}": metric.value
        for sample, of_sample in validation.metrics.items()
        for name, metric in of_sample.items()
        if name in ("roc_auc", "average_precision", "brier", "balanced_accuracy")
    }
    pictures = {
        Path(name).stem: picture(Path(name).stem, label(svg))
        for name, svg in validation.pictures.items()
    }
    return {**flat, "figures": dg.MetadataValue.md(_table(validation.metrics)), **pictures}


def release_metadata(
    manifest: BundleManifest, state: str, page: dg.UrlMetadataValue, registered: str | None
) -> dict[str, Any]:
    """What a release is, and where people see it; `registered` says what MLflow has of it."""
    return {
        "version": manifest.version,
        "state": state,
        "page": page,
        "predictor_id": manifest.training.predictor_id,
        "threshold": manifest.threshold,
        "bytes": sum(file.bytes for file in manifest.files.values()),
        **({"mlflow": registered} if registered else {}),
    }


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return f"{value:,.3f}" if isinstance(value, float) else str(value)


def _table(metrics: Mapping[str, Mapping[str, Metric]]) -> str:
    samples = list(metrics)
    lines = [
        "| | " + " | ".join(sample.replace("_", " ") for sample in samples) + " |",
        "| --- |" + " --- |" * len(samples),
    ]
    for name in metrics[samples[0]]:
        cells = (metrics[sample][name] for sample in samples)
        figures = " | ".join(f"{c.value:.3f} ({c.low:.3f} to {c.high:.3f})" for c in cells)
        lines.append(f"| {name.replace('_', ' ')} | {figures} |")
    return "\n".join(lines)
