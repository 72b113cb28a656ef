"""A batch's lines: requests with their numbers in the file, and what makes a batch unreadable."""

from dataclasses import dataclass

from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.scoring.requests import InputRejected
from loan_pipeline.scoring.scorer import Prediction

MOST_LINES = 10_000


class BatchRejected(LoanPipelineError):
    """A batch that cannot be read at all."""


class BatchTooLong(BatchRejected):
    """More lines than are scored at once."""


@dataclass(frozen=True)
class Line:
    """One request of a batch.

    Attributes:
        number: the line in the file, from 1.
        fields: what is asked, or why it cannot be read.
        cells: the text as it came, by column.
    """

    number: int
    fields: dict[str, object] | InputRejected
    cells: dict[str, str]


LineResult = Prediction | LoanPipelineError


def check_length(lines_so_far: int) -> None:
    """Refuse one more line where there are as many as are scored at once.

    Raises:
        BatchTooLong: there are.
    """
    if lines_so_far >= MOST_LINES:
        raise BatchTooLong(f"A batch has at most {MOST_LINES:,} lines: send it in parts.")
