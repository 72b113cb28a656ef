"""The pictures of an evaluation, as SVG that reads on light and on dark pages.

Drawn for the run's log and the model page alike; figures come from `metrics`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from loan_pipeline.evaluation.metrics import ScoredLoans, curves, measure
from loan_pipeline.evaluation.svg import BAD, GOOD, INK, OTHER, picture

if TYPE_CHECKING:
    from matplotlib.patches import Rectangle

_IMPORTANT = 15


def pictures(
    samples: Mapping[str, ScoredLoans],
    labels: Mapping[str, str],
    importance: Mapping[str, Mapping[str, float]],
) -> dict[str, str]:
    """Every picture of an evaluation, by file name.

    Args:
        samples: predictions by sample ("cross_validation", "out_of_time"); distributions and the
            confusion matrix show the last one.
        labels: words for the features.
        importance: permutation importance as `permutation_importance` gives it.
    """
    last = list(samples.values())[-1]
    return {
        "roc.svg": roc(samples),
        "precision_recall.svg": precision_recall(samples),
        "calibration.svg": calibration(samples),
        "scores.svg": scores(last),
        "confusion.svg": confusion(last),
        "importance.svg": importance_bars(importance, labels),
    }


def roc(samples: Mapping[str, ScoredLoans]) -> str:
    """The ROC curves."""
    with picture() as (axes, answer):
        for (name, scored), colour in zip(samples.items(), (GOOD, BAD), strict=False):
            points = curves(scored)
            area = measure(scored)["roc_auc"]
            label = f"{_words(name)}: {area:.3f}"
            axes.step(points["false_alarms"], points["recall"], where="post", c=colour, label=label)
        axes.plot([0, 1], [0, 1], c=INK, lw=0.6, ls=":")
        axes.set(xlabel="share of paid loans refused", ylabel="share of unpaid loans found")
        axes.legend(loc="lower right", title="ROC AUC")
    return answer()


def precision_recall(samples: Mapping[str, ScoredLoans]) -> str:
    """The precision-recall curves for finding loans that are not paid off."""
    with picture() as (axes, answer):
        for (name, scored), colour in zip(samples.items(), (GOOD, BAD), strict=False):
            points = curves(scored)
            label = f"{_words(name)}: {measure(scored)['average_precision']:.3f}"
            axes.step(points["recall"], points["precision"], c=colour, label=label)
            axes.axhline(scored.bad / len(scored), c=colour, lw=0.6, ls=":")
        axes.set(xlabel="share of unpaid loans found", ylabel="share unpaid among refused")
        axes.set_ylim(0, 1.05)
        axes.legend(loc="best", title="Average precision")
    return answer()


def calibration(samples: Mapping[str, ScoredLoans]) -> str:
    """Predicted probability against the share paid off, in fifths of the loans."""
    with picture() as (axes, answer):
        for (name, scored), colour in zip(samples.items(), (GOOD, BAD), strict=False):
            order = np.argsort(scored.probabilities, kind="stable")
            fifths = [part for part in np.array_split(order, 5) if len(part)]
            predicted = [float(scored.probabilities[part].mean()) for part in fifths]
            paid = [float(scored.paid_off[part].mean()) for part in fifths]
            axes.plot(predicted, paid, "o-", c=colour, label=_words(name))
        axes.plot([0, 1], [0, 1], c=INK, lw=0.6, ls=":")
        axes.set(xlabel="predicted probability of being paid off", ylabel="share paid off")
        axes.legend(loc="upper left")
    return answer()


def scores(scored: ScoredLoans) -> str:
    """How the probabilities of paid and unpaid loans are distributed."""
    with picture() as (axes, answer):
        bins = [edge / 20 for edge in range(21)]
        for outcome, colour, label in ((1, GOOD, "paid off"), (0, BAD, "not paid off")):
            values = scored.probabilities[scored.paid_off == outcome]
            weights = np.full(len(values), 1 / max(len(values), 1))
            axes.hist(
                values,
                bins,
                weights=weights,
                color=colour,
                alpha=0.6,
                label=f"{label} ({len(values):,})",
            )
        axes.set(xlabel="predicted probability of being paid off", ylabel="share of the loans")
        axes.legend(loc="upper left")
    return answer()


def confusion(scored: ScoredLoans) -> str:
    """Outcomes against decisions."""
    outcomes, decisions = ("not paid off", "paid off"), ("refused", "accepted")
    with picture() as (axes, answer):
        for row in (0, 1):
            for column in (0, 1):
                hits = (scored.paid_off == row) & (scored.decisions == column)
                count, of = int(hits.sum()), max(int((scored.paid_off == row).sum()), 1)
                colour = GOOD if row == column else BAD
                box = (column - 0.5, row - 0.5)
                axes.add_patch(_rectangle(box, colour, alpha=0.1 + 0.6 * count / of))
                axes.text(
                    column, row, f"{count:,}\n{count / of:.0%}", ha="center", va="center", c=INK
                )
        axes.set(xlim=(-0.5, 1.5), ylim=(-0.5, 1.5), xticks=(0, 1), yticks=(0, 1))
        axes.set_xticklabels(decisions)
        axes.set_yticklabels(outcomes, rotation=90, va="center")
    return answer()


def importance_bars(
    importance: Mapping[str, Mapping[str, float]], labels: Mapping[str, str]
) -> str:
    """The features whose shuffling costs most ROC AUC."""
    shown = list(importance.items())[:_IMPORTANT][::-1]
    with picture(width=7.0, height=0.8 + 0.28 * max(len(shown), 1)) as (axes, answer):
        axes.barh(
            [labels.get(name, name) for name, _ in shown],
            [figures["mean"] for _, figures in shown],
            xerr=[figures["standard_deviation"] for _, figures in shown],
            color=OTHER,
            ecolor=INK,
        )
        axes.set(xlabel="loss of ROC AUC when shuffled")
    return answer()


def profit(curve: Mapping[str, Any]) -> str:
    """Profit over thresholds, as `profit_curve` gives it, with the model's threshold marked."""
    prices = curve["prices"]
    with picture() as (axes, answer):
        millions = [value / 1e6 for value in curve["profit_czk"]]
        axes.plot(curve["thresholds"], millions, c=GOOD)
        at = curve["threshold"]
        axes.axvline(at, c=BAD, lw=1, ls="--", label=f"the model's threshold: {at:.2f}")
        best = curve["best_threshold"]
        axes.axvline(best, c=OTHER, lw=1, ls=":", label=f"the most profitable: {best:.2f}")
        axes.set(xlabel="threshold of the probability", ylabel="profit, million CZK")
        title = f"{prices['margin']:.0%} earned, {prices['loss_given_default']:.0%} lost"
        axes.legend(loc="upper left", title=title)
    return answer()


def _rectangle(corner: tuple[float, float], colour: str, alpha: float) -> "Rectangle":
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 1, 1, facecolor=colour, alpha=alpha)


def _words(sample: str) -> str:
    return sample.replace("_", " ")
