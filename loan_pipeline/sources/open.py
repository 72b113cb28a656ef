"""How a source is named on the command line, and which class reads it."""

from pathlib import Path

from loan_pipeline.bank.errors import SourceError
from loan_pipeline.bank.mariadb.address import is_address, parse_address
from loan_pipeline.bank.protocol import Source
from loan_pipeline.sources.dump import DumpSource
from loan_pipeline.sources.files import FilesSource
from loan_pipeline.sources.sample import SampleSource
from loan_pipeline.sources.server import ServerSource, ctu_source

KNOWN = (
    "sample, sample:scale=2,seed=7, a folder or .zip of PKDD'99 files, a .sql dump, "
    "mysql://user:password@host/database, or ctu (the public server)"
)


def open_source(spec: str) -> Source:
    """The source that `spec` names.

    Raises:
        SourceError: where it names none, or one that is missing or incomplete.
    """
    if spec == "sample" or spec.startswith("sample:"):
        return _sample(spec)
    if spec == "ctu":
        return ctu_source()
    if is_address(spec):
        return ServerSource(parse_address(spec))
    path = Path(spec).expanduser()
    if path.suffix.lower() == ".sql" or (path.is_dir() and any(path.glob("*.sql"))):
        return DumpSource(path)
    if path.is_dir() or path.suffix.lower() == ".zip":
        return FilesSource(path)
    raise SourceError(
        f"There is no source {spec!r}: no such folder or file. A source is one of: {KNOWN}."
    )


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
