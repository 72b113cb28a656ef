"""The pipeline's steps as plain function calls, one after the other, without Dagster.

    python -m benchmarks.plain_run HOME

does in HOME what `loan-pipeline run --source sample` does there, and prints the seconds of each
stage. What Dagster adds (events, records between steps, partial runs, the UI) is left out.
"""

import json
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from loan_pipeline.bank.open import open_bank
from loan_pipeline.bank.report.aggregates import explore
from loan_pipeline.bank.report.html import plots, render
from loan_pipeline.code_revision import code_revision
from loan_pipeline.contracts.bundle import model_file
from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FEATURES, FeatureSet
from loan_pipeline.contracts.predictor import PredictorManifest, new_predictor_id
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.verdict import FeatureTableVerdict
from loan_pipeline.evaluation.evaluate import split_out_of_time
from loan_pipeline.evaluation.validation import validate
from loan_pipeline.features.engine import feature_batches, snapshot_tables
from loan_pipeline.features.subgroups import loan_regions
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.feature_tables import (
    FeatureTable,
    read_feature_table,
    write_feature_table,
)
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import Store
from loan_pipeline.monitoring.portfolio import running_loans, score_portfolio
from loan_pipeline.monitoring.portfolio_store import publish_portfolio, summarise
from loan_pipeline.quality.features import feature_table_checks
from loan_pipeline.quality.snapshots import snapshot_verdict
from loan_pipeline.quality.tables import violations
from loan_pipeline.quality.verdicts import write_snapshot_verdict, write_table_verdict
from loan_pipeline.release.bundle import Origin, released_model, write_bundle
from loan_pipeline.release.candidate import MetricsRecord
from loan_pipeline.release.gate import Candidate, released_champion
from loan_pipeline.release.publish import HoldoutPredictions, publish
from loan_pipeline.release.verdict import give_verdict
from loan_pipeline.scoring.release import load_latest
from loan_pipeline.settings import Settings
from loan_pipeline.sources.open import open_source
from loan_pipeline.training.inputs import with_outcome
from loan_pipeline.training.predictor_store import cached_path, save_predictor
from loan_pipeline.training.recipes import recipe
from loan_pipeline.training.train import train_predictor

_ACCOUNT_FEATURES = tuple(feature for feature in FEATURES if feature.origin == "account")
_MODEL = model_file("onnx")


class _Stages:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started


def run(home: Path, source: str) -> dict[str, float]:
    """Fill the bank from the source and go the whole way to both releases; seconds by stage."""
    settings, stages = Settings(home=home), _Stages()
    bank, store = open_bank(settings), open_store(settings.lake)
    with stages.stage("bank"):
        bank.fill(open_source(source))
    with stages.stage("contract of the raw tables"):
        assert not violations(bank)
    with stages.stage("bank report"):
        exploration = explore(bank)
        plots(exploration)
        store.write("reports/bank.html", render(exploration).encode())
    with stages.stage("snapshot"):
        snapshot = export_direct(bank, store, source=bank.filled_from())
        verdict = snapshot_verdict(store, snapshot, bank.row_counts(), alone=True)
        assert verdict.passed
        write_snapshot_verdict(store, verdict)
    with stages.stage("account features"):
        accounts = _features(
            store, snapshot, "account_features", "account_id", _ACCOUNT_FEATURES,
            lambda: _open_accounts(store, snapshot),
        )  # fmt: skip
    with stages.stage("loan features"):
        loans = _features(store, snapshot, "loan_features", "loan_id", FEATURES,
                          lambda: snapshot.tables["loan"].rows)  # fmt: skip
    for name in FEATURE_SET_NAMES:
        with stages.stage(f"{name}: training to release"):
            _release(settings, store, snapshot, name, loans, accounts)
    with stages.stage("portfolio"):
        _portfolio(settings, store, snapshot, loans, accounts)
    return stages.seconds


def _features(
    store: Store,
    snapshot: SnapshotManifest,
    name: str,
    key: str,
    features: tuple[Any, ...],
    expected_rows: Callable[[], int],
) -> FeatureTable:
    with feature_batches(store, snapshot, name) as batches:
        table = write_feature_table(store, name, snapshot, batches)
    rows = read_feature_table(store, table)
    checks = feature_table_checks(rows, key, features, expected_rows(), None)
    verdict = FeatureTableVerdict(
        table=name, table_id=table.table_id, snapshot_id=table.snapshot_id, checks=checks,
        code_revision=code_revision(),
    )  # fmt: skip
    assert verdict.passed
    write_table_verdict(store, verdict)
    return table


def _open_accounts(store: Store, snapshot: SnapshotManifest) -> int:
    with snapshot_tables(store, snapshot) as tables:
        account = tables["account"]
        return int(account.filter(account.date < snapshot.as_of).count().to_pyarrow().as_py())


def _release(
    settings: Settings,
    store: Store,
    snapshot: SnapshotManifest,
    name: FeatureSet,
    loan_features: FeatureTable,
    account_features: FeatureTable,
) -> None:
    loans = read_feature_table(store, loan_features)
    manifest = PredictorManifest(
        predictor_id=new_predictor_id(), feature_set=name, recipe="default", target="observed",
        seed=0, cost_ratio=None, test_from=None, snapshot_id=snapshot.snapshot_id,
        loan_features_id=loan_features.table_id, run_id=str(uuid.uuid4()),
        code_revision=code_revision(),
    )  # fmt: skip

    def trained(of: PredictorManifest, on: pd.DataFrame) -> Any:
        place = cached_path(settings.models_path, name, of.predictor_id)
        return train_predictor(on, name, recipe("default"), "observed", place)

    predictor = trained(manifest, loans)
    model = released_model(predictor)
    manifest = save_predictor(store, predictor, manifest, {_MODEL: model})
    older, _ = split_out_of_time(with_outcome(loans, "observed"), None)
    holdout_of = {"predictor_id": new_predictor_id(), "holdout_of": manifest.predictor_id}
    holdout_manifest = manifest.model_copy(update={**holdout_of, "files": {}})
    holdout = trained(holdout_manifest, older)
    holdout_manifest = save_predictor(store, holdout, holdout_manifest, {})
    with snapshot_tables(store, snapshot) as tables:
        regions = loan_regions(tables).to_pandas()
    validation = validate(predictor, holdout, loans.merge(regions, on="loan_id", how="left"))
    measured = MetricsRecord.of(validation, manifest, holdout_manifest)
    champion = released_champion(store, name, snapshot.contents, allow_pickles=False)
    candidate = Candidate(
        trained=predictor, model=model, validation=validation, loans=loans, champion=champion,
        minimum_roc_auc=settings.minimum_roc_auc,
    )  # fmt: skip
    verdict = give_verdict(candidate, manifest, measured)
    looked_up = account_features if name == "behavioural" else None
    origin = Origin(
        predictor=manifest, metrics_id=measured.metrics_id, verdict=verdict,
        as_of=account_features.as_of,
        account_features_id=looked_up.table_id if looked_up else None,
    )  # fmt: skip
    test = validation.out_of_time
    with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
        rows = read_feature_table(store, looked_up) if looked_up else None
        bundle = write_bundle(Path(folder), predictor, model, validation, loans, rows, origin)
        scores = dict(zip(test.loan_ids.tolist(), test.probabilities.tolist(), strict=True))
        publish(
            store, Path(folder), bundle, verdict,
            HoldoutPredictions(out_of_time=scores, bank=snapshot.contents),
            minimum_roc_auc=settings.minimum_roc_auc, keep=settings.keep_releases,
        )  # fmt: skip


def _portfolio(
    settings: Settings,
    store: Store,
    snapshot: SnapshotManifest,
    loan_features: FeatureTable,
    account_features: FeatureTable,
) -> None:
    scorer = load_latest(store, "behavioural", settings.home / "cache", allow_pickles=False)
    with snapshot_tables(store, snapshot) as tables:
        regions = loan_regions(tables).to_pandas()
    columns = ["loan_id", "account_id", "date", "amount", "duration", "status"]
    loans = read_feature_table(store, loan_features, columns).merge(
        regions, on="loan_id", how="left"
    )
    scored = score_portfolio(
        running_loans(loans, snapshot.as_of),
        read_feature_table(store, account_features),
        scorer,
        settings.loss_given_default,
    )
    summary = summarise(
        scored, snapshot_id=snapshot.snapshot_id, as_of=snapshot.as_of,
        model_version=scorer.manifest.version, loss_given_default=settings.loss_given_default,
    )  # fmt: skip
    publish_portfolio(store, scored, summary)


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), sys.argv[2])))
