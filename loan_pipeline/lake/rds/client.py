"""Calls of RDS's API that outlast throttling and say what to do when they are refused."""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.progress import track

logger = logging.getLogger("loan_pipeline.lake")

# boto3 has retried within a second or two when one of these reaches us: the account is being
# throttled or RDS is restarting, which passes in minutes.
_PASSING = {
    "InternalFailure",
    "InternalError",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_TRIES = 12
_LONGEST_PAUSE_SECONDS = 60.0

_HINTS = {
    "AccessDenied": "allow the action in the policy of the role that runs the pipeline",
    "AccessDeniedException": "allow the action in the policy of the role that runs the pipeline",
    "DBInstanceNotFound": "set LOAN_RDS_INSTANCE to the name of an instance in this region",
    "DBSnapshotNotFound": "name a snapshot that exists in this region and account",
    "ExpiredToken": "renew the AWS credentials",
    "IamRoleMissingPermissions": "give LOAN_EXPORT_ROLE_ARN access to the bucket, and let "
    "export.rds.amazonaws.com assume it",
    "IamRoleNotFound": "set LOAN_EXPORT_ROLE_ARN to a role that exists",
    "InvalidDBInstanceState": "wait until the instance is available",
    "InvalidExportOnly": "check the name of the bank's database",
    "InvalidExportSourceState": "wait until the snapshot is available and no other export reads it",
    "InvalidS3BucketFault": "use a bucket in the instance's own region",
    "KMSKeyNotAccessibleFault": "allow kms:CreateGrant and kms:DescribeKey on LOAN_EXPORT_KMS_KEY, "
    "and check that the key is enabled",
    "SnapshotQuotaExceeded": "delete manual snapshots, or have the quota raised",
}


class RdsError(LoanPipelineError):
    """RDS refused or failed what the export needs.

    Attributes:
        code: RDS's own code of the error; empty where there was no answer.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class PatientRds:
    """An RDS client whose calls wait and try again while RDS is throttling or out of reach.

    Args:
        client: boto3's RDS client.
        pause: waits for some seconds.
    """

    def __init__(self, client: Any, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self.pause = pause

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """One call, such as `call("describe_db_snapshots", DBInstanceIdentifier=…)`.

        Raises:
            RdsError: RDS refused it, or could not be reached for about ten minutes.
        """
        seconds = 1.0
        for left in reversed(range(_TRIES)):
            try:
                answer: dict[str, Any] = getattr(self._client, method)(**arguments)
            except (BotoCoreError, ClientError) as error:
                if not left or not _is_passing(error):
                    raise _told(method, error) from error
                logger.info("RDS does not take %s now, trying again in %.0f s", method, seconds)
            else:
                return answer
            self.pause(seconds)
            seconds = min(2 * seconds, _LONGEST_PAUSE_SECONDS)
        raise AssertionError("the last try returns or raises")

    def pages(self, method: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """The entries under `key` in all pages of a listing."""
        marker: dict[str, str] = {}
        while True:
            answer = self.call(method, **arguments, **marker)
            yield from answer.get(key, ())
            if not answer.get("Marker"):
                return
            marker = {"Marker": answer["Marker"]}

    def follow(
        self,
        description: str,
        look: Callable[[], Mapping[str, Any]],
        under_way: Collection[str],
        seconds: float,
    ) -> Mapping[str, Any]:
        """Look every few seconds, showing the percentage, while the status is `under_way`.

        Returns:
            What the last look saw.
        """
        with track(description, total=100) as progress:
            done = 0
            while True:
                seen = look()
                percent = int(seen.get("PercentProgress") or 0)
                progress.advance(max(percent - done, 0))
                done = max(percent, done)
                if status_of(seen) not in under_way:
                    return seen
                self.pause(seconds)


def status_of(entry: Mapping[str, Any]) -> str:
    """The status in capitals: RDS writes some of them small."""
    return str(entry.get("Status", "")).upper()


def _is_passing(error: BotoCoreError | ClientError) -> bool:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return _code(error) in _PASSING or status >= 500
    return isinstance(error, (BotoConnectionError, HTTPClientError))


def _code(error: BotoCoreError | ClientError) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def _told(method: str, error: BotoCoreError | ClientError) -> RdsError:
    code = _code(error)
    hint = _HINTS.get(code, "see the AWS documentation of the call")
    if not code:
        hint = "check the AWS credentials, AWS_REGION, and that RDS can be reached"
    return RdsError(f"RDS {method} failed: {error}. What to do: {hint}", code)
