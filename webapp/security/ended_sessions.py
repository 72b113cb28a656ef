"""Sessions that were signed out, so that a copy of their cookie signs nobody in.

Kept in LOAN_HOME, for all processes that share it, until the sessions would have ended anyway.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

_FILE = "web-ended-sessions.sqlite"
_BUSY_SECONDS = 5.0


class EndedSessions:
    """The list of one LOAN_HOME.

    Args:
        home: its folder.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / _FILE

    def add(self, session_id: str, until: float) -> None:
        """List a session; those that have ended by themselves are left out from now on.

        Args:
            session_id: its random number.
            until: when it would have ended, in seconds since 1970.

        Raises:
            sqlite3.Error: the list cannot be written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as db, db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS ended (id TEXT PRIMARY KEY, until REAL NOT NULL)"
            )
            db.execute("DELETE FROM ended WHERE until < ?", (time.time(),))
            db.execute("INSERT OR REPLACE INTO ended VALUES (?, ?)", (session_id, until))

    def __contains__(self, session_id: str) -> bool:
        """Whether a session was signed out.

        Raises:
            sqlite3.Error: the list cannot be read.
        """
        if not self._path.exists():
            return False
        address = f"{self._path.as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as db:
            known = "SELECT count(*) FROM sqlite_master WHERE name = 'ended'"
            if not db.execute(known).fetchone()[0]:  # another process is just making it
                return False
            found = db.execute("SELECT count(*) FROM ended WHERE id = ?", (session_id,))
            return bool(found.fetchone()[0])
