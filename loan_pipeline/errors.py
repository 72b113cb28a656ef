"""The one base of every error that a user can mend.

Each room derives its own; the command line prints the message alone, without a traceback.
"""


class LoanPipelineError(Exception):
    """Something the user can mend: the message names the thing, the place and the way out."""
