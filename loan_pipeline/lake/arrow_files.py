"""Arrow's access to the store's Parquet files, in a folder or on S3."""

from urllib.parse import urlsplit

import pyarrow.dataset
import pyarrow.fs

from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline.lake.protocol import Store, StoreError
from loan_pipeline.lake.s3_store import S3Store, aws_session


def arrow_dataset(store: Store, files: list[str]) -> pyarrow.dataset.Dataset:
    """The Parquet files as one Arrow dataset; nothing is read but the first one's schema."""
    return pyarrow.dataset.dataset(
        [arrow_path(store, file) for file in files],
        filesystem=arrow_filesystem(store),
        format="parquet",
    )


def arrow_path(store: Store, key: str) -> str:
    """What `arrow_filesystem` calls the key."""
    if isinstance(store, S3Store):
        return f"{store.bucket}/{store.full_key(key)}"
    return str(_folder(store).path(key))


def arrow_filesystem(store: Store) -> pyarrow.fs.FileSystem:
    """Arrow's access to the store; on S3 with what boto3 found: credentials, region, endpoint."""
    if not isinstance(store, S3Store):
        return pyarrow.fs.LocalFileSystem()
    credentials = aws_session().get_credentials()
    if credentials is None:
        raise StoreError(f"there are no AWS credentials for {store.url}")
    frozen = credentials.get_frozen_credentials()
    endpoint = urlsplit(store.client.meta.endpoint_url)
    aws = (endpoint.hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))
    return pyarrow.fs.S3FileSystem(
        access_key=frozen.access_key,
        secret_key=frozen.secret_key,
        session_token=frozen.token,
        region=store.region,
        endpoint_override=None if aws else endpoint.netloc,
        scheme=endpoint.scheme,
        retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=6),
        connect_timeout=5,
        request_timeout=60,
    )


def _folder(store: Store) -> FolderStore:
    if not isinstance(store, FolderStore):
        raise StoreError(f"{store.url}: snapshots are read from a folder or from S3")
    return store
