"""The features of a loan: name, unit, definition, range and the meaning of null.

The *application* set is what a form can ask; the *behavioural* set adds what the account's history
tells. The builders in `features/` must produce exactly these columns, the released bundle carries
them, and the documentation is generated from them.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Literal

FeatureSet = Literal["application", "behavioural"]
FEATURE_SET_NAMES: tuple[FeatureSet, ...] = ("application", "behavioural")

# Where a feature comes from when an applicant is scored: the account alone (looked up as of the
# snapshot), the terms of the loan asked for, or both together.
Origin = Literal["account", "terms", "both"]


@dataclass(frozen=True)
class Feature:
    """One input of the model.

    Attributes:
        name: column name, with unit and window (`balance_min_90d_czk`).
        label: words for people ("lowest balance in the last 90 days").
        unit: "CZK", "days", "months", "years", "count", "share", "ratio", "percent" or "code".
        definition: how it is computed, in a sentence; "before" means before the as-of date.
        origin: what it is computed from, see `Origin`.
        minimum: smallest possible value, inclusive.
        maximum: largest possible value, inclusive.
        null_means: why the value may be missing; None where it never is.
        codes: for unit "code", the values in the order of their model numbers 0, 1, 2, …
        application: whether the application set has it.
    """

    name: str
    label: str
    unit: str
    definition: str
    origin: Origin
    minimum: float
    maximum: float
    null_means: str | None = None
    codes: tuple[str, ...] = ()
    application: bool = False

    def encode(self, value: object) -> float:
        """The model's number for a value: codes by position, null and unknown codes as NaN."""
        if self.codes:
            return float(self.codes.index(value)) if value in self.codes else math.nan
        if value is None:
            return math.nan
        if isinstance(value, (int, float)):
            return float(value)
        raise TypeError(f"feature {self.name} takes a number, not {type(value).__name__}")

    def decode(self, number: float) -> str | float | None:
        """The value behind a model's number, the inverse of `encode`."""
        if math.isnan(number):
            return None
        return self.codes[int(number)] if self.codes else number


# The bounds of amount, duration and payments are the form's own: a little wider than the bank's
# loans have been (4,980 to 590,820 CZK over 12 to 60 months), so that a prediction stays within
# what the model has seen.
APPLICATION_FEATURES: tuple[Feature, ...] = (
    Feature(
        "amount",
        "amount of the loan",
        "CZK",
        "Amount asked for.",
        "terms",
        1_000,
        1_000_000,
        application=True,
    ),
    Feature(
        "duration",
        "duration of the loan",
        "months",
        "Months until the loan is paid off.",
        "terms",
        1,
        120,
        application=True,
    ),
    Feature(
        "payments",
        "monthly payment",
        "CZK",
        "Amount divided by duration.",
        "terms",
        10,
        100_000,
        application=True,
    ),
    Feature(
        "account_age_days",
        "age of the account",
        "days",
        "Days from the account's opening to the as-of date.",
        "account",
        0,
        40_000,
        application=True,
    ),
    Feature(
        "statement_frequency",
        "how often statements are issued",
        "code",
        "The account's statement frequency.",
        "account",
        0,
        2,
        codes=("POPLATEK MESICNE", "POPLATEK TYDNE", "POPLATEK PO OBRATU"),
        application=True,
    ),
    Feature(
        "order_amount_mean_czk",
        "average permanent order",
        "CZK",
        "Mean amount of the account's permanent orders, loan payments (UVER) left out.",
        "account",
        0,
        100_000,
        null_means="no permanent order",
        application=True,
    ),
    Feature(
        "transaction_amount_mean_czk",
        "average transaction",
        "CZK",
        "Mean amount of the transactions before the as-of date.",
        "account",
        0,
        10_000_000,
        null_means="no transaction yet",
        application=True,
    ),
    Feature(
        "balance_mean_czk",
        "average balance",
        "CZK",
        "Mean balance after each transaction before the as-of date.",
        "account",
        -10_000_000,
        10_000_000,
        null_means="no transaction yet",
        application=True,
    ),
    Feature(
        "transaction_count",
        "number of transactions",
        "count",
        "Transactions before the as-of date.",
        "account",
        0,
        1_000_000,
        application=True,
    ),
    Feature(
        "card_type",
        "credit card",
        "code",
        "The highest card issued to anybody on the account before the as-of date.",
        "account",
        0,
        3,
        codes=("none", "junior", "classic", "gold"),
        application=True,
    ),
    Feature(
        "district_salary_mean_czk",
        "average salary in the district",
        "CZK",
        "Average monthly salary where the owner lives.",
        "account",
        0,
        1_000_000,
        application=True,
    ),
    Feature(
        "gender",
        "gender",
        "code",
        "Gender of the account's owner.",
        "account",
        0,
        1,
        codes=("M", "F"),
        application=True,
    ),
    Feature(
        "age_years",
        "age",
        "years",
        "Age of the account's owner at the as-of date.",
        "account",
        0,
        120,
        application=True,
    ),
)

BEHAVIOURAL_FEATURES: tuple[Feature, ...] = ()

FEATURES: tuple[Feature, ...] = APPLICATION_FEATURES + BEHAVIOURAL_FEATURES
FEATURES_BY_NAME = {feature.name: feature for feature in FEATURES}


def feature_set(name: FeatureSet) -> tuple[Feature, ...]:
    """The features of a set, in the model's order."""
    return APPLICATION_FEATURES if name == "application" else FEATURES


def contract_version(name: FeatureSet) -> str:
    """A fingerprint of a set's contract: a bundle made for another one must not be used."""
    text = json.dumps([asdict(feature) for feature in feature_set(name)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
