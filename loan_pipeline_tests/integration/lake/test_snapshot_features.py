"""Features do not depend on who exported: RDS's files give exactly those of the direct export."""

from datetime import date
from pathlib import Path

import ibis
import pyarrow as pa
import pytest

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.features import loan_features, serving_features
from loan_pipeline.lake.direct import export_direct
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.protocol import Store
from loan_pipeline.lake.rds.files import adopt_export
from loan_pipeline.lake.reader import open_snapshot
from loan_pipeline.sources.open import open_source
from loan_pipeline_tests.helpers.arrow_bank import ArrowBank
from loan_pipeline_tests.helpers.rds_stand_in import write_export


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedBank:
    filled = EmbeddedBank(tmp_path_factory.mktemp("bank") / "bank.duckdb")
    filled.fill(open_source("sample:scale=0.1,seed=3"))
    return filled


def features(store: Store, snapshot) -> list[pa.Table]:
    # One thread adds the amounts of both in the same order, so that the last digits agree too.
    tables = open_snapshot(store, snapshot, ibis.duckdb.connect(threads=1))
    return [
        loan_features(tables).order_by("loan_id").to_pyarrow(),
        serving_features(tables, date(1999, 1, 1)).order_by("account_id").to_pyarrow(),
    ]


@pytest.mark.slow
def test_features_from_an_rds_export_equal_those_from_the_direct_export(
    bank: EmbeddedBank, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path)
    direct = export_direct(bank, store, source=None)
    with bank.reading() as reader:
        copy = ArrowBank({table.name: reader.batches(table).read_all() for table in TABLES})
    write_export(copy, lambda key, data: store.write(f"snapshots/nightly/{key}", data), "nightly")
    adopted = adopt_export(store, "nightly")
    assert adopted.as_of == direct.as_of
    for ours, theirs in zip(features(store, direct), features(store, adopted), strict=True):
        assert ours.num_rows > 0
        assert theirs.equals(ours)
