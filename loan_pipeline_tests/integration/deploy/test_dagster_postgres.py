"""`deploy/dagster.yaml` at work: PostgreSQL by TLS, logs on S3, the services as deployed."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import boto3
import dagster as dg
import psycopg2
import pytest
from dagster_graphql import DagsterGraphQLClient

from loan_pipeline_tests.helpers.cloudformation import ROOT, template
from loan_pipeline_tests.helpers.postgres_server import postgres_programs, postgres_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_BIN = Path(sys.executable).parent
_DEFINITIONS = ROOT / "loan_pipeline_tests/helpers/small_definitions.py"
_PATIENCE = 240  # seconds, for busy machines


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Deployment:
    """Dagster's services of one deployment, their state in a PostgreSQL of their own."""

    def __init__(self, folder: Path, postgres_url: str, s3: str, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.postgres_url = postgres_url
        self.bucket = f"lake-{uuid4().hex[:12]}"
        self.s3 = boto3.client("s3", endpoint_url=s3, region_name="eu-central-1",
                               aws_access_key_id="t", aws_secret_access_key="t")  # fmt: skip
        self.s3.create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        self.environment = {
            "PATH": f"{_BIN}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
            "DAGSTER_HOME": str(folder / "home"),
            "DAGSTER_POSTGRES_URL": postgres_url,
            "DAGSTER_S3_BUCKET": self.bucket,
            "DAGSTER_CODE_SERVER": "127.0.0.1",
            "AWS_ENDPOINT_URL": s3,
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "t",
            "AWS_SECRET_ACCESS_KEY": "t",
        }
        self.code_port, self.web_port = _free_port(), _free_port()
        workspace = (ROOT / "deploy/workspace.yaml").read_text()
        assert "port: 4000" in workspace
        self.workspace = folder / "workspace.yaml"
        self.workspace.write_text(workspace.replace("port: 4000", f"port: {self.code_port}"))

    def run(self, *command: str) -> str:
        """A command through the image's entry point."""
        done = subprocess.run(
            ["sh", "deploy/start.sh", *command],
            cwd=ROOT, env=self.environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def succeeds(self, *command: str) -> bool:
        """Whether a command ends well; one like a container's health check."""
        done = subprocess.run(command, env=self.environment, capture_output=True)
        return done.returncode == 0

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """A service through the image's entry point; it logs to `log_of` its name."""
        with self.log_of(name).open("wb") as output:
            process = subprocess.Popen(
                ["sh", "deploy/start.sh", *command],
                cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

        def stop() -> None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

        self._stack.callback(stop)
        return process

    def log_of(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def until(self, happened: Callable[[], object], what: str) -> None:
        """Wait for something to happen; tells what the services have logged where it does not."""
        if not self.happens(happened, _PATIENCE):
            logs = [f"{log}:\n{log.read_text()[-4000:]}" for log in self.folder.glob("*.log")]
            raise AssertionError("\n".join([*logs, f"in vain waited for {what}"]))

    def happens(self, what: Callable[[], object], within: float) -> bool:
        """Whether something happens within so many seconds."""
        deadline = time.monotonic() + within
        while not what():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        return True

    def runs(self, job: str, **tags: str) -> list[dg.DagsterRun]:
        return list(self.instance.get_runs(dg.RunsFilter(job_name=job, tags=tags)))

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """Laid out by the first command through the entry point."""
        home = self.environment["DAGSTER_HOME"]
        return self._stack.enter_context(dg.DagsterInstance.from_config(home))


@pytest.fixture(scope="module")
def deployment(tls_authority: Path, s3_server: str) -> Iterator[Deployment]:
    """The code server and the web server; daemons are the tests' own."""
    if postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        # Its socket's path must be short, and its user must reach it: not pytest's own folder.
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postgres-")))
        base.chmod(0o755)
        (base / "server").mkdir()
        (base / "dagster").mkdir()
        url = stack.enter_context(postgres_server(base / "server", tls_authority))
        made = Deployment(base / "dagster", url, s3_server, stack)
        for name in ("DAGSTER_POSTGRES_URL", "DAGSTER_S3_BUCKET", "AWS_ENDPOINT_URL",
                     "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID",
                     "AWS_SECRET_ACCESS_KEY"):  # fmt: skip
            patch.setenv(name, made.environment[name])
        made.start("code", "dagster", "code-server", "start", "-f", str(_DEFINITIONS),
                   "-h", "127.0.0.1", "-p", str(made.code_port))  # fmt: skip
        yield made


def test_the_instance_is_on_postgresql_and_s3(deployment: Deployment) -> None:
    info = deployment.run("dagster", "instance", "info")
    for part in ("PostgresRunStorage", "PostgresEventLogStorage", "PostgresScheduleStorage"):
        assert part in info, info
    assert type(deployment.instance.compute_log_manager).__name__ == "S3ComputeLogManager"
    assert "a-password-of-letters" not in info


@pytest.mark.filterwarnings("ignore:Using variable_values:DeprecationWarning")  # Dagster's own call
def test_a_run_a_tick_of_each_kind_a_retry_and_other_daemons(deployment: Deployment) -> None:
    workspace, until = ("-w", str(deployment.workspace)), deployment.until
    port = str(deployment.web_port)
    deployment.start("web", "dagster-webserver", *workspace, "-h", "127.0.0.1", "-p", port)
    health = [
        sys.executable,
        str(ROOT / "deploy/health.py"),
        f"http://127.0.0.1:{port}/server_info",
    ]
    until(lambda: deployment.succeeds(*health), "the web server")

    daemon = ("python", str(ROOT / "deploy/daemon.py"), *workspace)
    daemons = {name: deployment.start(name, *daemon) for name in ("daemon1", "daemon2")}

    # A failure from before it would not be retried: what reads events begins with the newest.
    until(
        lambda: "EVENT_LOG_CONSUMER" in deployment.instance.get_daemon_heartbeats(),
        "the daemons",
    )
    # The images' own health check.
    until(lambda: deployment.succeeds("dagster-daemon", "liveness-check"), "all of the daemons")

    client = DagsterGraphQLClient("127.0.0.1", port_number=deployment.web_port)
    submitted = client.submit_job_execution("fine", tags={"by": "hand"})
    client.submit_job_execution("dies_once")
    client.submit_job_execution("refused")
    _start_schedule(deployment, seconds_ago=130)  # two ticks

    # A run from the pages ends well, and what it printed is on S3.
    until(lambda: client.get_run_status(submitted) is dg.DagsterRunStatus.SUCCESS, "the run")
    assert "said by a step" in _printed(deployment, submitted)

    # A run whose process died is started once more; a step that failed is not.
    def retries() -> list[dg.DagsterRun]:
        return [run for run in deployment.runs("dies_once") if run.parent_run_id]

    if not deployment.happens(retries, within=90):
        # Dagster gives a retry up where its code server does not answer at once.
        client.submit_job_execution("dies_once")
    until(retries, "the retry")
    until(
        lambda: {run.status for run in retries()} == {dg.DagsterRunStatus.SUCCESS},
        "the retry's end",
    )
    first_tries = [run for run in deployment.runs("dies_once") if not run.parent_run_id]
    assert {run.status for run in first_tries} == {dg.DagsterRunStatus.FAILURE}
    until(lambda: deployment.runs("refused")[0].is_finished, "the refused run")
    assert len(deployment.runs("refused")) == 1

    # What was due while no daemon ran is caught up; each tick makes one run.
    ticks = {"dagster/schedule_name": "every_minute"}
    until(lambda: len(deployment.runs("fine", **ticks)) >= 2, "the schedule")
    deployment.run("dagster", "schedule", "stop", "every_minute", *workspace)
    until(lambda: deployment.runs("fine", **{"dagster/sensor_name": "seen"}), "the sensor")
    until(lambda: all(run.is_finished for run in deployment.runs("fine")), "the runs of ticks")
    assert len(deployment.runs("fine", **{"dagster/sensor_name": "seen"})) == 1
    times = [
        run.tags[".dagster/scheduled_execution_time"] for run in deployment.runs("fine", **ticks)
    ]
    assert len(times) == len(set(times))

    # Of the two daemons one ran, the other says so. It is killed in the middle of a run, with
    # others waiting: a third goes on where it was.
    until(lambda: any(one.poll() is not None for one in daemons.values()), "the second daemon")
    [first] = [name for name, one in daemons.items() if one.poll() is None]
    [second] = daemons.keys() - {first}
    assert "another daemon runs on this database" in deployment.log_of(second).read_text()
    deployment.start("daemon3", *daemon)
    interrupted = [client.submit_job_execution("fine") for _ in range(2)]
    under_way = {dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS}
    until(lambda: client.get_run_status(interrupted[0]) in under_way, "a run under way")
    daemons[first].kill()
    until(
        lambda: all(
            client.get_run_status(run) is dg.DagsterRunStatus.SUCCESS for run in interrupted
        ),
        "the runs that the first daemon left",
    )

    # No run was executed twice, and none failed that should not.
    assert {run.status for run in deployment.runs("fine")} == {dg.DagsterRunStatus.SUCCESS}
    said = [deployment.log_of(name).read_text() for name in (first, "daemon3")]
    assert not any("multiple daemon processes" in one for one in said)
    code = deployment.log_of("code").read_text()
    assert code.count('RUN_FAILURE - Execution of run for "refused"') == 1
    started = [deployment.instance.all_logs(run, dg.DagsterEventType.RUN_START)
               for run in (submitted, *interrupted)]  # fmt: skip
    assert [len(events) for events in started] == [1, 1, 1]

    # What the alarm on failed runs looks for.
    pattern = template("alarms")["Resources"]["FailedRuns"]["Properties"]["FilterPattern"]
    assert pattern.strip('"') in code


def _start_schedule(deployment: Deployment, seconds_ago: int) -> None:
    """Switch the schedule on, as if it had been so for a while in which no daemon ran."""
    deployment.run("dagster", "schedule", "start", "every_minute", "-w", str(deployment.workspace))
    switched_on = datetime.now(UTC).timestamp() - seconds_ago
    url = deployment.postgres_url.replace("+psycopg2", "")
    with closing(psycopg2.connect(url)) as db, db, db.cursor() as cursor:
        cursor.execute(
            "UPDATE instigators SET instigator_body = regexp_replace(instigator_body, "
            "'\"start_timestamp\": [0-9.]+', %s) WHERE instigator_type = 'SCHEDULE'",
            (f'"start_timestamp": {switched_on}',),
        )
        assert cursor.rowcount == 1


def _printed(deployment: Deployment, run_id: str) -> str:
    """What the steps of a run printed, as it stands on S3."""
    listed = deployment.s3.list_objects_v2(Bucket=deployment.bucket, Prefix="compute-logs/")
    keys = [one["Key"] for one in listed["Contents"] if run_id in one["Key"]]
    objects = [deployment.s3.get_object(Bucket=deployment.bucket, Key=key)
               for key in keys if key.endswith(".out")]  # fmt: skip
    return "".join(one["Body"].read().decode() for one in objects)
