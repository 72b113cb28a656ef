"""What can go wrong with the bank and its sources, each message says what to do."""

from loan_pipeline.errors import LoanPipelineError


class BankError(LoanPipelineError):
    """The bank database cannot do what was asked."""


class BankUnreachable(BankError):
    """The database server does not answer, refuses us, or the connection was lost."""


class BankConnectionLost(BankUnreachable):
    """The connection to the server broke while it was in use."""


class SourceError(LoanPipelineError):
    """A source is missing, unreadable or holds values that are not what they must be."""


class BadRowsError(SourceError):
    """Rows of one table that cannot be converted.

    Attributes:
        problems: one line for each column, with the first rows.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class RepeatedKeysError(SourceError):
    """The database left rows out because their key was there already.

    Attributes:
        surplus: how many rows.
        repeated: some of the keys, and how often each is there at least.
    """

    def __init__(self, surplus: int, keys: tuple[int, ...]) -> None:
        super().__init__(f"{surplus} rows repeat a key")
        self.surplus = surplus
        self.repeated = tuple((key, 2) for key in sorted(set(keys)))
