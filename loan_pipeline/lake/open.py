"""Which store a URL names: a folder or S3."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.protocol import Store, StoreError


def open_store(url: str) -> Store:
    """The store at `file:///folder` or `s3://bucket/prefix`; nothing is read or created yet.

    S3 follows AWS's own variables and files for credentials, region and endpoint
    (`AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` for servers other than AWS's).
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path and parts.netloc in ("", "localhost"):
        return FolderStore(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        # boto3 takes a third of a second to import.
        from loan_pipeline.lake.s3_store import S3Store

        return S3Store(bucket=parts.netloc, prefix=parts.path.strip("/"))
    raise StoreError(f"{url!r} is no store: use file:///folder or s3://bucket/prefix")
