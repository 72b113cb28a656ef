"""What can go wrong between a table of loans and a released model."""

from loan_pipeline.errors import LoanPipelineError


class ModelError(LoanPipelineError):
    """The base of this package's errors."""


class UnknownRecipe(ModelError):
    """No recipe has that name."""


class UnsuitableRecipe(ModelError):
    """A recipe of the user's own that AutoGluon would not take, or not as it was meant."""


class UnsuitableLoans(ModelError):
    """The loans do not allow what was asked: too few, one outcome only, a column missing."""


class PackagesMissing(ModelError):
    """A recipe needs libraries that are not installed."""


class TrainingFailed(ModelError):
    """AutoGluon could not train; nothing was saved."""


class NotExportable(ModelError):
    """A model family, or a trained model, that has no ONNX form."""


class ReleaseRefused(ModelError):
    """A candidate did not pass the gate, or a release cannot be made or rolled back."""
