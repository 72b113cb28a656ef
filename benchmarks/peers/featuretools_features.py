"""Featuretools: an entity set of accounts and transactions, features as of cut-off times."""

import time
from pathlib import Path

import featuretools as ft
import pandas as pd
from answer import answer
from featuretools.primitives import Count, Mean, NumTrue, Sum


def main(folder: str) -> dict:
    """Writes `features.parquet` beside the inputs; the seconds from loaded tables to features."""
    trans = pd.read_parquet(Path(folder) / "trans.parquet")
    cut_offs = pd.read_parquet(Path(folder) / "cut_offs.parquet")
    cut_offs = cut_offs.rename(columns={"as_of_date": "time"})
    cut_offs["time"] = pd.to_datetime(cut_offs["time"])
    started = time.perf_counter()
    table = compute(trans, cut_offs)
    seconds = time.perf_counter() - started
    table.reset_index().to_parquet(Path(folder) / "features.parquet")
    return {"seconds": seconds}


def compute(trans: pd.DataFrame, cut_offs: pd.DataFrame) -> pd.DataFrame:
    """One row per account: the features as of its cut-off time, what happens on it left out."""
    trans = trans.assign(
        date=pd.to_datetime(trans["date"]),
        amount=trans["amount"].astype("float64"),
        balance=trans["balance"].astype("float64"),
    )
    trans["below_zero"] = trans["balance"] < 0
    trans["penalty"] = trans["k_symbol"] == "SANKC. UROK"
    columns = ["trans_id", "account_id", "date", "amount", "balance", "below_zero", "penalty"]
    accounts = pd.DataFrame({"account_id": trans["account_id"].unique()})
    entities = ft.EntitySet("bank")
    entities.add_dataframe(dataframe_name="accounts", dataframe=accounts, index="account_id")
    entities.add_dataframe(
        dataframe_name="trans", dataframe=trans[columns], index="trans_id", time_index="date"
    )
    entities.add_relationship("accounts", "account_id", "trans", "account_id")
    return ft.calculate_feature_matrix(
        _features(entities),
        entities,
        cutoff_time=cut_offs[["account_id", "time"]],
        include_cutoff_time=False,
        verbose=False,
    )


def _features(entities: ft.EntitySet) -> list:
    column = {name: ft.Feature(entities["trans"].ww[name]) for name in entities["trans"].columns}

    def of(name: str, source: str, primitive: type, **where: object) -> ft.Feature:
        feature = ft.Feature(column[source], parent_dataframe_name="accounts",
                             primitive=primitive, **where)  # fmt: skip
        return feature.rename(name)

    return [
        of("transaction_count", "trans_id", Count),
        of("transaction_amount_mean_czk", "amount", Mean),
        of("balance_mean_czk", "balance", Mean),
        of("balance_below_zero_count", "below_zero", NumTrue),
        of("penalty_interest_czk", "amount", Sum, where=column["penalty"]),
    ]


if __name__ == "__main__":
    answer(main)
