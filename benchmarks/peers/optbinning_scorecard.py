"""An OptBinning scorecard: optimal bins, weights of evidence, logistic regression."""

from pathlib import Path

import pandas as pd
from answer import answer
from optbinning import BinningProcess, Scorecard
from sklearn.linear_model import LogisticRegression


def main(folder: str) -> list[float]:
    """Scores of the newer loans, higher for safer ones."""
    older, newer = (pd.read_parquet(Path(folder) / f"{n}.parquet") for n in ("older", "newer"))
    features = [name for name in older if name not in ("loan_id", "account_id", "date", "paid_off")]
    process = BinningProcess(features, selection_criteria={"iv": {"min": 0.02}})
    card = Scorecard(binning_process=process, estimator=LogisticRegression(max_iter=1000))
    card.fit(older[features].astype("float64"), older["paid_off"].to_numpy())
    return card.predict_proba(newer[features].astype("float64"))[:, 1].tolist()


if __name__ == "__main__":
    answer(main)
