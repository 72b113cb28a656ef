"""Tables of loans for tests: every feature of the contract, with an outcome that can be learned."""

import numpy as np
import pandas as pd

from loan_pipeline.contracts.features import FEATURES, Feature

_RISK_FEATURE = "balance_mean_czk"


def loan_table(loans: int = 240, *, seed: int = 0, bad_share: float = 0.2) -> pd.DataFrame:
    """Loans of four years, in no order; the poorer the account, the likelier the loss."""
    generator = np.random.default_rng(seed)
    columns = {feature.name: _values(feature, loans, generator) for feature in FEATURES}
    wealth = generator.normal(0, 1, loans)
    columns[_RISK_FEATURE] = 30_000 + 10_000 * wealth
    bad = wealth + generator.normal(0, 0.5, loans) < np.quantile(wealth, bad_share)
    running = generator.random(loans) < 0.5
    days = generator.integers(0, 4 * 365, loans)
    return pd.DataFrame(
        {
            "loan_id": generator.permutation(loans) + 1000,
            "account_id": np.arange(loans) + 1,
            "date": pd.Timestamp("1993-01-01") + pd.to_timedelta(days, unit="D"),
            "status": np.where(bad, np.where(running, "D", "B"), np.where(running, "C", "A")),
            **columns,
        }
    )


def _values(feature: Feature, rows: int, generator: np.random.Generator) -> np.ndarray:
    if feature.codes:
        return generator.choice(np.array(feature.codes, dtype=object), rows)
    low, high = max(feature.minimum, -50_000), min(feature.maximum, 50_000)
    values = generator.uniform(low, high, rows)
    if feature.unit == "count":
        values = np.floor(values)
    if feature.null_means:
        values[generator.random(rows) < 0.3] = np.nan
    return values
