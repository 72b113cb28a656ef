"""The key that signs sessions: configured, or made once and kept in LOAN_HOME."""

import os
import secrets
from pathlib import Path

from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.settings import Settings

_FILE = "web-secret-key"
_SHORTEST = 16  # characters


class SecretKeyError(LoanPipelineError):
    """There is no key to sign sessions with."""


def secret_key(settings: Settings) -> str:
    """The configured key, or the one kept in LOAN_HOME for all processes that share it.

    Raises:
        SecretKeyError: the configured key is too short, or none can be kept.
    """
    if settings.web_secret_key is not None and settings.web_secret_key.get_secret_value():
        key = settings.web_secret_key.get_secret_value()
        if len(key) < _SHORTEST:
            raise SecretKeyError(
                f"LOAN_WEB_SECRET_KEY must have {_SHORTEST} characters or more: take the "
                "output of `openssl rand -hex 32`"
            )
        return key
    path = settings.home / _FILE
    try:
        return _kept_key(path)
    except OSError as error:
        raise SecretKeyError(
            f"{path} cannot be kept ({error.strerror}): set LOAN_WEB_SECRET_KEY, or make LOAN_HOME "
            "writable"
        ) from error


def _kept_key(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        try:
            # A link, unlike a rename, leaves the key of a faster process in place.
            os.link(new, path)
        except FileExistsError:
            pass
        finally:
            new.unlink()
    return path.read_text()
