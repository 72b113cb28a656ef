"""The main job against servers: the bank in a real MariaDB, the lake on S3 over HTTP."""

from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from pydantic import SecretStr

from loan_pipeline.bank.open import open_bank
from loan_pipeline.contracts.features import FEATURES
from loan_pipeline.defs.lake_resource import LakeResource
from loan_pipeline.defs.sensors import exported_by_others
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.feature_tables import FeatureTable, read_feature_table
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.open import open_store
from loan_pipeline.load_loans import load_loans
from loan_pipeline.run import run_pipeline
from loan_pipeline.scoring.release import load_latest
from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.arrow_bank import random_bank
from loan_pipeline_tests.helpers.rds_stand_in import write_export

SAMPLE = "sample:scale=0.5"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_mariadb_and_s3_give_the_features_of_the_embedded_bank_to_the_last_digit(
    mariadb_url: str, s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = Settings(home=tmp_path, database_url=SecretStr(mariadb_url), lake_url=s3_url)
    summary = run_pipeline(settings, source=SAMPLE, recipe="quick", target="observed")

    store = open_store(settings.lake)
    record = FeatureTable.model_validate_json(store.read("assets/loan_features.json"))
    built = read_feature_table(store, record).sort_values("loan_id", ignore_index=True)
    embedded = load_loans(SAMPLE).sort_values("loan_id", ignore_index=True)
    names = ["loan_id", "account_id", "status", *(feature.name for feature in FEATURES)]
    pd.testing.assert_frame_equal(built[names], embedded[names], check_exact=True)

    scorer = load_latest(store, "behavioural", settings.home / "cache")
    assert scorer.score_account(summary.example_account, 96_000, 24).reasons
    assert "MariaDB" in open_bank(settings).name
    assert not settings.embedded_bank_path.exists()


def test_an_export_by_others_asks_for_one_retraining(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    bank = random_bank(transactions=50)

    def asked() -> list[dg.RunRequest]:
        context = dg.build_sensor_context(resources={"lake": LakeResource(url=tmp_path.as_uri())})
        data = exported_by_others.evaluate_tick(context)
        return list(data.run_requests or [])

    assert asked() == []
    export_direct(bank, store, source=None)
    write_export(
        bank, lambda key, data: store.write(f"snapshots/nightly-7/{key}", data), "nightly-7"
    )
    [request] = asked()
    assert request.run_key == "nightly-7"
    assert request.run_config["ops"]["snapshot"]["config"] == {"adopt": "nightly-7"}
