"""The store under an S3 prefix: boto3, its credentials chain, conditional writes for pointers."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from loan_pipeline.lake.protocol import (
    Pointer,
    StoreConflict,
    StoreDenied,
    StoreError,
    StoreKeyMissing,
    checked_key,
    parsed_pointer,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# "standard" retries 5xx, throttling, time-outs and broken connections with growing pauses: six
# tries bridge about half a minute of SlowDown answers.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 6}, connect_timeout=5, read_timeout=60
)
_MISSING = {"NoSuchKey", "404", "NotFound"}
_DENIED = {
    "AccessDenied",
    "403",
    "Forbidden",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
}
# 409 answers a conditional write that met another one under way.
_CONFLICT = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
# boto3's sessions may be shared by threads, but not while one of them makes a client.
_making_client = threading.Lock()


@cache
def aws_session() -> boto3.session.Session:
    """Where region and credentials come from, for all stores of the process.

    A session of its own would let each store read the descriptions of AWS's services again: a
    tenth of a second for every step of a run.
    """
    return boto3.session.Session()


class S3Store:
    """A `Store` under a prefix of an S3 bucket.

    Attributes:
        bucket: the bucket's name.
        prefix: key prefix without slashes at its ends; may be empty.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        self.bucket = bucket
        self.prefix = checked_key(prefix, may_be_empty=True)

    def __repr__(self) -> str:
        return f"S3Store({self.url})"

    @property
    def url(self) -> str:
        """The bucket and the prefix as a URL."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @cached_property
    def client(self) -> "S3Client":
        """The boto3 client behind the store; threads may share it."""
        with _making_client:
            return aws_session().client("s3", config=_CONFIG)

    @cached_property
    def region(self) -> str:
        """The bucket's own region: boto3 follows redirects there, other readers do not."""
        with self._translated("s3:ListBucket", ""):
            answer = self.client.head_bucket(Bucket=self.bucket)
        return answer.get("BucketRegion") or self.client.meta.region_name

    def full_key(self, key: str) -> str:
        """The key in the bucket of the store's `key`."""
        checked_key(key, may_be_empty=True)
        return "/".join(part for part in (self.prefix, key) if part)

    def read(self, key: str) -> bytes:
        """See `Store`."""
        with self._translated("s3:GetObject", key):
            answer = self.client.get_object(Bucket=self.bucket, Key=self.full_key(key))
            return answer["Body"].read()

    def write(self, key: str, data: bytes) -> None:
        """See `Store`."""
        with self._translated("s3:PutObject", key):
            self.client.put_object(Bucket=self.bucket, Key=self.full_key(key), Body=data)

    def exists(self, key: str) -> bool:
        """See `Store`."""
        try:
            with self._translated("s3:GetObject", key):
                self.client.head_object(Bucket=self.bucket, Key=self.full_key(key))
        except StoreKeyMissing:
            return False
        return True

    def modified(self, key: str) -> datetime:
        """See `Store`."""
        with self._translated("s3:GetObject", key):
            answer = self.client.head_object(Bucket=self.bucket, Key=self.full_key(key))
        return answer["LastModified"]

    def list(self, prefix: str = "") -> Sequence[str]:
        """See `Store`."""
        return sorted(self.sizes(prefix))

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """See `Store`."""
        start = len(self._folder("")) if self.prefix else 0
        with self._translated("s3:ListBucket", prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._folder(prefix)
            )
            return {
                item["Key"][start:]: item["Size"]
                for page in pages
                for item in page.get("Contents", ())
                if not item["Key"].endswith("/")
            }

    def folders(self, prefix: str = "") -> Sequence[str]:
        """See `Store`."""
        folder = self._folder(prefix)
        with self._translated("s3:ListBucket", prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=folder, Delimiter="/"
            )
            return sorted(
                item["Prefix"][len(folder) : -1]
                for page in pages
                for item in page.get("CommonPrefixes", ())
            )

    def delete(self, prefix: str) -> None:
        """See `Store`."""
        keys = [self.full_key(key) for key in (checked_key(prefix), *self.list(prefix))]
        for first in range(0, len(keys), 1000):
            batch = keys[first : first + 1000]
            with self._translated("s3:DeleteObject", prefix):
                answer = self.client.delete_objects(
                    Bucket=self.bucket,
                    Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
                )
            for failed in answer.get("Errors", ()):
                raise self._error("s3:DeleteObject", failed.get("Key", prefix), dict(failed))

    def download(self, key: str, path: Path) -> None:
        """See `Store`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._translated("s3:GetObject", key):  # boto3 writes beside `path` and renames
            self.client.download_file(self.bucket, self.full_key(key), str(path))

    def upload(self, path: Path, key: str) -> None:
        """See `Store`."""
        with self._translated("s3:PutObject", key):
            self.client.upload_file(str(path), self.bucket, self.full_key(key))

    def read_pointer(self, key: str) -> Pointer | None:
        """See `Store`."""
        try:
            with self._translated("s3:GetObject", key):
                answer = self.client.get_object(Bucket=self.bucket, Key=self.full_key(key))
                data = answer["Body"].read()
        except StoreKeyMissing:
            return None
        return parsed_pointer(data, answer["ETag"], f"{self.url}/{key}")

    def replace_pointer(
        self, key: str, value: dict[str, Any], expected_token: str | None
    ) -> Pointer:
        """See `Store`."""
        condition: dict[str, Any] = (
            {"IfNoneMatch": "*"} if expected_token is None else {"IfMatch": expected_token}
        )
        try:
            with self._translated("s3:PutObject", key):
                answer = self.client.put_object(
                    Bucket=self.bucket,
                    Key=self.full_key(key),
                    Body=json.dumps(value, indent=1).encode(),
                    ContentType="application/json",
                    **condition,
                )
        except (StoreConflict, StoreKeyMissing) as error:
            # A retried request meets its own first try, whose answer was lost on the way.
            current = self.read_pointer(key)
            if current and current.value == value:
                return current
            raise StoreConflict(
                f"{self.url}/{key} was replaced by somebody else meanwhile"
            ) from error
        return Pointer(value, answer["ETag"])

    def _folder(self, prefix: str) -> str:
        key = self.full_key(prefix)
        return f"{key}/" if key else ""

    @contextmanager
    def _translated(self, action: str, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._error(
                action, key, cast("dict[str, Any]", error.response["Error"])
            ) from error
        except (BotoCoreError, Boto3Error) as error:
            raise StoreError(
                f"{action} on {self.url}/{key} failed: {error}. Check the AWS credentials, "
                "AWS_REGION and AWS_ENDPOINT_URL, and that the bucket's server can be reached"
            ) from error

    def _error(self, action: str, key: str, error: dict[str, Any]) -> StoreError:
        code = str(error.get("Code", ""))
        reason = error.get("Message") or code
        if code in _MISSING:
            return StoreKeyMissing(key, self.url)
        if code in _DENIED:
            return StoreDenied(
                f"{action} on {self.url}/{key} is refused ({code}): allow it in the role's or "
                "user's policy, or check which credentials are in use"
            )
        if code in _CONFLICT:
            return StoreConflict(f"{self.url}/{key} was replaced by somebody else meanwhile")
        if code == "NoSuchBucket":
            return StoreError(
                f"bucket {self.bucket} does not exist: create it, or correct LOAN_LAKE_URL"
            )
        return StoreError(f"{action} on {self.url}/{key} failed ({code}): {reason}")
