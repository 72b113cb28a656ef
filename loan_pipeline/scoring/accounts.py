"""A bundle's look-up of account features: one indexed file, read only."""

import math
import sqlite3
import threading

from loan_pipeline.contracts.bundle import ACCOUNTS_FILE
from loan_pipeline.scoring.bundle import Bundle, BundleError


class Accounts:
    """The accounts that a bundle knows; threads share it.

    Raises:
        BundleError: the file is no database, or lacks a feature of the contract.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._names = [f.name for f in bundle.features if f.origin == "account"]
        path = (bundle.folder / ACCOUNTS_FILE).absolute()
        self._lock = threading.Lock()
        # Immutable: the verified file never changes, so SQLite need not lock it.
        self._connection = sqlite3.connect(
            f"{path.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        columns = ", ".join(f"account_features.{name}" for name in self._names)
        self._query = f"SELECT {columns} FROM account_features WHERE account_id = ?"  # noqa: S608
        try:
            self.find(0)
            counted = self._connection.execute("SELECT count(*) FROM account_features").fetchone()
        except sqlite3.Error as error:
            raise BundleError(
                f"bundle {bundle.manifest.version}: {path} cannot be read ({error}): release again"
            ) from error
        self.count = int(counted[0])

    def find(self, account_id: int) -> dict[str, float] | None:
        """The account's features as the model's numbers, null as NaN; None where unknown."""
        with self._lock:
            found = self._connection.execute(self._query, (account_id,)).fetchone()
        if found is None:
            return None
        if None in found:
            found = [math.nan if value is None else value for value in found]
        return dict(zip(self._names, found, strict=True))
