"""Feast on one machine: a Parquet source, one feature view, the online store in SQLite."""

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pandas as pd
from answer import answer
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.infra.online_stores.sqlite import SqliteOnlineStoreConfig
from feast.types import Float64
from feast.value_type import ValueType


def main(source: str, accounts: list[int]) -> dict:
    """The values of each account, and the median seconds of a look-up."""
    table = pd.read_parquet(source)
    names = [name for name in table if name != "account_id"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "accounts.parquet"
        known_at = datetime.now(UTC) - timedelta(hours=1)
        table[names] = table[names].astype("float64")
        table.assign(event_timestamp=pd.Timestamp(known_at)).to_parquet(path)
        store = _store(Path(folder), path, names)
        started = time.perf_counter()
        store.materialize(known_at - timedelta(days=1), datetime.now(UTC))
        materialised = time.perf_counter() - started
        wanted = [f"account_features:{name}" for name in names]
        values, seconds = [], []
        for account in accounts:
            started = time.perf_counter()
            answer = store.get_online_features(
                features=wanted, entity_rows=[{"account_id": account}]
            ).to_dict()
            seconds.append(time.perf_counter() - started)
            values.append({name: answer[name][0] for name in names})
    return {
        "values": values,
        "seconds_a_look_up": median(seconds),
        "seconds_to_materialise": materialised,
    }


def _store(folder: Path, source: Path, names: list[str]) -> FeatureStore:
    config = RepoConfig(
        project="bank",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store=SqliteOnlineStoreConfig(path=str(folder / "online.db")),
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    account = Entity(name="account", join_keys=["account_id"], value_type=ValueType.INT64)
    view = FeatureView(
        name="account_features",
        entities=[account],
        schema=[Field(name=name, dtype=Float64) for name in names],
        source=FileSource(path=str(source), timestamp_field="event_timestamp"),
        ttl=timedelta(days=365),
    )
    store.apply([account, view])
    return store


if __name__ == "__main__":
    answer(main)
