"""One empty picture, as SVG that reads on light and on dark pages. What is drawn is `plots`'."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, distinct for colour-blind readers and readable on both backgrounds.
GOOD, BAD, OTHER = "#0072b2", "#d55e00", "#009e73"
# Stands for "the page's text colour" until the SVG is written.
INK = "#123456"
_STYLE = "<style>svg{color:#222}@media(prefers-color-scheme:dark){svg{color:#ddd}}</style>"


class Drawing:
    """What a picture becomes: call it after the picture's context has ended."""

    svg = ""

    def __call__(self) -> str:
        """The SVG."""
        return self.svg


@contextmanager
def picture(width: float = 4.6, height: float = 3.6) -> "Iterator[tuple[Axes, Drawing]]":
    """An empty picture; call what comes with it, afterwards, for the SVG."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    colours = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    style: dict[Any, Any] = dict.fromkeys(colours, INK) | {
        "svg.fonttype": "none",  # text stays text: small, searchable, read aloud
        "svg.hashsalt": "loan_pipeline",  # the same figures give the same file
        "font.family": "sans-serif",
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "legend.framealpha": 0,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        canvas = FigureCanvasSVG(figure)
        answer = Drawing()
        yield figure.subplots(), answer
        buffer = io.StringIO()
        # `savefig` would lay out and draw everything twice.
        canvas.print_svg(buffer, metadata={"Date": None})  # type: ignore[no-untyped-call]
        answer.svg = _themed(buffer.getvalue())


def _themed(svg: str) -> str:
    """The SVG with ink of the page's text colour."""
    head, start, rest = svg.partition("<defs>")
    return (head + _STYLE + start + rest).replace(INK, "currentColor")
