"""How well models rank loans granted after their training: ours, and what others would train.

Rolling origin: at each of five cut dates, half a year apart, everything is trained on the loans up
to it and ranks all later ones. Figures are means over the cuts; the tests overlap, so small
differences are noise.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.comparison import Comparison
from benchmarks.environments import run_peer
from loan_pipeline.bank.embedded.database import EmbeddedBank
from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.evaluation.backtest import TrainingArguments, train_and_score
from loan_pipeline.evaluation.metrics import Ranking
from loan_pipeline.evaluation.rolling import cut_dates
from loan_pipeline.load_loans import load_loans
from loan_pipeline.sources.open import open_source
from loan_pipeline.training.inputs import model_inputs, with_outcome
from loan_pipeline.training.recipes import RecipeName, recipe
from loan_pipeline.training.silence import silence_libraries

MONTHS, CUTS = 6, 5
BEST_QUALITY_SECONDS = 90  # a cut

Scores = NDArray[np.float64]
Model = Callable[[pd.DataFrame, pd.DataFrame], Scores]  # older and newer loans; of the newer


def main(source: str = "sample", cuts: int = CUTS) -> dict[str, Any]:
    """Rank with every model at every cut; print a table and return the figures.

    Args:
        source: a folder of PKDD'99 files, or the sample bank, where figures mean less: it was made
            by rules that the features know.
        cuts: the last that many of the cut dates.
    """
    loans = with_outcome(load_loans(source), "observed")
    splits = []
    for cut in cut_dates(loans, MONTHS)[-cuts:]:
        past = loans["date"] <= pd.Timestamp(cut)
        splits.append((loans[past], loans[~past]))
    with tempfile.TemporaryDirectory(prefix="bench-quality-") as name:
        folder = Path(name)
        _write_tables(source, folder)
        figures = {}
        for model, ranked in _models(folder).items():
            started = time.monotonic()
            with silence_libraries():
                scores = [ranked(older, newer) for older, newer in splits]
            figures[model] = _means(splits, scores)
            figures[model]["seconds_a_cut"] = (time.monotonic() - started) / len(splits)
            found = figures[model]
            print(f"{model:45} ROC AUC {found['roc_auc']:.3f}, average precision "
                  f"{found['average_precision']:.3f}, {found['seconds_a_cut']:.1f} s a cut",
                  flush=True)  # fmt: skip
    bank = "the sample bank" if source.startswith("sample") else "the public data set"
    work = f"ranking of later loans, {bank}, mean of {len(splits)} cuts"
    return {
        "comparisons": [
            _comparison(f"{work}: ROC AUC", "roc_auc", "higher", figures).as_data(),
            _comparison(f"{work}: average precision of bad loans", "average_precision", "higher",
                        figures).as_data(),
            _comparison("training and scoring of a cut", "seconds_a_cut", "lower",
                        figures).as_data(),
        ],
        "loans": len(loans),
        "models": figures,
        "notes": [f"AutoGluon's best_quality had {BEST_QUALITY_SECONDS} s a cut."],
    }  # fmt: skip


OURS = "default recipe, our features"


def _models(folder: Path) -> dict[str, Model]:
    return {
        OURS: _recipe("default", "behavioural"),
        "default recipe, the 13 features": _recipe("default", "application"),
        "published models, the 13 features": _recipe("published", "application"),
        "published models, our features": _recipe("published", "behavioural"),
        "AutoGluon best_quality, our features": _best_quality,
        "logistic regression (L2 chosen), our features": _logistic_regression,
        "OptBinning scorecard, our features": _in_environment("optbinning", "optbinning_scorecard"),
        "featuretools and LightGBM, features of its own": _in_environment(
            "featuretools", "featuretools_lightgbm", tables=str(folder)
        ),
    }


def _recipe(name: RecipeName, features: FeatureSet) -> Model:
    def ranked(older: pd.DataFrame, newer: pd.DataFrame) -> Scores:
        how = TrainingArguments(features, recipe(name), "observed", (), 0)
        with tempfile.TemporaryDirectory(prefix="bench-quality-") as folder:
            _, scored = train_and_score(older, newer, how, Path(folder))
        # Back to the order of `newer`.
        return pd.Series(scored.probabilities, scored.loan_ids)[newer["loan_id"]].to_numpy()

    return ranked


def _best_quality(older: pd.DataFrame, newer: pd.DataFrame) -> Scores:
    from autogluon.tabular import TabularPredictor

    table = model_inputs(older, "behavioural").assign(paid_off=older["paid_off"].to_numpy())
    with tempfile.TemporaryDirectory(prefix="bench-quality-") as folder:
        predictor = TabularPredictor("paid_off", path=folder, eval_metric="roc_auc", verbosity=0)
        predictor.fit(
            table,
            presets="best_quality",
            time_limit=BEST_QUALITY_SECONDS,
            dynamic_stacking=False,  # it takes a quarter of the time to decide on stacking
            ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
        )
        probabilities = predictor.predict_proba(model_inputs(newer, "behavioural"))[1]
    return np.asarray(probabilities, dtype=np.float64)


def _logistic_regression(older: pd.DataFrame, newer: pd.DataFrame) -> Scores:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(max_iter=2000),
    )
    strengths = {"logisticregression__C": [0.001, 0.01, 0.1, 1.0, 10.0]}
    chosen = GridSearchCV(pipeline, strengths, scoring="roc_auc", cv=5)
    chosen.fit(model_inputs(older, "behavioural"), older["paid_off"])
    return np.asarray(chosen.predict_proba(model_inputs(newer, "behavioural"))[:, 1])


def _in_environment(environment: str, script: str, **arguments: str) -> Model:
    """A model that a script trains and applies; it gets our features and the loans' own columns."""

    def ranked(older: pd.DataFrame, newer: pd.DataFrame) -> Scores:
        with tempfile.TemporaryDirectory(prefix="bench-quality-") as folder:
            for name, loans in (("older", older), ("newer", newer)):
                table = model_inputs(loans, "behavioural")
                own = loans[["loan_id", "account_id", "date", "paid_off"]]
                own.join(table).to_parquet(Path(folder) / f"{name}.parquet")
            return np.array(run_peer(environment, script, folder=folder, **arguments))

    return ranked


def _write_tables(source: str, folder: Path) -> None:
    """The bank's raw tables as Parquet, for the peer that makes features of its own."""
    bank = EmbeddedBank(folder / "bank.duckdb")
    bank.fill(open_source(source))
    with bank.reading() as reader:
        for table in TABLES:
            frame = reader.batches(table).read_pandas()
            frame.to_parquet(folder / f"{table.name}.parquet")


def _means(
    splits: list[tuple[pd.DataFrame, pd.DataFrame]], scores: list[Scores]
) -> dict[str, float]:
    figures = [
        Ranking(newer["paid_off"].to_numpy(), scored).figures()
        for (_, newer), scored in zip(splits, scores, strict=True)
    ]
    return {
        name: float(np.mean([one[name] for one in figures]))
        for name in ("roc_auc", "average_precision")
    }


def _comparison(
    work: str, key: str, better: Any, figures: dict[str, dict[str, float]]
) -> Comparison:
    values = {model: found[key] for model, found in figures.items()}
    return Comparison(work, "s" if key.startswith("seconds") else "", values.pop(OURS), values,
                      better)  # fmt: skip
