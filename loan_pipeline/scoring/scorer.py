"""The one way to a score: online, in batch and on the command line.

Holds a verified bundle's model and its accounts. Threads share a scorer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from operator import itemgetter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from loan_pipeline.contracts.features import FEATURES_BY_NAME, FeatureSet
from loan_pipeline.scoring.accounts import Accounts
from loan_pipeline.scoring.affordability import combine
from loan_pipeline.scoring.bundle import Bundle, BundleError
from loan_pipeline.scoring.known_ground import KnownGround, Referral
from loan_pipeline.scoring.model import open_model
from loan_pipeline.scoring.reasons import contributions
from loan_pipeline.scoring.refusal import PrincipalReason, principal_reasons
from loan_pipeline.scoring.requests import (
    UnknownAccount,
    read_account_request,
    read_application,
)
from loan_pipeline.scoring.text import reason_text

Row = NDArray[np.float32]

LOSS_GIVEN_DEFAULT = 0.45  # the setting's default, for callers without settings
_DIGITS = 6  # of contributions; what is 0 then is no reason
_SMALL = 1e-4  # a difference of scores below which its quotient is one of rounding errors


@dataclass(slots=True)
class Reason:
    """One feature's part in a score.

    Attributes:
        value: the feature's value; None where it is missing.
        contribution: by how much the feature moves the probability away from the reference
            loan's.
    """

    feature: str
    value: str | float | None
    contribution: float

    def size(self) -> float:
        """How much the feature moves the probability, in either direction."""
        return abs(self.contribution)

    @property
    def text(self) -> str:
        """Feature and value in words."""
        return reason_text(FEATURES_BY_NAME[self.feature], self.value)


@dataclass(frozen=True)
class Prediction:
    """An answer.

    Attributes:
        threshold: "paid_off" is answered at or above it.
        amount: what is asked for, the exposure, in the bank's currency.
        expected_loss: what such loans lose on average: (1 - probability) times amount times the
            loss given default.
        referral: why a person must decide; empty where the request is like the training loans.
        baseline_probability_paid_off: the reference loan's; the reasons sum to the difference
            between the two probabilities.
        reasons: what moved the probability, the strongest first; empty where not asked for.
        principal_reasons: of "not_paid_off" with reasons, at most four that speak against it.
    """

    prediction: Literal["paid_off", "not_paid_off"]
    probability_paid_off: float
    threshold: float
    feature_set: FeatureSet
    model_version: str
    amount: float
    expected_loss: float
    referral: tuple[Referral, ...] = ()
    baseline_probability_paid_off: float | None = None
    reasons: tuple[Reason, ...] = ()
    principal_reasons: tuple[PrincipalReason, ...] = ()


class Scorer:
    """Scores with one bundle.

    Args:
        bundle: what to score with.
        allow_pickles: whether a bundle may hold a predictor in place of a graph.
        loss_given_default: the share of the amount that is lost of a loan not paid off.

    Attributes:
        names: the model's inputs, in its order.

    Raises:
        BundleError: the bundle's model is not allowed, or cannot be opened, or it or the accounts
            do not fit the manifest.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        allow_pickles: bool = False,
        loss_given_default: float = LOSS_GIVEN_DEFAULT,
    ) -> None:
        self.bundle = bundle
        self.loss_given_default = loss_given_default
        self.manifest = bundle.manifest
        self._baseline = bundle.baseline.astype(np.float32)
        self.names = tuple(feature.name for feature in bundle.features)
        self._in_order = itemgetter(*self.names)
        self._amount = self.names.index("amount")
        self._ground = KnownGround(self.manifest.known_ranges, self.names)
        self._coded = [(n, f) for n, f in enumerate(bundle.features) if f.codes]
        self._model = open_model(
            self.manifest.kind,
            bundle.model,
            self.names,
            bundle.model_place,
            allow_pickles=allow_pickles,
        )
        self._baseline_probability = self._reference_probability()
        self._accounts = Accounts(bundle) if self.manifest.feature_set == "behavioural" else None

    @property
    def account_count(self) -> int | None:
        """How many accounts the bundle knows; None where it looks up none."""
        return None if self._accounts is None else self._accounts.count

    def probabilities(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities [n] that the loans of `rows` [n, features] are paid off."""
        return self._model.probabilities(rows)

    def account_row(self, account_id: int, amount: float, duration: float) -> Row:
        """The model's input for a loan to an account, shape [features].

        Raises:
            UnknownAccount: the bundle does not know the account.
            BundleError: the bundle has no accounts.
        """
        values = self.account_features(account_id)
        values |= combine(values, {"amount": float(amount), "duration": float(duration)})
        return np.array(self._in_order(values), dtype=np.float32)

    def account_features(self, account_id: int) -> dict[str, float]:
        """The account's features as the model's numbers; null is NaN.

        Raises:
            UnknownAccount: the bundle does not know the account.
            BundleError: the bundle has no accounts.
        """
        if self._accounts is None:
            raise BundleError(
                f"bundle {self.manifest.version} is of the application set and has no accounts: "
                "score accounts with a behavioural one"
            )
        found = self._accounts.find(account_id)
        if found is None:
            raise UnknownAccount(
                f"account {account_id} is not known to model {self.manifest.version}, which has "
                f"the accounts opened before {self.manifest.as_of:%Y-%m-%d}: check the number, or "
                "use the application form"
            )
        return found

    def score_account(self, account_id: int, amount: float, duration: float) -> Prediction:
        """Score a loan to an account.

        Args:
            account_id: the bank's number of the account.
            amount: CZK.
            duration: months.

        Raises:
            InputRejected: a value is out of bounds.
            UnknownAccount: the bundle does not know the account.
            BundleError: the bundle has no accounts.
        """
        request = {"account_id": account_id, "amount": amount, "duration": duration}
        return self.explain(self.account_row(*read_account_request(request)))

    def score_application(self, fields: Mapping[str, object]) -> Prediction:
        """Score an application by its own fields alone.

        Raises:
            InputRejected: a field is missing, unknown, of the wrong kind or out of bounds.
            BundleError: the bundle needs an account's history.
        """
        if self.manifest.feature_set != "application":
            raise BundleError(
                f"bundle {self.manifest.version} needs an account's history: score applications "
                "with one of the application set"
            )
        return self.explain(self.request_row(fields))

    def request_row(self, fields: Mapping[str, object]) -> Row:
        """The model's input for a request by field, shape [features].

        Args:
            fields: account_id, amount and duration, or the application's fields, whichever the
                bundle's feature set takes.

        Raises:
            InputRejected: a field is missing, unknown, of the wrong kind or out of bounds.
            UnknownAccount: the bundle does not know the account.
        """
        if self._accounts is not None:
            return self.account_row(*read_account_request(fields))
        values = read_application(fields, self.names)
        return np.array(self._in_order(values), dtype=np.float32)

    def named(self, row: Row) -> dict[str, float]:
        """A row's values by feature, as the model sees them: codes as numbers, null as NaN."""
        return dict(zip(self.names, row.tolist(), strict=True))

    def score_batch(self, rows: Sequence[Row]) -> list[Prediction]:
        """Score many rows in one go, without reasons."""
        if not rows:
            return []
        stacked = np.stack(rows)
        answers = zip(
            stacked[:, self._amount].tolist(),
            self.probabilities(stacked).tolist(),
            self._ground.referrals(stacked),
            strict=True,
        )
        return [self._prediction(*answer) for answer in answers]

    def explain(self, row: Row) -> Prediction:
        """Score one row, with its reasons, and those for a refusal where it is one."""
        shares, probability = self._shares(row)
        # Lists: looking into arrays number by number would cost more than the model.
        numbers: list[float] = row.tolist()
        values: list[str | float | None]
        values = [None if isnan(number) else number for number in numbers]
        for index, feature in self._coded:
            values[index] = feature.decode(numbers[index])
        parts = list(zip(self.names, values, shares, strict=True))
        reasons = [Reason(*part) for part in parts if part[2]]
        reasons.sort(key=Reason.size, reverse=True)
        refused = probability < self.manifest.threshold
        return self._prediction(
            numbers[self._amount],
            probability,
            self._ground.referral(numbers),
            baseline_probability_paid_off=self._baseline_probability,
            reasons=tuple(reasons),
            principal_reasons=principal_reasons(parts) if refused else (),
        )

    def _shares(self, row: Row) -> tuple[list[float], float]:
        """Each feature's contribution (the model's own where it has them), and the probability."""
        own = self._model.reasons(row)
        if own is None:
            parts, probability = contributions(self._model.probabilities, row, self._baseline)
            return np.round(parts, _DIGITS).tolist(), probability
        moved = own.probability - self._baseline_probability
        total = float(own.contributions.sum())
        # All by the same factor from the score's to the probability's.
        factor = moved / total if abs(total) > _SMALL else own.slope
        return (own.contributions * factor).round(_DIGITS).tolist(), own.probability

    def _reference_probability(self) -> float:
        """The reference loan's probability, as a trial of the model.

        Raises:
            BundleError: it is no probability, or the model's reasons compare with another loan.
        """
        answers = self.probabilities(self._baseline[None, :])
        if answers.shape != (1,) or not 0 <= answers[0] <= 1:
            raise BundleError(
                f"{self.bundle.model_place} answers {answers.tolist()} for the reference loan, not "
                "one probability: release again"
            )
        own = self._model.reasons(self._baseline)
        if own is not None and own.contributions.any():
            raise BundleError(
                f"{self.bundle.model_place} compares with another loan than the manifest's "
                "reference loan: release again"
            )
        return float(answers[0])

    def _prediction(
        self,
        amount: float,
        probability: float,
        referral: tuple[Referral, ...],
        **explained: Any,
    ) -> Prediction:
        threshold = self.manifest.threshold
        return Prediction(
            "paid_off" if probability >= threshold else "not_paid_off",
            probability,
            threshold,
            self.manifest.feature_set,
            self.manifest.version,
            amount,
            round((1 - probability) * amount * self.loss_given_default, 2),
            referral,
            **explained,
        )
