"""The errors of monitoring."""

from loan_pipeline.errors import LoanPipelineError


class MonitoringError(LoanPipelineError):
    """Something cannot be watched; the message names the object and what to do."""
