"""Every stage killed in the middle, the bank and the store taken away: a new run ends the same."""

import hashlib
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from loan_pipeline.bank.open import open_bank
from loan_pipeline.contracts.portfolio import LATEST_PORTFOLIO_KEY, portfolio_key
from loan_pipeline.contracts.predictor import PredictorManifest
from loan_pipeline.contracts.shipped_predictions import SHIPPED_PREDICTIONS, unpacked_rows
from loan_pipeline.contracts.verdict import CandidateVerdict
from loan_pipeline.defs.io_manager import read_record
from loan_pipeline.defs.jobs import fill_ops, training_ops
from loan_pipeline.defs.keys import metrics_key, predictor_key, verdict_key
from loan_pipeline.lake.feature_tables import FeatureTable
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.snapshot import latest_snapshot
from loan_pipeline.monitoring.predictions import read_predictions
from loan_pipeline.quality.snapshots import damaged_files
from loan_pipeline.release.candidate import MetricsRecord
from loan_pipeline.scoring.release import load_latest
from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers import borrowers_bank
from loan_pipeline_tests.helpers.mariadb_server import MariaDBServer, StartServer
from loan_pipeline_tests.helpers.prediction_rows import prediction_row, write_rows
from loan_pipeline_tests.helpers.s3_trouble import TroubledS3
from loan_pipeline_tests.helpers.small_forest import SMALL_FOREST
from loan_pipeline_tests.helpers.stage_process import log_of, start_shipping, start_stage
from loan_pipeline_tests.helpers.striker import HARMS, Harm, Moment, Striker
from loan_pipeline_tests.helpers.tiny_bank import contents

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

Parts = dict[str, object]


@dataclass(frozen=True)
class Stage:
    """Assets that are made together; without any it is the shipping of the prediction log."""

    assets: Sequence[str]
    moments: Sequence[Moment]
    ops: Mapping[str, Any] = field(default_factory=dict)
    job: str = "whole_pipeline"


def stages(source: str, home: Path, is_filling: Callable[[], bool]) -> dict[str, Stage]:
    """The stages in the order of the data. One feature set stands for both."""

    def is_training() -> bool:
        return any(home.glob("models/behavioural/.being-made-*/predictor/models"))

    return {
        "fill": Stage(
            ["bank"],
            [Moment(is_filling), Moment(is_filling, "bank away")],
            fill_ops(source),
        ),
        "snapshot": Stage(
            ["snapshot"],
            [
                Moment("financial.loan"),
                Moment("financial.trans", "bank away"),
                Moment("financial.order", "store away"),
                Moment("manifest.json"),
                Moment("snapshots/latest.json", written=True),
            ],
        ),
        "features": Stage(
            ["loan_features", "account_features"],
            [
                Moment("loan_features.parquet"),
                Moment("loan_features.verdict.json", "store away"),
                Moment("assets/account_features.json"),
            ],
        ),
        "training": Stage(
            ["behavioural/predictor"],
            [Moment(is_training), Moment("predictor.tar.gz", "store away")],
            training_ops(["behavioural"], hyperparameters=SMALL_FOREST),
        ),
        "holdout predictor": Stage(["behavioural/holdout_predictor"], [Moment(is_training)]),
        "metrics": Stage(["behavioural/metrics"], [Moment("assets/behavioural/metrics.json")]),
        "verdict": Stage(["behavioural/verdict"], [Moment("assets/behavioural/verdict.json")]),
        "release": Stage(
            ["behavioural/release"],
            [
                Moment("model.onnx"),
                Moment("manifest.json", "store away"),
                Moment("releases/behavioural/latest.json"),
            ],
        ),
        "portfolio": Stage(
            ["portfolio/scores"],
            [Moment("loans.csv"), Moment("portfolio/latest.json", "store away")],
        ),
        "log shipping": Stage(
            [],
            [
                Moment("predictions/"),
                Moment("predictions/", written=True),
                Moment("predictions/", "store away"),
            ],
        ),
        "monitoring": Stage(
            ["monitoring/requests", "monitoring/drift", "monitoring/performance"],
            [Moment("monitoring/predictions/"), Moment("assets/monitoring/drift.json")],
            job="monitoring",
        ),
    }


def together(stages: Mapping[str, Stage]) -> Iterator[Stage]:
    """The same stages in as few runs as possible."""
    whole = [one for one in stages.values() if one.assets and one.job == "whole_pipeline"]
    yield Stage(
        assets=[asset for one in whole for asset in one.assets],
        moments=[],
        ops={name: config for one in whole for name, config in one.ops.items()},
    )
    yield from (one for one in stages.values() if one not in whole)


def results(settings: Settings) -> dict[str, Parts]:
    """What each stage has made, by parts that are the same whenever they are made."""
    store, bank = open_store(settings.lake), contents(open_bank(settings))
    snapshot = latest_snapshot(store)
    records = [store.read(f"assets/{name}_features.json") for name in ("loan", "account")]
    tables = [FeatureTable.model_validate_json(record) for record in records]
    predictor = read_record(store, predictor_key("behavioural"), PredictorManifest)
    metrics = read_record(store, metrics_key("behavioural"), MetricsRecord)
    verdict = read_record(store, verdict_key("behavioural"), CandidateVerdict)
    released = load_latest(store, "behavioural", settings.home / "cache")
    pointer = store.read_pointer(LATEST_PORTFOLIO_KEY)
    assert pointer is not None
    place = pointer.value["snapshot_id"], pointer.value["model_version"]
    assert place == (snapshot.snapshot_id, released.manifest.version)
    shipped = [row for key in store.list(SHIPPED_PREDICTIONS)
               for row in unpacked_rows(store.read(key))]  # fmt: skip
    today = datetime.now(UTC).date()
    accounts = bank["account"]["account_id"].to_pylist()
    return {
        "fill": {name: digest(str(rows.to_pylist()).encode()) for name, rows in bank.items()},
        "snapshot": {name: table.rows for name, table in snapshot.tables.items()}
        | {"damaged": damaged_files(store, snapshot)},
        "features": {table.name: table.table_id for table in tables},
        "training": {"graph": predictor.files["model.onnx"].sha256},
        "holdout predictor": {"out of time": metrics.probabilities},
        "metrics": {name: str(of_sample) for name, of_sample in metrics.metrics.items()},
        "verdict": {check.name: check.passed for check in verdict.checks},
        "release": {
            f"score of {account}": released.score_account(account, 96_000, 24).probability_paid_off
            for account in accounts[:100]
        },
        "portfolio": {"loans": digest(store.read(portfolio_key(*place, "loans.csv")))},
        "log shipping": dict(Counter(row["prediction_id"] for row in shipped)),
        "monitoring": {"answers": len(read_predictions(store, today - timedelta(days=9), today))},
    }


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def bank(start_mariadb: StartServer) -> MariaDBServer:
    return start_mariadb()


@pytest.fixture
def homes(bank: MariaDBServer, s3_url: str, tmp_path: Path) -> list[Settings]:
    """An undisturbed one and one to strike, with the same answers in their apps' logs."""
    days = [datetime.now(UTC) - timedelta(days=days) for days in (4, 3)]
    answered = [day.isoformat(timespec="milliseconds") for day in days for _ in range(20)]
    rows = [prediction_row(answered_at=at) for at in answered]
    made = []
    for name in ("undisturbed", "struck"):
        settings = Settings(
            home=tmp_path / name,
            database_url=SecretStr(bank.new_database(name)),
            lake_url=f"{s3_url}/{name}",
            minimum_roc_auc=0.5,
        )
        settings.home.mkdir()
        write_rows(settings.home / "predictions.sqlite", rows)
        made.append(settings)
    return made


def test_every_stage_is_killed_and_a_new_run_ends_with_the_same_result(
    homes: list[Settings],
    bank: MariaDBServer,
    aws_environment: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    undisturbed, struck = homes
    striker, strikes = Striker(bank), Counter[tuple[str, Harm]]()

    def is_filling() -> bool:
        with bank.root("struck") as connection, connection.cursor() as cursor:
            return bool(cursor.execute("SHOW TABLES LIKE '\\_filling\\_trans'"))

    def run(settings: Settings, stage: Stage, moment: Moment | None = None) -> int:
        if stage.assets:
            process = start_stage(settings, stage.job, stage.assets, stage.ops)
        else:
            process = start_shipping(settings)
        return striker.watch(process, moment, log_of(settings))

    source = borrowers_bank.write_files(tmp_path / "files", scale=0.3)
    every = stages(str(source), struck.home, is_filling)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with TroubledS3(aws_environment, striker) as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
        for stage in together(every):
            assert run(undisturbed, stage) == 0, log_of(undisturbed).read_text()[-3000:]
        for name, stage in every.items():
            for moment in stage.moments:
                expected = -signal.SIGKILL if moment.harm == "killed" else 1
                assert run(struck, stage, moment) == expected, log_of(struck).read_text()[-3000:]
                strikes[name, moment.harm] += 1
            assert run(struck, stage) == 0, log_of(struck).read_text()[-3000:]
        made, again = results(undisturbed), results(struck)

    lost = {
        name: [part for part in parts | again[name] if parts.get(part) != again[name].get(part)]
        for name, parts in made.items()
    }
    with capsys.disabled():
        print(f"\n{'stage':<20}" + "".join(f"{harm:>12}" for harm in HARMS) + "  lost")
        for name, parts in lost.items():
            counts = "".join(f"{strikes[name, harm]:>12}" for harm in HARMS)
            print(f"{name:<20}{counts}  {', '.join(parts) or 'nothing'}, of {len(made[name])}")
    assert not any(lost.values())
    assert not list(struck.models_path.rglob(".being-made-*")), "left by a killed training"
