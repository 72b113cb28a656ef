"""The one base of every error that a user can fix.

Each package derives its own; the command line prints the message alone, without a traceback.
"""


class LoanPipelineError(Exception):
    """Something the user can fix: the message names the thing, the place and what to do."""
