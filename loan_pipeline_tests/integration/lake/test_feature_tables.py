"""Feature tables in the store, read back."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.lake.feature_tables import FeatureTable, read_feature_table, write_feature_table
from loan_pipeline.lake.open import open_store

READ_AND_END = """
import sys
import pandas, pyarrow.parquet  # what reading imports, so that it is the last that happens
from loan_pipeline.lake.feature_tables import FeatureTable, read_feature_table
from loan_pipeline.lake.open import open_store
table = FeatureTable.model_validate_json(sys.argv[2])
assert len(read_feature_table(open_store(sys.argv[1]), table, ["account_id"])) == 5_000
"""
ROWS = pd.DataFrame(
    {"account_id": range(5_000), **{f"feature_{n}": [n / 7] * 5_000 for n in range(30)}}
)


@pytest.fixture
def kept(tmp_path: Path) -> tuple[str, FeatureTable]:
    """A lake's address and a table in it."""
    url = (tmp_path / "lake").as_uri()
    manifest = SnapshotManifest.model_construct(snapshot_id="s-1", as_of=date(1999, 1, 1))
    rows = pa.Table.from_pandas(ROWS)
    return url, write_feature_table(open_store(url), "table", manifest, rows.to_reader())


def test_a_table_is_read_as_it_was_written(kept):
    url, table = kept
    pd.testing.assert_frame_equal(read_feature_table(open_store(url), table), ROWS)
    some = read_feature_table(open_store(url), table, ["feature_3", "account_id"])
    assert set(some.columns) == {"feature_3", "account_id"}


@pytest.mark.slow
def test_a_process_may_end_as_soon_as_it_has_read(kept):
    """Arrow's own threads, still at the file, would abort it every other time."""
    url, table = kept
    command = [sys.executable, "-c", READ_AND_END, url, table.model_dump_json()]
    for _ in range(10):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
