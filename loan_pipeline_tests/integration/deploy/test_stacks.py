"""The stacks created in moto's AWS, as far as that goes: in order, each with the exports before it.

Not reached: what `_NOT_IN_MOTO` lists is left out before, and no policy is enforced; the templates'
own tests read those.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import dagster as dg
import pytest
from moto import mock_aws

from loan_pipeline_tests.helpers.cloudformation import ROOT, STACKS, Template, template, without

pytestmark = pytest.mark.slow

_REGION = "eu-central-1"
_NOT_IN_MOTO = {
    "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage", "AWS::CloudWatch::Alarm", "AWS::EC2::InstanceConnectEndpoint",
    "AWS::IAM::RolePolicy", "AWS::Logs::MetricFilter", "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy", "AWS::SecretsManager::Secret",
    "AWS::ServiceDiscovery::PrivateDnsNamespace", "AWS::ServiceDiscovery::Service",
}  # fmt: skip
_PARAMETERS = {
    "network": {"S3PrefixList": "pl-6ea54007"},
    "pipeline": {"ImageTag": "1.0.0"},
    "web": {"CodeKey": "code/web-1.zip"},
    "alarms": {"Mail": "somebody@example.com"},
}


def _as_far_as_moto_goes(stack: str) -> Template:
    read = template(stack)
    if "Transform" in read:
        from samtranslator.parser.parser import Parser
        from samtranslator.translator.translator import Translator

        parameters = {"Deployment": "loan", **_PARAMETERS[stack]}
        read = Translator({}, Parser()).translate(read, parameters)
    read = without(read, _NOT_IN_MOTO)
    for body in read["Resources"].values():
        if body["Type"] == "AWS::RDS::DBInstance":  # moto takes no reference to such a group
            del body["Properties"]["DBParameterGroupName"]
    read["Outputs"].pop("AdministratorSecret", None)  # moto's instances have no secret
    return read


@pytest.fixture(scope="module")
def created() -> Iterator[None]:
    """All stacks, created in order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", _REGION)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        with mock_aws():
            client = boto3.client("cloudformation")
            for stack in STACKS:
                if stack == "web":
                    _upload_code()
                client.create_stack(
                    StackName=f"loan-{stack}",
                    TemplateBody=json.dumps(_as_far_as_moto_goes(stack)),
                    Capabilities=["CAPABILITY_IAM"],
                    Parameters=[
                        {"ParameterKey": key, "ParameterValue": value}
                        for key, value in _PARAMETERS.get(stack, {}).items()
                    ],
                )
            yield


def _upload_code() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("webapp/lambda_handler.py", "")
    [lake] = [
        bucket["Name"]
        for bucket in boto3.client("s3").list_buckets()["Buckets"]
        if "-lake-" in bucket["Name"]
    ]
    boto3.client("s3").put_object(Bucket=lake, Key="code/web-1.zip", Body=archive.getvalue())


def _outputs(stack: str) -> dict[str, str]:
    [found] = boto3.client("cloudformation").describe_stacks(StackName=f"loan-{stack}")["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", ())}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.usefixtures("created")
def test_the_stack_is_created(stack: str) -> None:
    [found] = boto3.client("cloudformation").describe_stacks(StackName=f"loan-{stack}")["Stacks"]
    assert found["StackStatus"] == "CREATE_COMPLETE"
    summaries = boto3.client("cloudformation").list_stack_resources(StackName=f"loan-{stack}")
    made = {one["LogicalResourceId"] for one in summaries["StackResourceSummaries"]}
    # No condition holds by default; moto then lists the resource without its name.
    bodies = _as_far_as_moto_goes(stack)["Resources"].items()
    assert made - {""} == {name for name, body in bodies if "Condition" not in body}


@pytest.mark.usefixtures("created")
def test_the_bank_is_private_encrypted_and_backed_up() -> None:
    [bank] = boto3.client("rds").describe_db_instances(
        DBInstanceIdentifier=_outputs("bank")["Instance"]
    )["DBInstances"]
    assert bank["PubliclyAccessible"] is False
    assert bank["StorageEncrypted"] is True
    assert bank["KmsKeyId"] == _outputs("key")["KeyArn"]
    assert bank["BackupRetentionPeriod"] == 14


@pytest.mark.usefixtures("created")
def test_the_lake_is_encrypted_with_the_key() -> None:
    s3, bucket = boto3.client("s3"), _outputs("lake")["LakeUrl"].removeprefix("s3://")
    [rule] = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    encryption = rule["ApplyServerSideEncryptionByDefault"]
    assert encryption["KMSMasterKeyID"] == _outputs("key")["KeyArn"]


@pytest.mark.usefixtures("created")
def test_only_the_pipeline_and_the_bastion_reach_the_bank() -> None:
    network = _outputs("network")
    [group] = boto3.client("ec2").describe_security_groups(GroupIds=[network["BankGroup"]])[
        "SecurityGroups"
    ]
    sources = {
        pair["GroupId"] for rule in group["IpPermissions"] for pair in rule["UserIdGroupPairs"]
    }
    assert sources == {network["PipelineGroup"], network["BastionGroup"]}
    assert not [one for rule in group["IpPermissions"] for one in rule["IpRanges"]]


@pytest.mark.usefixtures("created")
def test_dagster_is_given_what_the_other_stacks_made() -> None:
    client = boto3.client("ecs")
    definition = client.describe_task_definition(taskDefinition="loan-run")["taskDefinition"]
    [run] = definition["containerDefinitions"]
    given = {variable["name"]: variable["value"] for variable in run["environment"]}
    assert given["LOAN_LAKE_URL"] == _outputs("lake")["LakeUrl"]
    assert given["LOAN_RDS_INSTANCE"] == _outputs("bank")["Instance"]
    assert given["LOAN_EXPORT_ROLE_ARN"] == _outputs("export")["ExportRoleArn"]
    assert given["LOAN_EXPORT_KMS_KEY"] == _outputs("key")["KeyArn"]
    [service] = client.describe_services(cluster="loan", services=["dagster"])["services"]
    assert service["desiredCount"] == 1


@pytest.mark.usefixtures("created")
def test_the_app_is_a_function_that_reads_the_lake() -> None:
    function = boto3.client("lambda").get_function(FunctionName="loan-web")["Configuration"]
    assert function["Handler"] == "webapp.lambda_handler.handler"
    variables = function["Environment"]["Variables"]
    assert variables["LOAN_LAKE_URL"] == _outputs("lake")["LakeUrl"]


@pytest.mark.usefixtures("created")
def test_dagster_starts_runs_with_the_task_definition_of_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster_aws.ecs import EcsRunLauncher

    # With the local state of a fresh home: PostgreSQL has a test of its own.
    (tmp_path / "dagster.yaml").write_text((ROOT / "deploy/ecs-run-launcher.yaml").read_text())
    monkeypatch.setenv("DAGSTER_RUN_TASK_DEFINITION", "loan-run")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        launcher = instance.run_launcher
        assert isinstance(launcher, EcsRunLauncher)
        assert str(launcher.task_definition).endswith(":task-definition/loan-run:1")
        assert launcher.secrets_tags == []
