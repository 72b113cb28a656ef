"""A release's dossier: one HTML file of what a validator or an auditor asks for.

Everything comes from the lake: the bundle with its figures and verdict, and the audit trail.
Nothing is measured or judged here.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from loan_pipeline.contracts.bundle import (
    METRICS_FILE,
    VERDICT_FILE,
    BundleManifest,
    Metric,
    release_key,
)
from loan_pipeline.contracts.currency import in_currency
from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FEATURES_BY_NAME
from loan_pipeline.contracts.verdict import CandidateVerdict
from loan_pipeline.lake.protocol import Store, StoreKeyMissing
from loan_pipeline.release.audit import AuditEvent, history
from loan_pipeline.release.publish import read_manifest
from loan_pipeline.training.errors import ReleaseRefused

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem } .scroll { overflow-x: auto } td { overflow-wrap: anywhere }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .25rem .75rem; text-align: left; vertical-align: top }
tr { border-bottom: 1px solid #ddd }
.pictures { display: flex; flex-wrap: wrap } figure { margin: 1rem } img { max-width: 24rem }
@media print { h2 { break-after: avoid } figure, tr { break-inside: avoid } }
"""
_LIMITS = (
    "It learned from loans that the bank granted; people whom it refused are not among them.",
    "Loans still running count by how they stand, where the target is «observed».",
    "The intervals are 95 % bootstrap intervals; few bad loans make them wide.",
    "It advises a person, and decides nothing by itself.",
)


def dossier(store: Store, version: str, currency: str) -> str:
    """The dossier of a kept release, its amounts labelled in `currency`.

    Raises:
        ReleaseRefused: the release is not kept, or the audit trail cannot be read.
    """
    manifest = _manifest(store, version)
    name = manifest.feature_set
    report = json.loads(store.read(release_key(name, version, METRICS_FILE)))
    sections = (
        ("What it is", _facts(manifest)),
        ("What it was made from", _origin(manifest)),
        ("How good it is", _figures(manifest, report)),
        ("The gate's verdict", _verdict(store, manifest)),
        ("Fairness", _fairness(report)),
        ("Features", in_currency(_features(manifest), currency)),
        ("Limits", _list(_LIMITS)),
        ("Approvals and what happened since", _trail(history(store, [name], version))),
        ("Pictures", _pictures(store, manifest, currency)),
        ("Files and their hashes", _files(manifest)),
    )
    title = f"Dossier of the {name} release {version}"
    body = "".join(f"<h2>{escape(heading)}</h2>{content}" for heading, content in sections)
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )


def _manifest(store: Store, version: str) -> BundleManifest:
    for name in FEATURE_SET_NAMES:
        manifest = read_manifest(store, name, version)
        if manifest is not None:
            return manifest
    raise ReleaseRefused(
        f"{store.url} holds no release {version}: `loan-pipeline releases` lists what is kept"
    )


def _facts(manifest: BundleManifest) -> str:
    training = manifest.training
    return _table(
        (),
        [
            ("Feature set", manifest.feature_set),
            ("Made", f"{manifest.created_at:%Y-%m-%d %H:%M} UTC"),
            ("Recipe", training.recipe),
            ("Target", training.target),
            ("Learned from", f"{training.n_train:,} loans, {training.bad_train:,} not paid off"),
            ("Granted", f"{training.first_loan_date} to {training.last_loan_date}"),
            ("Threshold", f"«paid off» at or above {manifest.threshold:.1%}"),
            ("Accounts known", f"up to the day before {manifest.as_of}"),
        ],
    )


def _origin(manifest: BundleManifest) -> str:
    rows = [
        (key.replace("_", " "), str(value))
        for key, value in manifest.training.model_dump().items()
        if key.endswith("_id") and value
    ]
    rows += [("code", manifest.code_revision or "not known")]
    rows += [("feature contract", manifest.contract_version)]
    return _table((), rows + sorted(manifest.software.items()))


def _figures(manifest: BundleManifest, report: dict[str, Any]) -> str:
    parts = []
    for sample, metrics in manifest.metrics.items():
        counts = report.get("samples", {}).get(sample, {})
        size = f", {counts['n']:,} loans, {counts['bad']:,} not paid off" if counts else ""
        rows = [(name.replace("_", " "), *_cells(metric)) for name, metric in metrics.items()]
        heading = f"<h3>{escape(sample.replace('_', ' ').capitalize() + size)}</h3>"
        parts.append(heading + _table(("figure", "value", "95 % interval"), rows))
    return "".join(parts)


def _verdict(store: Store, manifest: BundleManifest) -> str:
    key = release_key(manifest.feature_set, manifest.version, VERDICT_FILE)
    try:
        verdict = CandidateVerdict.model_validate_json(store.read(key))
    except StoreKeyMissing:
        return "<p>The bundle holds no verdict.</p>"
    rows = [
        (check.name, "passed" if check.passed else "failed", check.says) for check in verdict.checks
    ]
    compared = escape(verdict.champion or "no release")
    return f"<p>Given {verdict.checked_at:%Y-%m-%d %H:%M} UTC, against {compared}.</p>" + _table(
        ("rule", "result", "what was found"), rows
    )


def _fairness(report: dict[str, Any]) -> str:
    warnings = report.get("fairness_warnings", [])
    rows = [
        (
            str(one["kind"]),
            str(one["subgroup"]),
            str(one["n"]),
            str(one["bad"]),
            _rate(one.get("selection_rate")),
            _rate(one.get("true_positive_rate")),
        )
        for one in report.get("subgroups", [])
    ]
    found = _list(warnings) if warnings else "<p>No difference beyond the limits and chance.</p>"
    columns = ("by", "subgroup", "loans", "bad", "accepted", "accepted of those paid off")
    excluded = ", ".join(report.get("excluded_features", [])) or "none"
    return f"{found}<p>Features left out by setting: {escape(excluded)}.</p>" + _table(
        columns, rows
    )


def _features(manifest: BundleManifest) -> str:
    rows = []
    for one in manifest.features:
        feature = FEATURES_BY_NAME[one.name]
        spread = f"{one.quantiles[0]:,.6g} to {one.quantiles[-1]:,.6g}" if one.quantiles else "none"
        rows.append((one.name, feature.definition, feature.unit, spread, f"{one.null_share:.1%}"))
    return _table(("feature", "definition", "unit", "range learned from", "missing"), rows)


def _trail(events: Sequence[AuditEvent]) -> str:
    rows = [
        (f"{one.at:%Y-%m-%d %H:%M:%S}", one.event, one.by, one.note, one.run_id or "")
        for one in events
    ]
    if not rows:
        return "<p>The audit trail holds nothing of this version.</p>"
    return _table(("UTC", "event", "by", "why", "run"), rows)


def _pictures(store: Store, manifest: BundleManifest, currency: str) -> str:
    parts = []
    for file in sorted(manifest.files):
        if file.endswith(".svg"):
            data = store.read(release_key(manifest.feature_set, manifest.version, file))
            svg = in_currency(data.decode(), currency)
            name = escape(file.removesuffix(".svg").replace("_", " "))
            # As an image a drawing runs nothing, whatever it holds.
            source = f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
            parts.append(
                f"<figure><img src='{source}' alt='{name}'><figcaption>{name}</figcaption></figure>"
            )
    return f"<div class='pictures'>{''.join(parts)}</div>"


def _files(manifest: BundleManifest) -> str:
    rows = [(name, f"{file.bytes:,}", file.sha256) for name, file in sorted(manifest.files.items())]
    return _table(("file", "bytes", "SHA-256"), rows)


def _cells(metric: Metric) -> tuple[str, str]:
    return f"{metric.value:.3f}", f"{metric.low:.3f} to {metric.high:.3f}"


def _rate(rate: dict[str, Any] | None) -> str:
    if not rate:
        return "no such loan"
    return f"{rate['value']:.1%} ({rate['low']:.1%} to {rate['high']:.1%})"


def _list(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th scope='col'>{escape(column)}</th>" for column in columns)
    lines = "".join(
        f"<tr><th scope='row'>{escape(first)}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    header = f"<thead><tr>{head}</tr></thead>" if columns else ""
    return f"<div class='scroll'><table>{header}<tbody>{lines}</tbody></table></div>"
