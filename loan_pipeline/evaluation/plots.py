"""The pictures of an evaluation, as SVG that reads on light and on dark pages.

Drawn for the run's log and the model page alike; figures come from `metrics`.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from loan_pipeline.evaluation.metrics import ScoredLoans, curves, measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

# Okabe and Ito's colours, distinct for colour-blind readers and readable on both backgrounds.
_PAID, _UNPAID, _SECOND = "#0072b2", "#d55e00", "#009e73"
# Stands for "the page's text colour" until the SVG is written.
_INK = "#123456"
_STYLE = "<style>svg{color:#222}@media(prefers-color-scheme:dark){svg{color:#ddd}}</style>"
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
    with _picture() as (axes, answer):
        for (name, scored), colour in zip(samples.items(), (_PAID, _UNPAID), strict=False):
            points = curves(scored)
            area = measure(scored)["roc_auc"]
            label = f"{_words(name)}: {area:.3f}"
            axes.step(points["false_alarms"], points["recall"], where="post", c=colour, label=label)
        axes.plot([0, 1], [0, 1], c=_INK, lw=0.6, ls=":")
        axes.set(xlabel="share of paid loans refused", ylabel="share of unpaid loans found")
        axes.legend(loc="lower right", title="ROC AUC")
    return answer()


def precision_recall(samples: Mapping[str, ScoredLoans]) -> str:
    """The precision-recall curves for finding loans that are not paid off."""
    with _picture() as (axes, answer):
        for (name, scored), colour in zip(samples.items(), (_PAID, _UNPAID), strict=False):
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
    with _picture() as (axes, answer):
        for (name, scored), colour in zip(samples.items(), (_PAID, _UNPAID), strict=False):
            order = np.argsort(scored.probabilities, kind="stable")
            fifths = [part for part in np.array_split(order, 5) if len(part)]
            predicted = [float(scored.probabilities[part].mean()) for part in fifths]
            paid = [float(scored.paid_off[part].mean()) for part in fifths]
            axes.plot(predicted, paid, "o-", c=colour, label=_words(name))
        axes.plot([0, 1], [0, 1], c=_INK, lw=0.6, ls=":")
        axes.set(xlabel="predicted probability of being paid off", ylabel="share paid off")
        axes.legend(loc="upper left")
    return answer()


def scores(scored: ScoredLoans) -> str:
    """How the probabilities of paid and unpaid loans are distributed."""
    with _picture() as (axes, answer):
        bins = [edge / 20 for edge in range(21)]
        for outcome, colour, label in ((1, _PAID, "paid off"), (0, _UNPAID, "not paid off")):
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
    with _picture() as (axes, answer):
        for row in (0, 1):
            for column in (0, 1):
                hits = (scored.paid_off == row) & (scored.decisions == column)
                count, of = int(hits.sum()), max(int((scored.paid_off == row).sum()), 1)
                colour = _PAID if row == column else _UNPAID
                box = (column - 0.5, row - 0.5)
                axes.add_patch(_rectangle(box, colour, alpha=0.1 + 0.6 * count / of))
                axes.text(
                    column, row, f"{count:,}\n{count / of:.0%}", ha="center", va="center", c=_INK
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
    with _picture(width=7.0, height=0.8 + 0.28 * max(len(shown), 1)) as (axes, answer):
        axes.barh(
            [labels.get(name, name) for name, _ in shown],
            [figures["mean"] for _, figures in shown],
            xerr=[figures["standard_deviation"] for _, figures in shown],
            color=_SECOND,
            ecolor=_INK,
        )
        axes.set(xlabel="loss of ROC AUC when shuffled")
    return answer()


@contextmanager
def _picture(width: float = 4.6, height: float = 3.6) -> "Iterator[tuple[Axes, _Answer]]":
    """An empty picture; call what comes with it, afterwards, for the SVG."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    colours = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    style: dict[Any, Any] = dict.fromkeys(colours, _INK) | {
        "svg.fonttype": "none",  # text stays text: small, searchable, read aloud
        "svg.hashsalt": "loan_pipeline",  # the same figures give the same file
        "font.family": "sans-serif",
        "legend.framealpha": 0,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        answer = _Answer()
        yield figure.subplots(), answer
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        answer.svg = _themed(buffer.getvalue())


class _Answer:
    svg = ""

    def __call__(self) -> str:
        return self.svg


def _themed(svg: str) -> str:
    """The SVG with ink of the page's text colour."""
    head, start, rest = svg.partition("<defs>")
    return (head + _STYLE + start + rest).replace(_INK, "currentColor")


def _rectangle(corner: tuple[float, float], colour: str, alpha: float) -> "Rectangle":
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 1, 1, facecolor=colour, alpha=alpha)


def _words(sample: str) -> str:
    return sample.replace("_", " ")
