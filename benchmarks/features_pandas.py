"""The account features as one would write them in pandas: filters, merges, group-bys."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from loan_pipeline.contracts.features import FEATURES, FEATURES_BY_NAME

CARDS = {code: number for number, code in enumerate(FEATURES_BY_NAME["card_type"].codes)}


def account_features(paths: dict[str, list[Path]], as_of: date) -> pd.DataFrame:
    """One row per account, by account_id.

    Args:
        paths: the Parquet files of each table.
        as_of: everything strictly before this date is known.
    """
    tables = {
        name: pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)
        for name, files in paths.items()
    }
    today = pd.Timestamp(as_of)
    trans = tables["trans"]
    trans["date"] = pd.to_datetime(trans["date"])
    trans = trans[trans["date"] < today].copy()
    trans["amount"] = trans["amount"].astype("float64")
    trans["balance"] = trans["balance"].astype("float64")
    trans["credit"] = trans["type"] == "PRIJEM"
    trans["income"] = trans["credit"] & (trans["k_symbol"] != "UROK")
    trans["days_before"] = (today - trans["date"]).dt.days
    features = pd.concat(
        [_profile(tables, today), _balances(trans), _days(trans), _cashflow(trans), _months(trans)],
        axis=1,
    )
    for feature in FEATURES:
        if (
            feature.unit in ("count", "CZK")
            and feature.null_means is None
            and (feature.name in features and feature.origin == "account")
        ):
            features[feature.name] = features[feature.name].fillna(0)
    names = [feature.name for feature in FEATURES if feature.origin == "account"]
    return features.sort_index()[names].reset_index(names="account_id")


def _profile(tables: dict[str, pd.DataFrame], today: pd.Timestamp) -> pd.DataFrame:
    account = tables["account"].set_index("account_id")
    disp = tables["disp"]
    owner = disp[disp["type"] == "OWNER"].merge(tables["client"], on="client_id")
    owner = owner.merge(tables["district"], on="district_id").set_index("account_id")
    order = tables["order"]
    order = order[order["k_symbol"] != "UVER"]
    card = tables["card"].merge(disp[["disp_id", "account_id"]], on="disp_id")
    card = card[pd.to_datetime(card["issued"]) < today]
    level = card["type"].map(CARDS).groupby(card["account_id"]).max()
    names = {number: code for code, number in CARDS.items()}
    return pd.DataFrame(
        {
            "statement_frequency": account["frequency"],
            "account_age_days": (today - pd.to_datetime(account["date"])).dt.days,
            "gender": owner["gender"],
            "age_years": (today - pd.to_datetime(owner["birth_date"])).dt.days / 365.25,
            "district_salary_mean_czk": owner["A11"].astype("float64"),
            "client_count": disp.groupby("account_id")["client_id"].nunique(),
            "order_amount_mean_czk": order["amount"]
            .astype("float64")
            .groupby(order["account_id"])
            .mean(),
            "card_type": level.reindex(account.index).fillna(0).map(names),
        }
    )


def _balances(trans: pd.DataFrame) -> pd.DataFrame:
    by_account = trans.groupby("account_id")
    penalty = trans[trans["k_symbol"] == "SANKC. UROK"].groupby("account_id")["amount"]
    return pd.DataFrame(
        {
            "transaction_amount_mean_czk": by_account["amount"].mean(),
            "transaction_count": by_account.size(),
            "balance_mean_czk": by_account["balance"].mean(),
            "balance_below_zero_count": trans[trans["balance"] < 0].groupby("account_id").size(),
            "penalty_interest_czk": penalty.sum(),
        }
    )


def _days(trans: pd.DataFrame) -> pd.DataFrame:
    keys = ["account_id", "days_before"]
    year = trans[trans["days_before"] <= 360]
    debits = year[~year["credit"]].groupby(keys)["balance"].min()
    incoming = year[year["credit"]].groupby(keys)["balance"].max()
    days = debits.combine_first(incoming).rename("balance").reset_index()
    days = days.sort_values(keys, ascending=[True, False])
    days["to_day"] = days.groupby("account_id")["days_before"].shift(-1).fillna(0)
    features = {"balance_last_czk": days.groupby("account_id")["balance"].last()}
    for window in (90, 180):
        recent = days[days["to_day"] < window]
        stood = recent["days_before"].clip(upper=window) - recent["to_day"]
        account = recent["account_id"]
        total = stood.groupby(account).sum()
        low = stood.where(recent["balance"] < 15_000, 0).groupby(account).sum()
        features[f"low_balance_share_{window}d"] = low / total
        if window == 90:
            weighted = (recent["balance"] * stood).groupby(account).sum()
            features["balance_mean_90d_czk"] = weighted / total
            features["balance_min_90d_czk"] = recent.groupby("account_id")["balance"].min()
    return pd.DataFrame(features)


def _cashflow(trans: pd.DataFrame) -> pd.DataFrame:
    by_account = trans.groupby("account_id")
    income = trans[trans["income"]]
    debits = trans[~trans["credit"]]
    quarter = debits[debits["days_before"] <= 90]
    cash = quarter[quarter["operation"] == "VYBER"].groupby("account_id")["amount"].sum()
    spent = quarter.groupby("account_id")["amount"].sum()
    transfers = trans[trans["operation"] == "PREVOD NA UCET"].groupby("account_id")
    history = by_account["days_before"].max()
    monthly = transfers["amount"].sum().reindex(history.index).fillna(0) * 30 / history
    year = income[income["days_before"] <= 360]
    times = year.groupby(["account_id", "amount"]).size().rename("times").reset_index()
    times["total"] = times["amount"] * times["times"]
    regular = times[times["times"] > 1].groupby("account_id")["total"].sum()
    total = times.groupby("account_id")["total"].sum()
    half_year = debits[debits["days_before"] <= 180]
    return pd.DataFrame(
        {
            "days_since_income": income.groupby("account_id")["days_before"].min(),
            "debit_amount_mean_180d_czk": half_year.groupby("account_id")["amount"].mean(),
            "cash_share_90d": cash.reindex(spent.index).fillna(0) / spent,
            "transfers_mean_monthly_czk": monthly,
            "transfer_recipient_count": transfers["account"].nunique(),
            "income_regular_share_12m": regular.reindex(total.index).fillna(0) / total,
        }
    )


def _months(trans: pd.DataFrame) -> pd.DataFrame:
    year = trans.assign(month=(trans["days_before"] - 1) // 30)
    year = year[year["month"] < 12]
    year["income"] = year["amount"].where(year["income"], 0)
    year["net"] = np.where(year["credit"], year["amount"], -year["amount"])
    months = year.groupby(["account_id", "month"]).agg(
        low=("balance", "min"), income=("income", "sum"), net=("net", "sum")
    )
    months = months.reset_index()
    features = {
        f"balance_low_mean_{count}m_czk": months[months["month"] < count]
        .groupby("account_id")["low"]
        .mean()
        for count in (3, 6)
    }
    by_account = months.groupby("account_id")
    half = months[months["month"] < 6].groupby("account_id")
    income = half["income"].mean()
    gaps = (months["income"] == 0).groupby(months["account_id"]).mean()
    return pd.DataFrame(
        features
        | {
            "balance_low_std_12m_czk": by_account["low"].std(ddof=0),
            "income_mean_6m_czk": income,
            "income_variation_6m": half["income"].std(ddof=0) / income.where(income > 0),
            "income_gap_share_12m": gaps,
            "net_flow_mean_6m_czk": half["net"].mean(),
            "net_flow_std_6m_czk": half["net"].std(ddof=0),
            "net_flow_min_6m_czk": half["net"].min(),
        }
    )
