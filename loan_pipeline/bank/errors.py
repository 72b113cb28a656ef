"""What can go wrong with the bank and its sources, each with a way out in its message."""

from loan_pipeline.errors import LoanPipelineError


class BankError(LoanPipelineError):
    """The bank database cannot do what was asked."""


class BankUnreachable(BankError):
    """The database server does not answer, refuses us, or the connection was lost."""


class BankConnectionLost(BankUnreachable):
    """The connection to the server broke while it was in use."""


class SourceError(LoanPipelineError):
    """A source is missing, unreadable or holds values that are not what they must be."""
