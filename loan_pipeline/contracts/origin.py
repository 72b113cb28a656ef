"""Records that are used together must be made from the same things. No I/O."""

from loan_pipeline.errors import LoanPipelineError


class RecordsDiffer(LoanPipelineError):
    """Two records do not belong together; the message names both and what to do."""


def require_same(kind: str, first: tuple[str, str], second: tuple[str, str], fix: str) -> None:
    """Refuse two records that name different things of one kind.

    Args:
        kind: what both name ("predictor", "snapshot", …).
        first: what the one record is called, and the id that it names.
        second: the same of the other.
        fix: what to do about it.

    Raises:
        RecordsDiffer: the ids differ.
    """
    if first[1] != second[1]:
        raise RecordsDiffer(
            f"{first[0]} ({kind} {first[1] or 'unknown'}) and {second[0]} ({kind} "
            f"{second[1] or 'unknown'}) do not belong together: {fix}"
        )
