"""Spark as the feature engine: its session, the snapshot's tables in it, results as Parquet.

What is computed is `builder`'s. Settings that are not listed here are Spark's own, in
`spark-defaults.conf` or `PYSPARK_SUBMIT_ARGS`.

    python -m loan_pipeline.features.spark

prints the session's configuration for the settings as they are, secrets masked.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import ibis
import pyarrow as pa

from loan_pipeline.contracts.column_types import ibis_type
from loan_pipeline.contracts.snapshot import SnapshotManifest
from loan_pipeline.contracts.tables import TABLES, Table
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.features.builder import FEATURE_TABLES
from loan_pipeline.lake.arrow_files import arrow_dataset
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import Store
from loan_pipeline.lake.s3_store import S3Store, aws_session
from loan_pipeline.lake.snapshot import folder_of
from loan_pipeline.settings import load_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_VIEW = "loan_pipeline_"
_S3A = "spark.hadoop.fs.s3a."
# Credentials that every machine of a cluster fetches for its own role, and renews itself.
_OF_THE_MACHINE = {"iam-role", "container-role", "assume-role-with-web-identity"}
_SECRET = (".access.key", ".secret.key", ".session.token")


class EngineError(LoanPipelineError):
    """Spark cannot be had, or cannot reach the store."""


@contextmanager
def spark_batches(
    store: Store, manifest: SnapshotManifest, name: str, master: str
) -> Iterator[pa.RecordBatchReader]:
    """A feature table of a snapshot, computed on Spark.

    The executors write it to the store as Parquet, from where it is read in batches: the driver
    never holds it whole. The session stays for the next table, until `stop_spark`.

    Args:
        store: a folder that driver and executors see under the same path, or S3.
        manifest: which snapshot; `open_snapshot` has verified it.
        name: of `builder.FEATURE_TABLES`.
        master: `local[*]`, `spark://host:7077`, `yarn`, …; an active session is used as it is.

    Raises:
        EngineError: Spark is not installed or does not start, or does not read the store.
    """
    session = _session(store, master)
    from pyspark.errors import PySparkException

    backend = ibis.pyspark.connect(session)
    staging = f"staging/{uuid.uuid4().hex}"
    try:
        try:
            for table in TABLES:
                _create_view(store, manifest, table, session)
            tables = {
                table.name: _typed(backend.table(_VIEW + table.name), table) for table in TABLES
            }
            expression = FEATURE_TABLES[name](tables, manifest.as_of)
            backend.to_parquet(expression, _spark_path(store, staging))
        except Exception as error:
            # Java's own errors come as Py4J's, which PySpark translates in part.
            if isinstance(error, PySparkException) or type(error).__module__ == "py4j.protocol":
                raise EngineError(_explanation(store, str(error))) from error
            raise
        parts = [key for key in store.list(staging) if key.endswith(".parquet")]
        yield arrow_dataset(store, parts).scanner().to_reader()
    finally:
        store.delete(staging)


def stop_spark() -> None:
    """Stop the session that `spark_batches` started; one that was there before lives on."""
    if _started:
        _started.pop().stop()


def session_configuration(store: Store) -> dict[str, str]:
    """What a session for this store is started with, secrets included: for Spark alone."""
    configuration = {
        # Progress is the pipeline's to show, on the same lines.
        "spark.ui.showConsoleProgress": "false",
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
    }
    return configuration | (_s3a_configuration(store) if isinstance(store, S3Store) else {})


def masked(configuration: dict[str, str]) -> dict[str, str]:
    """The configuration as it may be shown."""
    return {
        name: "********" if name.endswith(_SECRET) else value
        for name, value in configuration.items()
    }


def _s3a_configuration(store: S3Store) -> dict[str, str]:
    """Hadoop's S3A as boto3 found it: region, endpoint, and keys that are not the machine's role.

    Names after Hadoop's "Hadoop-AWS module" and "Connecting to an Amazon S3 Bucket".
    """
    configuration = {f"{_S3A}endpoint.region": store.region}
    endpoint = store.client.meta.endpoint_url
    if not (urlsplit(endpoint).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn")):
        configuration |= {
            f"{_S3A}endpoint": endpoint,
            f"{_S3A}path.style.access": "true",
            f"{_S3A}connection.ssl.enabled": str(endpoint.startswith("https")).lower(),
        }
    credentials = aws_session().get_credentials()
    if credentials is None or credentials.method in _OF_THE_MACHINE:
        return configuration
    frozen = credentials.get_frozen_credentials()
    provider = "Simple"
    if frozen.token:
        provider = "Temporary"
        configuration[f"{_S3A}session.token"] = frozen.token
    return configuration | {
        f"{_S3A}aws.credentials.provider": (
            f"org.apache.hadoop.fs.s3a.{provider}AWSCredentialsProvider"
        ),
        f"{_S3A}access.key": frozen.access_key or "",
        f"{_S3A}secret.key": frozen.secret_key or "",
    }


_started: list["SparkSession"] = []


def _session(store: Store, master: str) -> "SparkSession":
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise EngineError(
            "LOAN_SPARK_MASTER is set, but Spark is not installed: "
            "pip install 'loan-pipeline[spark]', or unset it to compute with DuckDB"
        ) from error
    found = SparkSession.getActiveSession()
    if found is not None:
        return found
    builder = SparkSession.builder.master(master).appName("loan-pipeline")
    for name, value in session_configuration(store).items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except (PySparkException, OSError) as error:
        raise EngineError(
            f"Spark does not start with LOAN_SPARK_MASTER={master} (is Java 17 there?): {error}"
        ) from error
    _started.append(session)
    return session


def _create_view(
    store: Store, manifest: SnapshotManifest, table: Table, session: "SparkSession"
) -> None:
    paths = [
        _spark_path(store, f"{folder_of(manifest.snapshot_id)}/{file.key}")
        for file in manifest.tables[table.name].files
    ]
    if paths:
        frame = session.read.parquet(*paths)
    else:
        frame = session.sql("SELECT " + ", ".join(f"NULL AS `{c.name}`" for c in table.columns))
        frame = frame.limit(0)
    frame.createOrReplaceTempView(_VIEW + table.name)


def _typed(stored: ibis.Table, table: Table) -> ibis.Table:
    return stored.select(**{c.name: stored[c.name].cast(ibis_type(c)) for c in table.columns})


def _spark_path(store: Store, key: str) -> str:
    if isinstance(store, S3Store):
        return f"s3a://{store.bucket}/{store.full_key(key)}"
    if isinstance(store, FolderStore):
        return Path(store.path(key)).as_uri()
    raise EngineError(f"{store.url}: Spark reads snapshots from a folder or from S3")


def _explanation(store: Store, error: str) -> str:
    if "fs.s3a.S3AFileSystem not found" in error:
        from pyspark.version import __version__

        return (
            f"{store.url}: Spark has no S3 connector. Start it with Hadoop's, in the version of "
            f"PySpark {__version__}'s hadoop-client jars: PYSPARK_SUBMIT_ARGS='--packages "
            "org.apache.hadoop:hadoop-aws:VERSION pyspark-shell'"
        )
    return f"Spark failed to compute the features from {store.url}: {error}"


if __name__ == "__main__":
    settings = load_settings()
    shown = masked(session_configuration(open_store(settings.lake)))
    print(f"spark.master={settings.spark_master or '(LOAN_SPARK_MASTER is not set)'}")
    print("\n".join(f"{name}={value}" for name, value in sorted(shown.items())))
