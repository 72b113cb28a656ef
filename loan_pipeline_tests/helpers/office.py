"""Dagster's UI, its daemon and the web app as `make up` starts them, and a person's browser."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import dagster as dg
import httpx
from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as NotSeen

from loan_pipeline.defs.keys import STARTED_BY
from loan_pipeline.lake.folder_store import FolderStore
from loan_pipeline_tests.helpers.browser import chromium
from loan_pipeline_tests.helpers.server import ROOT

_T = TypeVar("_T")
_PATIENCE = 400  # seconds, for busy machines
_WINDOW = {"width": 1280, "height": 800}


def until(happened: Callable[[], _T], what: str) -> _T:
    """What is looked at again and again until it is there."""
    deadline = time.monotonic() + _PATIENCE
    while not (found := happened()):
        assert time.monotonic() < deadline, f"in vain waited for {what}"
        time.sleep(0.3)
    return found


class Office:
    """Both UIs of one home in a browser's page, and what lies behind them."""

    def __init__(
        self, home: Path, page: Page, instance: dg.DagsterInstance, dagster: str, app: str
    ) -> None:
        self.page, self.instance = page, instance
        self.home, self.store = home, FolderStore(home / "lake")
        self.dagster, self.app = dagster, app

    def launch(self, job: str, config: str) -> str:
        """Start a job from its launchpad; the run's id, once it has succeeded."""
        self.page.goto(f"{self.dagster}/locations/loan_pipeline/jobs/{job}/playground")
        self.page.locator(".CodeMirror").first.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(config)
        self.page.get_by_text("No errors").wait_for()
        self.picture(f"launchpad-{job}")
        self.page.get_by_role("button", name="Launch Run").click()
        self.page.wait_for_url("**/runs/*")
        run_id = self.page.url.rsplit("/", 1)[1]
        self.page.goto("about:blank")  # the run's page draws all the time
        return self.ended(run_id)

    def ended(self, run_id: str) -> str:
        """The run's id, once it has succeeded."""

        def status() -> dg.DagsterRunStatus | None:
            run = self.instance.get_run_by_id(run_id)
            return run.status if run and run.is_finished else None

        assert until(status, f"the end of run {run_id}") is dg.DagsterRunStatus.SUCCESS
        return run_id

    def started_by(self, what: str) -> dg.DagsterRun:
        """The first run that this schedule or sensor has started."""
        wanted = dg.RunsFilter(tags={STARTED_BY: what})
        return until(lambda: self.instance.get_runs(wanted), f"a run by {what}")[-1]

    def press(self, button: Locator, effect: Locator) -> None:
        """Click until the effect is seen: a click is lost where the page is just drawn anew."""

        def pressed() -> bool:
            try:
                button.click(timeout=20_000)
                effect.wait_for(timeout=20_000)
            except NotSeen:
                return effect.is_visible()
            return True

        until(pressed, f"{effect} by pressing {button}")

    def switch(self, name: str) -> None:
        """Switch a schedule or sensor on or off."""
        self.page.goto(f"{self.dagster}/automation")
        switch = self.page.locator("[data-index]").filter(has_text=name)
        switch = switch.locator("label[class*=formatSwitch]")
        state = "not(:checked)" if switch.locator("input").is_checked() else "checked"
        self.press(switch, switch.filter(has=self.page.locator(f"input:{state}")))

    def show(self, asset: str, view: str = "Table") -> None:
        """The asset's page, its latest metadata as a table or as plots."""
        self.page.goto(f"{self.dagster}/assets/{asset}")
        drawn = self.page.locator("canvas" if view == "Plots" else "td").first
        self.press(self.page.get_by_text(view, exact=True), drawn)

    def metadata(self, asset: str) -> Mapping[str, dg.MetadataValue]:
        """The metadata of an asset's latest materialisation."""
        event = self.instance.get_latest_materialization_event(dg.AssetKey(asset.split("/")))
        assert event is not None
        assert event.asset_materialization is not None
        return event.asset_materialization.metadata

    def ask(self, lines: Sequence[Mapping[str, int]]) -> None:
        """Have the web app answer a batch."""
        answer = httpx.post(
            f"{self.app}/api/v1/predictions/batch",
            content="\n".join(map(json.dumps, lines)),
            headers={"Content-Type": "application/jsonl"},
            timeout=60,
        )
        assert answer.is_success, answer.text
        assert len(answer.text.splitlines()) == len(lines)

    def picture(self, name: str) -> None:
        """Take a picture for the documentation, where it is asked for."""
        if folder := os.environ.get("LOAN_TEST_PICTURES"):
            self.page.wait_for_timeout(1500)  # colours fade in, plots are drawn
            self.page.screenshot(path=Path(folder) / f"week-{name}.png")


@contextmanager
def open_office(home: Path, **settings: str) -> Iterator[Office]:
    """Start everything on free ports in a home of its own; settings are environment variables."""
    ports = [_free_port() for _ in range(2)]
    dagster, app = (f"http://127.0.0.1:{port}" for port in ports)
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LOAN_", "WEB_", "DAGSTER_"))
    }
    own = {
        "PYTHONPATH": str(ROOT),
        "DAGSTER_PORT": str(ports[0]),
        "WEB_PORT": str(ports[1]),
        "LOAN_ENV_FILE": "",
        "LOAN_HOME": str(home),
        "LOAN_DAGSTER_URL": dagster,
        "LOAN_WEB_URL": app,
    }
    with ExitStack() as stack:
        log = home / "up.log"
        output = stack.enter_context(log.open("wb"))
        process = subprocess.Popen(
            ["bash", "deploy/up.sh"],
            cwd=ROOT,
            env=plain | own | settings,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        stack.callback(_stop, process)
        for url in (f"{dagster}/server_info", f"{app}/healthz"):
            until(partial(_answers, url, process), f"{url}; see {log}")
        page = stack.enter_context(chromium()).new_page(viewport=_WINDOW, device_scale_factor=1.25)
        page.set_default_timeout(60_000)
        instance = dg.DagsterInstance.from_config(str(home / "dagster"))
        yield Office(home, page, stack.enter_context(instance), dagster, app)


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, f"it ended while {url} was waited for"
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
