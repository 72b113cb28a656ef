"""What the published project's way of building features claims, and what it is worth.

On the sample bank, where everything is known: the write-up's thirteen features built its way (a
row per disposition, averages over all transactions) and ours, with one learner for all. "Claims" is
what a random 70/30 split of the rows says, as in the write-up; "worth" is what a model trained on
the older loans says of the newer ones on the day each was asked for.

    python -m benchmarks.model_writeup docs/writeup.md
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.evaluation.evaluate import score_loans, split_out_of_time
from loan_pipeline.evaluation.metrics import measure
from loan_pipeline.load_loans import load_loans
from loan_pipeline.sources.sample import SampleSource
from loan_pipeline.training.inputs import with_outcome
from loan_pipeline.training.recipes import recipe
from loan_pipeline.training.train import train_predictor

# Larger than the original, so that the newest loans hold more than a handful of bad ones.
SCALE = 3
SPLITS = 5
_TEST_SHARE = 0.3
_NEWEST_SHARE = 0.3

# The write-up's features; `disposition` and `history` differ from way to way.
_FEATURES = """
WITH history AS (
    SELECT loan.loan_id, avg(trans.amount) AS transaction_amount_mean_czk,
        avg(trans.balance) AS balance_mean_czk, count(*) AS transaction_count
    FROM loan JOIN trans USING (account_id) WHERE {history} GROUP BY ALL
), orders AS (
    SELECT account_id, avg(amount) AS order_amount_mean_czk FROM "order" GROUP BY ALL
), cards AS (
    SELECT disp.account_id, max(card.type) AS card_type
    FROM card JOIN disp USING (disp_id) GROUP BY ALL
)
SELECT loan.loan_id, loan.account_id, loan.date, loan.status,
    loan.amount::DOUBLE AS amount, loan.duration::DOUBLE AS duration,
    loan.payments::DOUBLE AS payments, loan.date - account.date AS account_age_days,
    account.frequency AS statement_frequency,
    orders.order_amount_mean_czk::DOUBLE AS order_amount_mean_czk,
    history.transaction_amount_mean_czk::DOUBLE AS transaction_amount_mean_czk,
    history.balance_mean_czk::DOUBLE AS balance_mean_czk,
    coalesce(history.transaction_count, 0) AS transaction_count,
    coalesce(cards.card_type, 'none') AS card_type,
    district."A11"::DOUBLE AS district_salary_mean_czk, client.gender,
    (loan.date - client.birth_date) / 365.25 AS age_years
FROM loan JOIN account USING (account_id)
    JOIN disp USING (account_id) JOIN client USING (client_id)
    JOIN district ON district.district_id = client.district_id
    LEFT JOIN history USING (loan_id) LEFT JOIN orders USING (account_id)
    LEFT JOIN cards USING (account_id)
WHERE {disposition} ORDER BY loan.loan_id, disp.disp_id
"""


@dataclass(frozen=True)
class Way:
    """A way of building the table of loans.

    Attributes:
        disposition: which of an account's dispositions make a row.
        history: which transactions count.
    """

    name: str
    disposition: str = "true"
    history: str = "true"


OWNERS = "disp.type = 'OWNER'"
WAYS = (
    Way("the write-up's: a row per disposition, all transactions"),
    Way("one row per loan, all transactions", disposition=OWNERS),
    Way("a row per disposition, transactions before the loan", history="trans.date < loan.date"),
    Way("one row per loan, transactions before the loan", OWNERS, "trans.date < loan.date"),
)


def main() -> dict[str, Any]:
    """Run the experiment; prints it as a table and returns its figures."""
    with tempfile.TemporaryDirectory(prefix="writeup-") as folder:
        bank = EmbeddedBank(Path(folder) / "bank.duckdb")
        bank.fill(SampleSource(scale=SCALE))
        with duckdb.connect(str(Path(folder) / "bank.duckdb"), read_only=True) as connection:
            tables = {
                way.name: connection.sql(
                    _FEATURES.format(disposition=way.disposition, history=way.history)
                ).df()
                for way in WAYS
            }
        ours = load_loans(f"sample:scale={SCALE}")
        known_then = tables[WAYS[-1].name]
        rows = [_row(name, table, known_then, Path(folder)) for name, table in tables.items()]
        rows.append(_row("ours, behavioural features", ours, ours, Path(folder), "behavioural"))
    results = {"rows": rows, "always_paid_off": _always(tables[WAYS[0].name])}
    print(as_markdown(results))
    return results


def _row(
    name: str,
    table: pd.DataFrame,
    known_then: pd.DataFrame,
    folder: Path,
    features: Any = "application",
) -> dict[str, Any]:
    claims = [_claim(table, folder, features, seed) for seed in range(SPLITS)]
    areas = [claim["roc_auc"] for claim in claims]
    worth = _worth(table, known_then, folder, features)
    return {
        "way": name,
        "rows": len(table[table["status"].isin(["A", "B"])]),
        "loans": int(table.loc[table["status"].isin(["A", "B"]), "loan_id"].nunique()),
        "claims": {
            "accuracy": float(np.mean([claim["accuracy"] for claim in claims])),
            "roc_auc": float(np.mean(areas)),
            "roc_auc_lowest": min(areas),
            "roc_auc_highest": max(areas),
        },
        "worth": {key: worth[key] for key in ("roc_auc", "average_precision", "accuracy")},
    }


def _claim(table: pd.DataFrame, folder: Path, features: Any, seed: int) -> dict[str, float]:
    """One random split of the rows, repeats of a loan on both sides and all."""
    finished = with_outcome(_rows_as_loans(table), "finished")
    train, test = train_test_split(finished, test_size=_TEST_SHARE, random_state=seed)
    trained = train_predictor(
        train, features, recipe("quick"), "finished", folder / "model", seed=seed
    )
    return measure(score_loans(trained, test))


def _worth(
    table: pd.DataFrame, known_then: pd.DataFrame, folder: Path, features: Any
) -> dict[str, float]:
    """Trained on older loans built this way, applied to newer ones as they were on their day."""
    _, newer = split_out_of_time(with_outcome(known_then, "finished"), share=_NEWEST_SHARE)
    older = with_outcome(_rows_as_loans(table), "finished")
    older = older[older["date"] < newer["date"].min()]
    trained = train_predictor(
        older, features, recipe("quick"), "finished", folder / "model", seed=0
    )
    return measure(score_loans(trained, newer))


def _rows_as_loans(table: pd.DataFrame) -> pd.DataFrame:
    """Every row under a number of its own: our training refuses a loan that occurs twice."""
    return table.assign(loan_id=np.arange(len(table)))


def _always(table: pd.DataFrame) -> dict[str, float]:
    finished = with_outcome(_rows_as_loans(table), "finished")
    return {"accuracy": float(finished["paid_off"].mean()), "roc_auc": 0.5}


def as_markdown(results: dict[str, Any]) -> str:
    """The results as a table for people."""
    titles = (
        *("how the table of loans is built", "rows / loans"),
        *("claims: ROC AUC (lowest to highest split)", "claims: accuracy"),
        *("worth: ROC AUC", "worth: average precision"),
    )
    lines = [f"| {' | '.join(titles)} |", "|" + " --- |" * len(titles)]
    for row in results["rows"]:
        claims, worth = row["claims"], row["worth"]
        lines.append(
            f"| {row['way']} | {row['rows']} / {row['loans']} | {claims['roc_auc']:.3f} "
            f"({claims['roc_auc_lowest']:.3f} to {claims['roc_auc_highest']:.3f}) | "
            f"{claims['accuracy']:.3f} | {worth['roc_auc']:.3f} | "
            f"{worth['average_precision']:.3f} |"
        )
    always = results["always_paid_off"]
    lines.append(f'| no model: always "paid off" | | 0.500 | {always["accuracy"]:.3f} | 0.500 | |')
    return "\n".join(lines)


if __name__ == "__main__":
    made = as_markdown(main())
    for name in sys.argv[1:]:
        path = Path(name)
        head, _, _ = path.read_text().partition("<!-- made by a command -->")
        path.write_text(f"{head}<!-- made by a command -->\n\n{made}\n")
