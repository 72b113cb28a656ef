"""The built Lambda function in a process with nothing but the zip and the runtime's boto3.

Events have the shape that API Gateway's HTTP APIs and function URLs send (payload format 2.0).
"""

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from loan_pipeline_tests.helpers.cloudformation import template

# What Lambda's Python runtimes have beside the standard library.
RUNTIME_BRINGS = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
_DRIVER = """
import json, sys
sys.path[:0] = sys.argv[1:]
from webapp.lambda_handler import handler
out = sys.stdout
for line in sys.stdin:
    answer = handler(json.loads(line), None)
    out.write(json.dumps(answer) + chr(10))
    out.flush()
loaded = sorted(name for name in sys.modules if "." not in name)
out.write(json.dumps(loaded) + chr(10))
out.flush()
"""
_COMMON_HEADERS = {
    "accept": "text/html,application/json",
    "content-length": "0",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64)",
    "x-amzn-trace-id": "Root=1-6565f3a0-1b2c3d4e5f60718293a4b5c6",
    "x-forwarded-for": "198.51.100.7",
    "x-forwarded-port": "443",
    "x-forwarded-proto": "https",
}


def runtime() -> str:
    """The interpreter that the template asks for, such as python3.12."""
    return str(template("web")["Resources"]["App"]["Properties"]["Runtime"])


def interpreter() -> str | None:
    """The path of that interpreter on this machine; None where it is not installed."""
    candidates = [shutil.which(runtime())]
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=True)
        wanted = runtime().removeprefix("python")
        folders = Path(root.stdout.strip(), "versions").glob(f"{wanted}.*")
        candidates += [str(folder / "bin" / "python") for folder in sorted(folders)]
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "--version"], capture_output=True).returncode == 0:
            return candidate
    return None


def http_api_event(
    method: str, path: str, body: bytes | None = None, **headers: str
) -> dict[str, Any]:
    """As API Gateway's HTTP APIs send it, through the stage $default."""
    name = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"
    return _event(
        method, path, body, headers, name, {"apiId": "a1b2c3d4e5", "routeKey": "$default"}
    )


def function_url_event(
    method: str, path: str, body: bytes | None = None, **headers: str
) -> dict[str, Any]:
    """As a function URL sends it."""
    name = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws"
    context = {"apiId": name.partition(".")[0], "routeKey": "$default", "authentication": None}
    return _event(method, path, body, headers, name, context)


def _event(
    method: str,
    path: str,
    body: bytes | None,
    headers: Mapping[str, str],
    host: str,
    context: Mapping[str, Any],
) -> dict[str, Any]:
    path, _, query = path.partition("?")
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    cookies = sent.pop("cookie", "")
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {**_COMMON_HEADERS, "host": host, **sent},
        "requestContext": {
            "accountId": "123456789012",
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "198.51.100.7",
                "userAgent": _COMMON_HEADERS["user-agent"],
            },
            "requestId": "id=",
            "stage": "$default",
            "time": "25/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1795600800000,
            **context,
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies.split("; ")
    if body is not None:
        event["headers"]["content-length"] = str(len(body))
        event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return event


class LambdaFunction:
    """The function, started with the first request and killed without notice.

    Args:
        folder: the unpacked zip.
        brought: folder of what the runtime brings.
        environment: the function's variables.
    """

    def __init__(self, folder: Path, brought: Path, environment: Mapping[str, str]) -> None:
        command = interpreter()
        assert command
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            [command, "-I", "-S", "-c", _DRIVER, str(folder), str(brought)],
            env=dict(environment) | {"PATH": os.defpath, "TZ": "UTC"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one event; the body is bytes, whichever way it came."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(event) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the function ended:\n{self.log()[-3000:]}")
        answer: dict[str, Any] = json.loads(line)
        body = answer.get("body", "")
        answer["body"] = base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()
        return answer

    def milliseconds(self, event: Mapping[str, Any], times: int) -> list[float]:
        """How long answers take, one after another."""
        measured = []
        for _ in range(times):
            started = time.perf_counter()
            answer = self.invoke(event)
            measured.append(1000 * (time.perf_counter() - started))
            assert answer["statusCode"] == 200
        return measured

    def cpu_seconds(self) -> float:
        """How long it has kept a processor busy."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    def modules(self) -> set[str]:
        """End the process, and answer what it had imported."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        return set(json.loads(self.process.stdout.readline()))

    def log(self) -> str:
        """What it has logged."""
        self._log.seek(0)
        return self._log.read().decode()

    def freeze(self) -> None:
        """Stop it where it is, as Lambda does between requests."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it without notice, as Lambda does."""
        self.process.kill()
        self.process.wait()
        pipes: list[Any] = [self.process.stdin, self.process.stdout, self._log]
        for pipe in filter(None, pipes):
            with suppress(BrokenPipeError):
                pipe.close()
