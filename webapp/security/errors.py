"""What sign-in and access refuse; `webapp.problems` answers with them."""

from loan_pipeline.errors import LoanPipelineError


class AccessError(LoanPipelineError):
    """Settings of access that contradict one another, or are not complete."""


class NotSignedIn(LoanPipelineError):
    """An anonymous request for what needs a right.

    Attributes:
        sign_in_url: where a person signs in; None where there is no such page.
        page_opened: whether the request is a browser's that opens a page, and may be sent there.
    """

    def __init__(
        self, message: str, sign_in_url: str | None = None, *, page_opened: bool = False
    ) -> None:
        super().__init__(message)
        self.sign_in_url = sign_in_url
        self.page_opened = page_opened


class NotAllowed(LoanPipelineError):
    """A user or client that is known lacks the right."""


class SignInRefused(LoanPipelineError):
    """The sign-in provider's answer cannot be trusted, or the user has no role."""


class ProviderUnavailable(LoanPipelineError):
    """The sign-in provider does not answer, or not as an OpenID provider."""
