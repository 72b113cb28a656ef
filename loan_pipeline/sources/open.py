"""How a source is named on the command line and in a run's configuration, and which class reads it.

A source that needs a password is named by an environment variable, so that no run stores it.
"""

import os
import re
from pathlib import Path

from loan_pipeline.bank.errors import SourceError
from loan_pipeline.bank.mariadb.address import is_address, parse_address
from loan_pipeline.bank.protocol import Source
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.sources.dump import DumpSource
from loan_pipeline.sources.files import FilesSource, table_files
from loan_pipeline.sources.places import places_in, zips_in
from loan_pipeline.sources.sample import SampleSource
from loan_pipeline.sources.server import ServerSource, ctu_source
from loan_pipeline.sources.sqlite import SqliteSource, is_sqlite

KNOWN = (
    "sample, sample:scale=2,seed=7, a folder or .zip of PKDD'99 or CSV files, a .sql or .sql.gz "
    "dump or a folder or .zip of them, a SQLite file, env:NAME with "
    "mysql://user:password@host/database in the environment variable NAME, or ctu (the public "
    "server)"
)
_VARIABLE = "env:"
_ARCHIVES = (".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar", ".zst")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):/", re.IGNORECASE)


def open_source(spec: str, *, bastion: str | None = None) -> Source:
    """The source that `spec` names.

    Args:
        spec: see `KNOWN`; no message repeats one that may hold a password.
        bastion: the SSH host through which another server is reached.

    Raises:
        SourceError: where it names none, or one that is missing or incomplete.
        BankError: where a server's URL cannot be read.
    """
    refuse_password(spec)
    if not spec.startswith(_VARIABLE):
        return _open(spec, bastion, shown=_shown(spec))
    name = spec.removeprefix(_VARIABLE)
    value = os.environ.get(name, "")
    if not value:
        raise SourceError(
            f"The source {spec} names the environment variable {name}, which is not set. Set it to "
            "mysql://user:password@host/database."
        )
    return _open(value, bastion, shown=f"in the environment variable {name}")


def refuse_password(spec: str) -> None:
    """Refuse a source whose text holds a password, without repeating it.

    Raises:
        SourceError: with what to write instead.
    """
    login = spec.partition("://")[2].rpartition("@")[0]
    if ":" in login:  # whatever the scheme: one that cannot be read is stored as well
        raise SourceError(
            "The source holds a password, which the run's configuration would keep. Put the URL "
            "into an environment variable, for example BANK_SOURCE, and name that: "
            f"--source {_VARIABLE}BANK_SOURCE. In the password write @ : / # ? and % "
            "percent-encoded (@ as %40)."
        )


def _open(spec: str, bastion: str | None, shown: str) -> Source:
    if spec == "sample" or spec.startswith("sample:"):
        return _sample(spec)
    if spec == "ctu":
        return ctu_source()
    if is_address(spec):
        return ServerSource(parse_address(spec, bastion=bastion))
    path = Path(spec).expanduser()
    if not path.exists():
        raise SourceError(
            f"There is no source {shown}: no such folder or file. A source is one of: {KNOWN}."
        )
    return _of_files(path)


def _of_files(path: Path) -> Source:
    """A folder or a file, by what it holds."""
    if path.is_file() and is_sqlite(path):
        return SqliteSource(path)
    places = places_in(path)
    scripts = [place for place in places if place.name.endswith(".sql")]
    tables = table_files(places)
    if any(len(found) == len(TABLES) for found in tables.values()):
        return FilesSource(str(path), places)
    zips = zips_in(path)
    if len(zips) == 1 and not scripts and not tables:
        return _of_files(zips[0])
    databases = [p for p in path.glob("*.*") if p.is_file() and is_sqlite(p)]
    if len(databases) == 1 and not scripts and not tables:
        return SqliteSource(databases[0])
    if scripts and not tables:
        return DumpSource(str(path), scripts)
    if path.is_file() and path.suffix.lower() != ".zip":
        raise SourceError(_no_source(path, tables=bool(tables)))
    return FilesSource(str(path), places)


def _no_source(path: Path, *, tables: bool) -> str:
    if tables:
        return (
            f"{path} is the file of one table. Put the files of all eight tables into one folder, "
            "and name that folder as the source."
        )
    with path.open("rb") as file:
        is_postgres = file.read(5) == b"PGDMP"
    if is_postgres:
        return (
            f"{path} is a PostgreSQL dump in its own format, which cannot be read. Dump it as text "
            "with pg_dump --inserts, or export each table as a CSV file with its header "
            "(\\copy loan TO 'loan.csv' CSV HEADER)."
        )
    hint = " Unpack it first." if path.suffix.lower() in _ARCHIVES else ""
    return f"{path}: this kind of file cannot be read.{hint} A source is one of: {KNOWN}."


def _shown(spec: str) -> str:
    """The source for a message: of a URL its scheme alone."""
    if match := _SCHEME.match(spec):
        return f"of the kind {match[1]}://"
    return repr(spec) if "@" not in spec else "(not shown: it may hold a password)"


def _sample(spec: str) -> Source:
    scale, seed = 1.0, 1
    options = [option for option in spec.partition(":")[2].split(",") if option]
    try:
        for option in options:
            name, _, value = option.partition("=")
            if name == "scale":
                scale = float(value)
            elif name == "seed":
                seed = int(value)
            else:
                raise ValueError(name)
        if not 0 < scale < float("inf"):
            raise ValueError("scale")
    except ValueError:
        raise SourceError(
            f"The source {spec!r} is not understood: write sample, or for example "
            "sample:scale=2,seed=7 with a scale above 0 and a whole seed."
        ) from None
    return SampleSource(scale=scale, seed=seed)
