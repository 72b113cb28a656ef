"""The exploration as plots and as one HTML page that needs nothing from elsewhere."""

import html
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loan_pipeline.bank.report.aggregates import AMOUNT_BIN_CZK, Exploration
from loan_pipeline.contracts.tables import LOAN_STATUSES, TRANSACTION_TYPES

if TYPE_CHECKING:  # loaded when something is drawn: it takes half a second
    from matplotlib.axes import Axes

# Good outcomes blue, bad ones orange, finished dark, running light: apart also without colour.
_STATUS = {
    "A": ("A finished, paid", "#1f5fa8"),
    "C": ("C running, in order", "#8db8e6"),
    "B": ("B finished, not paid", "#c2500a"),
    "D": ("D running, in debt", "#f2a66b"),
}
_TYPE_COLOURS = dict(zip(TRANSACTION_TYPES, ("#1f5fa8", "#c2500a", "#6b6b6b"), strict=True))
_TYPE_NAMES = {"PRIJEM": "credit", "VYDAJ": "debit", "VYBER": "cash debit"}

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem }
.scroll { overflow-x: auto } figure { margin: 1rem 0 } svg { max-width: 100%; height: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child, .text { text-align: left }
summary { cursor: pointer; font-weight: 600; padding: .25rem 0 }
"""


def plots(exploration: Exploration) -> dict[str, str]:
    """Each plot's title and its SVG."""
    draw: dict[str, Callable[[Axes, Exploration], None]] = {
        "Loan amounts by status": _draw_amounts,
        "Loans by the year they were granted": _draw_years,
        "Transactions by month": _draw_months,
        "Cards by type": _draw_cards,
        "Missing values": _draw_missing,
    }
    return {title: _svg(title, drawing, exploration) for title, drawing in draw.items()}


def render(exploration: Exploration, drawn: Mapping[str, str]) -> str:
    """The whole report as HTML, with what `plots` has drawn of it."""
    figures = "".join(
        f"<h2>{html.escape(title)}</h2><figure>{svg}</figure>" for title, svg in drawn.items()
    )
    filled = f", filled from {exploration.source}" if exploration.source else ""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>What the bank holds</title><style>{_STYLE}</style></head><body>"
        f"<h1>What the bank holds</h1><p>{html.escape(exploration.bank + filled)}</p>"
        f"<h2>Tables</h2>{_tables(exploration)}<h2>Loans</h2>{_loans(exploration)}{figures}"
        f"<h2>Codes</h2>{_codes(exploration)}<h2>Columns</h2>{_columns(exploration)}</body></html>\n"
    )


def _svg(title: str, draw: "Callable[[Axes, Exploration], None]", exploration: Exploration) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "svg.hashsalt": title,  # its own: ids of several pictures on one page differ, and repeat
        "svg.fonttype": "none",
        "font.size": 10,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
    }
    with rc_context(style):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes, exploration)
        text = io.StringIO()
        # `savefig` would lay out and draw everything twice.
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})  # type: ignore[no-untyped-call]
    svg = text.getvalue()
    label = f'<svg role="img" aria-label="{html.escape(title)}" '
    return label + svg[svg.index("<svg") + 4 :]


def _thousands(value: float, _position: float) -> str:
    return f"{value:,.0f}"


def _draw_amounts(axes: "Axes", exploration: Exploration) -> None:
    _stack(axes, exploration.loan_amounts, AMOUNT_BIN_CZK)
    axes.set_xlabel(f"amount, CZK, in steps of {AMOUNT_BIN_CZK:,}")
    axes.xaxis.set_major_formatter(_thousands)


def _draw_years(axes: "Axes", exploration: Exploration) -> None:
    from matplotlib.ticker import MaxNLocator

    _stack(axes, exploration.loans_by_year, 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _stack(axes: "Axes", counts: Mapping[str, Mapping[int, int]], step: int) -> None:
    """Loans by bin, one status on top of the other."""
    from matplotlib.ticker import MaxNLocator

    bins = sorted({lower for by_bin in counts.values() for lower in by_bin})
    offset = step / 2 if step > 1 else 0
    below = [0] * len(bins)
    for status, (name, colour) in _STATUS.items():
        heights = [counts.get(status, {}).get(lower, 0) for lower in bins]
        middles = [lower + offset for lower in bins]
        axes.bar(middles, heights, step * 0.9, bottom=below, color=colour, label=name)
        below = [height + base for height, base in zip(heights, below, strict=True)]
    axes.set_ylabel("loans")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)


def _draw_months(axes: "Axes", exploration: Exploration) -> None:
    for kind, colour in _TYPE_COLOURS.items():
        points = [(month.month, month.transactions) for month in exploration.months
                  if month.type == kind]  # fmt: skip
        if points:
            months, counts = zip(*points, strict=True)
            axes.plot(months, counts, color=colour, label=_TYPE_NAMES[kind])
    axes.set_ylabel("transactions")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(_thousands)
    axes.legend(frameon=False)


def _draw_cards(axes: "Axes", exploration: Exploration) -> None:
    _bars(axes, exploration.codes["card.type"].items(), "cards", "{:,.0f}")


def _draw_missing(axes: "Axes", exploration: Exploration) -> None:
    shares = [
        (f"{table.name}.{column.name}", 100 * column.missing / table.rows)
        for table in exploration.tables
        for column in table.columns
        if column.missing and table.rows
    ]
    _bars(axes, shares, "rows without a value, %", "{:.1f} %")


def _bars(axes: "Axes", values: Iterable[tuple[str, float]], label: str, form: str) -> None:
    """Horizontal bars, the largest on top, each with its figure."""
    ordered = sorted(values, key=lambda pair: pair[1])
    if ordered:
        names, lengths = zip(*ordered, strict=True)
        bars = axes.barh(names, lengths, color="#1f5fa8")
        axes.bar_label(bars, [form.format(length) for length in lengths], padding=3)
        axes.margins(x=0.12)
    else:
        axes.text(0.5, 0.5, "none", ha="center", transform=axes.transAxes)
        axes.set_yticks([])
    axes.set_xlabel(label)
    axes.xaxis.set_major_formatter(_thousands)


def _tables(exploration: Exploration) -> str:
    rows = [(table.name, table.meaning, f"{table.rows:,}") for table in exploration.tables]
    return _table(("table", "what it holds", "rows"), rows, texts=2)


def _loans(exploration: Exploration) -> str:
    head = ("status", "loans", "smallest amount", "mean", "largest", "months", "mean payment")
    rows = [
        (
            _STATUS[loan.status][0] if loan.status in LOAN_STATUSES else loan.status,
            f"{loan.loans:,}",
            f"{loan.amount_minimum_czk:,.0f}",
            f"{loan.amount_mean_czk:,.0f}",
            f"{loan.amount_maximum_czk:,.0f}",
            f"{loan.duration_mean_months:.1f}",
            f"{loan.payments_mean_czk:,.0f}",
        )
        for loan in exploration.loans
    ]
    return _table(head, rows) + "<p>Amounts and payments in CZK.</p>"


def _codes(exploration: Exploration) -> str:
    rows = [
        (column, {"": "(none)", " ": "(blank)"}.get(code, code), f"{count:,}")
        for column, counts in exploration.codes.items()
        for code, count in counts.items()
    ]
    return _table(("column", "code", "rows"), rows, texts=2)


def _columns(exploration: Exploration) -> str:
    head = ("column", "meaning", "missing", "smallest", "mean", "largest")
    parts = []
    for table in exploration.tables:
        rows = [
            (column.name, column.meaning, f"{column.missing:,}", *map(_figure, figures))
            for column in table.columns
            for figures in [(column.minimum, column.mean, column.maximum)]
        ]
        body = _table(head, rows, texts=2)
        parts.append(f"<details><summary>{html.escape(table.name)}</summary>{body}</details>")
    return "".join(parts)


def _figure(value: float | str | None) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.2f}"
    return value or ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """The first `texts` columns hold texts, the others figures."""

    def line(cells: Sequence[str], tag: str) -> str:
        marks = [" class='text'" if position < texts else "" for position in range(len(cells))]
        return "".join(
            f"<{tag}{mark}>{html.escape(cell)}</{tag}>"
            for mark, cell in zip(marks, cells, strict=True)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return (
        f"<div class='scroll'><table><thead><tr>{line(head, 'th')}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )
