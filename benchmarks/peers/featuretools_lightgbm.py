"""Deep feature synthesis with cut-off times, and LightGBM on what it makes."""

from pathlib import Path

import featuretools as ft
import pandas as pd
from answer import answer
from lightgbm import LGBMClassifier


def main(folder: str, tables: str) -> list[float]:
    """Scores of the newer loans, higher for safer ones."""
    older, newer = (pd.read_parquet(Path(folder) / f"{n}.parquet") for n in ("older", "newer"))
    matrix = features(Path(tables), pd.concat([older, newer]))
    train, test = matrix.loc[older["loan_id"]], matrix.loc[newer["loan_id"]]
    model = LGBMClassifier(verbose=-1, random_state=0)
    model.fit(train, older["paid_off"])
    return model.predict_proba(test)[:, 1].tolist()


def features(tables: Path, loans: pd.DataFrame) -> pd.DataFrame:
    """A row per loan, as of its date: what happens on the date itself is left out."""
    loans = loans[["loan_id", "account_id", "date", "amount", "duration", "payments"]]
    accounts = set(loans["account_id"])
    entities = ft.EntitySet("bank")
    entities.add_dataframe(
        dataframe_name="loans", dataframe=loans.drop(columns="date"), index="loan_id"
    )
    account = _read(tables, "account", accounts)
    account["date"] = pd.to_datetime(account["date"])
    entities.add_dataframe(
        dataframe_name="accounts", dataframe=account.drop(columns="district_id"),
        index="account_id", logical_types={"frequency": "Categorical"},
    )  # fmt: skip
    trans = _read(tables, "trans", accounts)
    trans["date"] = pd.to_datetime(trans["date"])
    kinds = ["type", "operation", "k_symbol"]
    entities.add_dataframe(
        dataframe_name="trans",
        dataframe=trans[["trans_id", "account_id", "date", "amount", "balance", *kinds]],
        index="trans_id", time_index="date", logical_types=dict.fromkeys(kinds, "Categorical"),
    )  # fmt: skip
    entities.add_relationship("accounts", "account_id", "loans", "account_id")
    entities.add_relationship("accounts", "account_id", "trans", "account_id")
    interesting = {"type": ["PRIJEM", "VYDAJ"], "k_symbol": ["SANKC. UROK", "SIPO"]}
    entities.add_interesting_values(dataframe_name="trans", values=interesting)
    matrix, _ = ft.dfs(
        entityset=entities,
        target_dataframe_name="loans",
        cutoff_time=loans[["loan_id", "date"]].rename(columns={"date": "time"}),
        include_cutoff_time=False,
        agg_primitives=["count", "mean", "std", "min", "max", "sum", "last"],
        trans_primitives=[],
        where_primitives=["count", "mean", "sum"],
        max_depth=2,
        ignore_dataframes=[],
        verbose=False,
    )
    coded = matrix.select_dtypes(["category", "object", "string"]).columns
    matrix[coded] = matrix[coded].apply(lambda column: column.astype("category").cat.codes)
    matrix.columns = [f"f{number}" for number in range(matrix.shape[1])]
    return matrix.astype("float64")


def _read(tables: Path, name: str, accounts: set) -> pd.DataFrame:
    table = pd.read_parquet(tables / f"{name}.parquet")
    table = table[table["account_id"].isin(accounts)].reset_index(drop=True)
    for column in ("amount", "balance"):
        if column in table:
            table[column] = table[column].astype("float64")
    return table


if __name__ == "__main__":
    answer(main)
