"""The account features as one would write them in Polars: one lazy query, filtered aggregates."""

from datetime import date
from pathlib import Path

import polars as pl

from loan_pipeline.contracts.features import FEATURES, FEATURES_BY_NAME

KEY = "account_id"
BALANCE, AMOUNT, DAYS = pl.col("balance"), pl.col("amount"), pl.col("days_before")
CREDIT, INCOME = pl.col("credit"), pl.col("income")


def account_features(paths: dict[str, list[Path]], as_of: date) -> pl.LazyFrame:
    """One row per account, by account_id, to be collected.

    Args:
        paths: the Parquet files of each table.
        as_of: everything strictly before this date is known.
    """
    tables = {name: pl.scan_parquet(files) for name, files in paths.items()}
    trans = tables["trans"].filter(pl.col("date") < as_of)
    trans = trans.select(
        KEY,
        pl.col("operation").fill_null(""),
        pl.col("k_symbol").fill_null(""),
        recipient="account",
        amount=AMOUNT.cast(pl.Float64),
        balance=BALANCE.cast(pl.Float64),
        credit=pl.col("type") == "PRIJEM",
        days_before=(pl.lit(as_of) - pl.col("date")).dt.total_days(),
    ).with_columns(income=CREDIT & (pl.col("k_symbol") != "UROK"))
    features = _profile(tables, as_of)
    for part in (_transactions(trans), _days(trans), _regular(trans), _months(trans)):
        features = features.join(part, on=KEY, how="left")
    account = [feature for feature in FEATURES if feature.origin == "account"]
    zeros = [
        pl.col(f.name).fill_null(0)
        for f in account
        if f.unit in ("count", "CZK") and f.null_means is None
    ]
    chosen = features.with_columns(zeros).select(KEY, *(f.name for f in account))
    return chosen.sort(KEY)


def _profile(tables: dict[str, pl.LazyFrame], as_of: date) -> pl.LazyFrame:
    disp, codes = tables["disp"], FEATURES_BY_NAME["card_type"].codes
    owner = (
        disp.filter(pl.col("type") == "OWNER")
        .join(tables["client"], on="client_id")
        .join(tables["district"], on="district_id")
    )
    owner = owner.select(
        KEY,
        "gender",
        age_years=(pl.lit(as_of) - pl.col("birth_date")).dt.total_days() / 365.25,
        district_salary_mean_czk=pl.col("A11").cast(pl.Float64),
    )
    clients = disp.group_by(KEY).agg(client_count=pl.col("client_id").n_unique())
    orders = (
        tables["order"]
        .filter(pl.col("k_symbol") != "UVER")
        .group_by(KEY)
        .agg(order_amount_mean_czk=AMOUNT.cast(pl.Float64).mean())
    )
    levels = pl.col("type").replace_strict({c: n for n, c in enumerate(codes)})
    cards = (
        tables["card"]
        .filter(pl.col("issued") < as_of)
        .join(disp.select("disp_id", KEY), on="disp_id")
        .group_by(KEY)
        .agg(level=levels.max())
    )
    account = tables["account"].select(
        KEY,
        statement_frequency="frequency",
        account_age_days=(pl.lit(as_of) - pl.col("date")).dt.total_days(),
    )
    for part in (owner, clients, orders, cards):
        account = account.join(part, on=KEY, how="left")
    names = pl.col("level").fill_null(0).replace_strict(dict(enumerate(codes)))
    return account.with_columns(card_type=names).drop("level")


def _transactions(trans: pl.LazyFrame) -> pl.LazyFrame:
    penalty = pl.col("k_symbol") == "SANKC. UROK"
    transfer = pl.col("operation") == "PREVOD NA UCET"
    spent = AMOUNT.filter(~CREDIT & (DAYS <= 90)).sum()
    cash = AMOUNT.filter((pl.col("operation") == "VYBER") & (DAYS <= 90)).sum()
    return trans.group_by(KEY).agg(
        transaction_amount_mean_czk=AMOUNT.mean(),
        transaction_count=pl.len(),
        balance_mean_czk=BALANCE.mean(),
        balance_below_zero_count=(BALANCE < 0).sum(),
        penalty_interest_czk=AMOUNT.filter(penalty).sum(),
        days_since_income=DAYS.filter(INCOME).min(),
        debit_amount_mean_180d_czk=AMOUNT.filter(~CREDIT & (DAYS <= 180)).mean(),
        cash_share_90d=pl.when(spent > 0).then(cash / spent),
        transfers_mean_monthly_czk=AMOUNT.filter(transfer).sum() * 30 / DAYS.max(),
        transfer_recipient_count=pl.col("recipient").filter(transfer).drop_nulls().n_unique(),
    )


def _days(trans: pl.LazyFrame) -> pl.LazyFrame:
    year = trans.filter(DAYS <= 360)
    days = year.group_by(KEY, "days_before").agg(
        balance=pl.coalesce(BALANCE.filter(~CREDIT).min(), BALANCE.filter(CREDIT).max())
    )
    days = days.sort(KEY, "days_before", descending=[False, True]).with_columns(
        to_day=DAYS.shift(-1).over(KEY).fill_null(0)
    )
    to_day = pl.col("to_day")
    quarter, half = (
        DAYS.clip(upper_bound=window) - to_day.clip(upper_bound=window) for window in (90, 180)
    )
    low = BALANCE < 15_000
    return days.group_by(KEY).agg(
        balance_last_czk=BALANCE.filter(to_day == 0).first(),
        balance_mean_90d_czk=(BALANCE * quarter).sum() / quarter.sum(),
        balance_min_90d_czk=BALANCE.filter(to_day < 90).min(),
        low_balance_share_90d=quarter.filter(low).sum() / quarter.sum(),
        low_balance_share_180d=half.filter(low).sum() / half.sum(),
    )


def _regular(trans: pl.LazyFrame) -> pl.LazyFrame:
    amounts = trans.filter(INCOME & (DAYS <= 360)).group_by(KEY, "amount").agg(times=pl.len())
    total = AMOUNT * pl.col("times")
    return amounts.group_by(KEY).agg(
        income_regular_share_12m=total.filter(pl.col("times") > 1).sum() / total.sum()
    )


def _months(trans: pl.LazyFrame) -> pl.LazyFrame:
    month, low, income, net = (pl.col(name) for name in ("month", "low", "income", "net"))
    months = (
        trans.with_columns(month=(DAYS - 1) // 30)
        .filter(month < 12)
        .group_by(KEY, "month")
        .agg(
            low=BALANCE.min(),
            income=AMOUNT.filter(INCOME).sum(),
            net=pl.when(CREDIT).then(AMOUNT).otherwise(-AMOUNT).sum(),
        )
    )
    half = month < 6
    mean = income.filter(half).mean()
    lows = {f"balance_low_mean_{count}m_czk": low.filter(month < count).mean() for count in (3, 6)}
    return months.group_by(KEY).agg(
        **lows,
        balance_low_std_12m_czk=low.std(ddof=0),
        income_mean_6m_czk=mean,
        income_variation_6m=pl.when(mean > 0).then(income.filter(half).std(ddof=0) / mean),
        income_gap_share_12m=(income == 0).mean(),
        net_flow_mean_6m_czk=net.filter(half).mean(),
        net_flow_std_6m_czk=net.filter(half).std(ddof=0),
        net_flow_min_6m_czk=net.filter(half).min(),
    )
