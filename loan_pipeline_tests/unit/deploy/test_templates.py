"""What the CloudFormation templates promise: private, encrypted, by name."""

import re
from fnmatch import fnmatch
from typing import Any

import pytest

from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.cloudformation import (
    FOLDER,
    ROOT,
    STACKS,
    as_list,
    imports,
    resources,
    statements,
    template,
    text,
)
from loan_pipeline_tests.helpers.lake_folders import BY_APPS, BY_RUNS, READ_BY_APPS
from webapp.security.permissions import access_policy

# Of the pipeline's settings: each with why the templates do not set it.
NOT_ON_AWS = {
    "LOAN_HOME": "the image's own",
    "LOAN_BASTION": "tasks reach the bank without",
    "LOAN_SPARK_MASTER": "DuckDB suffices; Spark would be a stack of its own",
    "LOAN_ALLOW_PICKLES": "code from the lake is not run",
    "LOAN_KEEP_SNAPSHOTS": "the default goes with the lake's lifecycle",
    "LOAN_KEEP_DB_SNAPSHOTS": "the default goes with the lake's lifecycle",
    "LOAN_KEEP_RELEASES": "the default goes with the lake's lifecycle",
    "LOAN_KEEP_PREDICTORS": "the default goes with the lake's lifecycle",
    "LOAN_ROLLING_CUTS": "minutes do not matter there",
}
DEPLOYMENT_PAGE = (ROOT / "docs" / "deployment.md").read_text()
SETTINGS = set(re.findall(r"^(LOAN_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def _resource(stack: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = template(stack)["Resources"][name]["Properties"]
    return found


def _allowed(stack: str, role: str) -> set[tuple[str, str]]:
    """Each action with each resource that a role's statements allow."""
    return {
        (action, text(resource))
        for statement in statements(template(stack)["Resources"][role])
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def test_every_template_is_known_to_these_tests() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(STACKS)


# --- order and settings ------------------------------------------------------------------------


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_imports_only_what_an_earlier_one_exports(stack: str) -> None:
    earlier = {
        text(output["Export"]["Name"]).removeprefix("${Deployment}:")
        for before in STACKS[: STACKS.index(stack)]
        for output in template(before)["Outputs"].values()
        if "Export" in output
    }
    assert set(imports(template(stack))) <= earlier


def test_no_export_is_left_unused() -> None:
    exported = {
        text(output["Export"]["Name"]).removeprefix("${Deployment}:")
        for stack in STACKS
        for output in template(stack)["Outputs"].values()
        if "Export" in output
    }
    assert exported == {name for stack in STACKS for name in imports(template(stack))}


def test_the_deployment_page_creates_the_stacks_in_this_order() -> None:
    found = re.findall(r"deploy_stack ([a-z-]+)", DEPLOYMENT_PAGE)
    assert tuple(dict.fromkeys(found)) == STACKS


def test_outputs_are_the_settings_of_the_pipeline() -> None:
    described = {
        output.get("Description", "")
        for stack in STACKS
        for output in template(stack)["Outputs"].values()
    }
    named = {name for words in described for name in re.findall(r"LOAN_\w+", words)}
    assert named <= SETTINGS
    assert named >= {
        "LOAN_LAKE_URL", "LOAN_DATABASE_URL", "LOAN_RDS_INSTANCE", "LOAN_EXPORT_ROLE_ARN",
        "LOAN_EXPORT_KMS_KEY", "LOAN_BASTION",
    }  # fmt: skip


def _given(container: dict[str, Any]) -> set[str]:
    variables = [*container["Environment"], *container["Secrets"]]
    return {variable["Name"] for variable in variables if variable["Name"].startswith("LOAN_")}


def _containers() -> dict[str, set[str]]:
    """The settings of each container that Dagster is made of."""
    return {
        container["Name"]: _given(container)
        for task in ("Run", "Services")
        for container in _resource("pipeline", task)["ContainerDefinitions"]
    }


def test_runs_and_the_code_server_are_given_every_setting_of_the_pipeline() -> None:
    of_the_app = {name for name in SETTINGS if name.startswith("LOAN_WEB_")} - {"LOAN_WEB_URL"}
    settings = SETTINGS - of_the_app - set(NOT_ON_AWS)
    containers = _containers()
    assert containers["run"] == settings - {"LOAN_ALERT_URLS"}  # the sensor's, no run's
    assert containers["code"] == settings - {"LOAN_DATABASE_URL"}
    assert containers["webserver"] == containers["daemon"] == set()  # they ask the code server


def test_the_app_is_given_settings_that_exist_and_each_that_lets_somebody_in() -> None:
    given = set(_resource("web", "App")["Environment"]["Variables"])
    assert given <= SETTINGS
    sign_in = {name for name in SETTINGS if re.search("OIDC|GROUPS|API_KEYS", name)}
    assert given >= sign_in - {"LOAN_WEB_GROUPS_HEADER"}


def _app_settings(monkeypatch: pytest.MonkeyPatch, **chosen: str) -> Settings:
    """The app's settings, made of its variables with these parameters."""
    read = template("web")
    values = {name: str(body.get("Default", "")) for name, body in read["Parameters"].items()}
    values |= chosen
    true = {
        "OnlySignedRequests": values["Access"] == "AWS_IAM", "SignIn": values["OidcIssuer"] != "",
    }  # fmt: skip
    for name, value in _resource("web", "App")["Environment"]["Variables"].items():
        if isinstance(value, dict) and "Fn::If" in value:
            condition, yes, no = value["Fn::If"]
            value = yes if true[condition] else no
        value = values[value["Ref"]] if isinstance(value, dict) and "Ref" in value else text(value)
        monkeypatch.setenv(name, value.replace("s3://${Lake}", "s3://lake"))
    return Settings()


def test_by_default_the_app_trusts_the_accounts_signed_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = access_policy(_app_settings(monkeypatch), None)
    assert (policy.sign_in, policy.open_accounts, policy.has_api_keys) == (None, True, False)


def test_the_bank_s_provider_is_given_by_parameters_and_a_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = _app_settings(
        monkeypatch, Access="NONE", OidcIssuer="https://id.bank.example", OidcClientId="loan-check",
        OfficerGroups="officers,branch", ApiKeys=f"nightly:{'0' * 64}",
    )  # fmt: skip
    policy = access_policy(settings, None)
    assert (policy.sign_in, policy.open_accounts, policy.has_api_keys) == ("openid", False, True)
    assert settings.web_officer_groups == ("officers", "branch")
    secret = settings.web_oidc_client_secret
    assert secret is not None
    assert secret.get_secret_value().startswith("{{resolve:secretsmanager:")
    assert "aws secretsmanager create-secret --name loan/web/oidc-client-secret" in DEPLOYMENT_PAGE


def test_defaults_of_the_parameters_are_those_of_the_settings() -> None:
    defaults = Settings.model_construct()
    for stack in ("pipeline", "web"):
        for name, body in template(stack)["Parameters"].items():
            [setting] = re.findall(r"^LOAN_(\w+)", body["Description"]) or [None]
            if setting is None or name in {"Schedules", "BankManaged"}:
                continue  # a deployment's own: on, and read only
            value = getattr(defaults, setting.lower())
            value = "" if value in (None, ()) else value
            assert body["Default"] == str(value), name


# --- private -----------------------------------------------------------------------------------


def test_no_database_is_public_or_unencrypted_or_easily_lost() -> None:
    databases = list(resources("AWS::RDS::DBInstance"))
    assert len(databases) == 2
    for _, _, body in databases:
        properties = body["Properties"]
        assert properties["PubliclyAccessible"] is False
        assert properties["StorageEncrypted"] is True
        assert text(properties["KmsKeyId"]) == "<KeyArn>"
        assert properties["DeletionProtection"] is True
        assert properties["BackupRetentionPeriod"] >= 7
        assert body["DeletionPolicy"] == body["UpdateReplacePolicy"] == "Snapshot"


def test_databases_demand_tls() -> None:
    assert _resource("bank", "Settings")["Parameters"] == {"require_secure_transport": "1"}
    assert _resource("dagster-storage", "Settings")["Parameters"]["rds.force_ssl"] == "1"


def test_the_pipeline_verifies_the_certificates_of_both() -> None:
    assert "?ssl_ca=" in text(_resource("bank", "PipelineUrl")["SecretString"])
    assert "?sslmode=verify-full&" in text(_resource("dagster-storage", "Url")["SecretString"])


def test_the_network_has_no_way_to_the_internet() -> None:
    kinds = {body["Type"] for _, _, body in resources()}
    assert not kinds & {
        "AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::EIP",
        "AWS::EC2::EgressOnlyInternetGateway", "AWS::EC2::Route",
    }  # fmt: skip
    for _, _, subnet in resources("AWS::EC2::Subnet"):
        assert subnet["Properties"]["MapPublicIpOnLaunch"] is False
    for _, _, interface in resources("AWS::EC2::Instance"):
        [network] = interface["Properties"]["NetworkInterfaces"]
        assert network["AssociatePublicIpAddress"] is False
    network = _resource("pipeline", "Dagster")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"


def test_who_may_reach_whom() -> None:
    ways = {
        (
            rule["Properties"]["SourceSecurityGroupId"]["Ref"],
            rule["Properties"]["GroupId"]["Ref"],
            rule["Properties"]["FromPort"],
            rule["Properties"]["ToPort"],
        )
        for _, _, rule in resources("AWS::EC2::SecurityGroupIngress")
    }
    assert ways == {
        ("ConnectEndpointGroup", "BastionGroup", 22, 22),
        ("BastionGroup", "BankGroup", 3306, 3306),
        ("BastionGroup", "PipelineGroup", 3000, 3000),
        ("PipelineGroup", "BankGroup", 3306, 3306),
        ("PipelineGroup", "DagsterStorageGroup", 5432, 5432),
        ("PipelineGroup", "EndpointsGroup", 443, 443),
    }
    for _, _, group in resources("AWS::EC2::SecurityGroup"):
        assert "SecurityGroupIngress" not in group["Properties"]
        # Without a rule of its own a group may talk to everybody.
        assert group["Properties"]["SecurityGroupEgress"]
        for rule in group["Properties"]["SecurityGroupEgress"]:
            assert rule.get("CidrIp", "127.0.0.1/32") == "127.0.0.1/32"


def test_the_bastion_is_reached_by_ssh_alone_and_not_for_long() -> None:
    tunnel, key, _ = statements(template("bastion")["Resources"]["UseBastion"])
    assert tunnel["Condition"]["NumericEquals"] == {"ec2-instance-connect:remotePort": "22"}
    assert "NumericLessThanEquals" in tunnel["Condition"]
    assert text(key["Resource"]).endswith(":instance/${Bastion}")
    assert _resource("bastion", "Bastion")["MetadataOptions"]["HttpTokens"] == "required"


# --- the lake ----------------------------------------------------------------------------------


def test_buckets_are_private_encrypted_and_versioned() -> None:
    buckets = list(resources("AWS::S3::Bucket"))
    assert len(buckets) == 2
    for _, _, body in buckets:
        properties = body["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
        assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert body["DeletionPolicy"] == body["UpdateReplacePolicy"] == "Retain"
    [rule] = _resource("lake", "Lake")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert text(rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]) == "<KeyArn>"


def test_every_bucket_is_reached_by_tls_alone() -> None:
    policies = {
        body["Properties"]["Bucket"]["Ref"]: list(statements(body))
        for _, _, body in resources("AWS::S3::BucketPolicy")
    }
    assert set(policies) == {name for _, name, _ in resources("AWS::S3::Bucket")}
    for found in policies.values():
        [denial] = [one for one in found if one["Sid"] == "TlsAlone"]
        assert (denial["Effect"], denial["Principal"], denial["Action"]) == ("Deny", "*", "s3:*")
        assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert len(denial["Resource"]) == 2  # the bucket and what is in it


# --- least privilege ---------------------------------------------------------------------------


def _may(stack: str, role: str, action: str, key: str) -> bool:
    """Whether a role's statements allow an action on something in the lake, denials first."""
    effects = {
        statement["Effect"]
        for statement in statements(template(stack)["Resources"][role])
        if action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        if fnmatch(f"<LakeArn>/{key}", text(resource))
    }
    return effects == {"Allow"}


@pytest.mark.parametrize("folder", sorted(BY_RUNS | {"compute-logs"}))
def test_a_run_may_write_and_clear_each_folder_that_the_pipeline_writes(folder: str) -> None:
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert _may("roles", "RunRole", action, f"{folder}/any")
    assert not _may("roles", "ServiceRole", "s3:PutObject", f"{folder}/any")
    assert not _may("web", "Role", "s3:PutObject", f"{folder}/any")
    assert _may("web", "Role", "s3:GetObject", f"{folder}/any") == (folder in READ_BY_APPS)


def test_what_apps_write_and_the_code_are_beyond_a_run() -> None:
    for folder in (*BY_APPS, "code"):
        assert _may("roles", "RunRole", "s3:GetObject", f"{folder}/any")
        assert not _may("roles", "RunRole", "s3:PutObject", f"{folder}/any")
        assert not _may("roles", "RunRole", "s3:DeleteObject", f"{folder}/any")
    assert "  prefix: compute-logs\n" in (ROOT / "deploy/dagster.yaml").read_text()


def test_the_app_reads_releases_and_the_portfolio_and_writes_predictions_and_nothing_else() -> None:
    logs = (
        "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/${Deployment}/web:*"
    )
    assert _allowed("web", "Role") == {
        ("s3:GetObject", "<LakeArn>/releases/*"),
        ("s3:GetObject", "<LakeArn>/portfolio/*"),
        ("s3:PutObject", "<LakeArn>/predictions/*"),
        ("kms:Decrypt", "<KeyArn>"),
        ("kms:GenerateDataKey", "<KeyArn>"),
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
    }


def test_the_export_role_serves_rds_and_writes_snapshots_alone() -> None:
    [trust] = _resource("export", "ExportRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "export.rds.amazonaws.com"}
    assert {resource for _, resource in _allowed("export", "ExportRole")} == {
        "<LakeArn>/snapshots/*", "<LakeArn>",
    }  # fmt: skip


def test_a_run_may_do_what_an_export_needs_and_not_touch_what_others_write() -> None:
    allowed = _allowed("roles", "RunRole")
    assert {action for action, _ in allowed} >= {
        "rds:CreateDBSnapshot", "rds:StartExportTask", "rds:DescribeExportTasks",
        "rds:CancelExportTask", "iam:PassRole", "kms:CreateGrant", "kms:DescribeKey",
    }  # fmt: skip
    assert ("iam:PassRole", "<ExportRoleArn>") in allowed
    [denied] = [
        statement
        for statement in statements(template("roles")["Resources"]["RunRole"])
        if statement["Effect"] == "Deny"
    ]
    assert [text(one) for one in denied["Resource"]] == [
        "<LakeArn>/predictions/*", "<LakeArn>/code/*",
    ]  # fmt: skip


def test_services_pass_only_the_roles_of_runs() -> None:
    passed = {resource for action, resource in _allowed("roles", "ServiceRole") if "Pass" in action}
    assert passed == {
        '{"Fn::GetAtt": ["RunRole", "Arn"]}',
        '{"Fn::GetAtt": ["ExecutionRole", "Arn"]}',
    }


def test_every_wildcard_is_named_with_its_reason_and_no_reason_is_stale() -> None:
    for stack, name, body in resources():
        needed = {
            statement.get("Sid", "unnamed")
            for statement in statements(body)
            if any("*" in text(value) for value in as_list(statement.get("Resource", [])))
            or any("*" in action for action in as_list(statement["Action"]))
            or statement.get("Principal") == "*"
        }
        needed |= {key for key in ("SourceArn",) if "*" in text(body["Properties"].get(key, ""))}
        reasons = body.get("Metadata", {}).get("wildcards", {})
        assert set(reasons) == needed, f"{stack}: {name}"
        assert all(reasons.values())


def test_no_role_allows_every_action_of_a_service() -> None:
    for stack, name, body in resources(
        "AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"
    ):
        for statement in statements(body):
            assert not any("*" in one for one in as_list(statement["Action"])), f"{stack}: {name}"
        assert "ManagedPolicyArns" not in body["Properties"]


def test_what_checkov_is_not_to_report_has_a_reason() -> None:
    for _, _, body in resources():
        for excuse in body.get("Metadata", {}).get("checkov", {}).get("skip", ()):
            assert len(excuse["comment"]) > 20


# --- running -----------------------------------------------------------------------------------


def test_a_deployment_never_runs_two_daemons() -> None:
    service = _resource("pipeline", "Dagster")
    assert service["DesiredCount"] == 1
    assert service["DeploymentConfiguration"]["MaximumPercent"] == 100


def test_containers_write_only_where_they_must_and_secrets_are_no_plain_variables() -> None:
    for _, _, task in resources("AWS::ECS::TaskDefinition"):
        for container in task["Properties"]["ContainerDefinitions"]:
            assert container["ReadonlyRootFilesystem"] is True
            names = {variable["Name"] for variable in container["Environment"]}
            assert not names & {"LOAN_DATABASE_URL", "DAGSTER_POSTGRES_URL"}


def test_every_alarm_reaches_a_person_who_finds_what_to_do() -> None:
    alarms = list(resources("AWS::CloudWatch::Alarm"))
    assert len(alarms) == 9
    for _, _, body in alarms:
        assert body["Properties"]["AlarmActions"] == [{"Ref": "Topic"}]
        name = text(body["Properties"]["AlarmName"]).removeprefix("${Deployment}-")
        assert f"| `{name}` |" in DEPLOYMENT_PAGE, f"docs/deployment.md has no row for {name}"
