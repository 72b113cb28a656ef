"""What a process needs to speak to the tests' S3 server, and lakes on it."""

import uuid

import boto3

REGION = "eu-central-1"


def aws_variables(server: str) -> dict[str, str]:
    """AWS's own variables for the S3 server at this URL."""
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_ENDPOINT_URL": server,
    }


def new_lake(server: str) -> str:
    """The URL of an empty prefix in a new bucket."""
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing-secret"}
    client = boto3.client("s3", endpoint_url=server, region_name=REGION, **keys)
    bucket = f"lake-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    return f"s3://{bucket}/bank/lake"
