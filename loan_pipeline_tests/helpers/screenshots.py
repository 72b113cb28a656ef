"""Takes the README's screenshots: the web app and the asset graph, as they stand in LOAN_HOME.

    python -m loan_pipeline_tests.helpers.screenshots [FOLDER]

Without a folder, the README's own pictures go to `docs/screenshots/`; with one, every page goes
there, on phone and desktop, light and dark.
"""

import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import httpx
from playwright.sync_api import Page

from loan_pipeline.contracts.bundle import ACCOUNTS_FILE
from loan_pipeline.instance import prepare_dagster_home
from loan_pipeline.lake.open import open_store
from loan_pipeline.scoring.release import fetch_release
from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.browser import chromium
from loan_pipeline_tests.helpers.server import start_server

_STEADIEST_ACCOUNT = """
SELECT account_id FROM account_features ORDER BY income_regular_share_12m DESC, account_id LIMIT 1
"""
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/screenshots"
README = {"answer-desktop-light.png", "form-phone-dark.png", "assets.png"}
GRAPH = {"width": 1700, "height": 1000}
DESKTOP, PHONE = {"width": 1100, "height": 800}, {"width": 390, "height": 844}


def main(folder: Path = FOLDER) -> None:
    """Serve the app, walk it and take the pictures."""
    settings = Settings()
    bundle = fetch_release(open_store(settings.lake), "behavioural", settings.home / "cache")
    with closing(sqlite3.connect(bundle / ACCOUNTS_FILE)) as accounts:
        (account,) = accounts.execute(_STEADIEST_ACCOUNT).fetchone()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, chromium() as browser:
        server = start_server(Path(home), Path(home) / "server.log", LOAN_LAKE_URL=settings.lake)
        for name, size, scheme in (
            ("desktop-light", DESKTOP, "light"),
            ("desktop-dark", DESKTOP, "dark"),
            ("phone-light", PHONE, "light"),
            ("phone-dark", PHONE, "dark"),
        ):
            context = browser.new_context(
                base_url=server.url, viewport=size, color_scheme=scheme, device_scale_factor=1.5
            )
            _walk(context.new_page(), folder, name, str(account))
            context.close()
        server.stop()
        _take_asset_graph(browser.new_page(viewport=GRAPH), folder, settings)
    for path in sorted(folder.glob("*.png")):
        if folder == FOLDER and path.name not in README:
            path.unlink()
        else:
            print(path)


def _take_asset_graph(page: Page, folder: Path, settings: Settings) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"DAGSTER_HOME": str(prepare_dagster_home(settings))}
    command = ["dagster-webserver", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(
        [Path(sys.executable).with_name(command[0]), *command[1:]],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            _wait_for(f"http://127.0.0.1:{port}/server_info")
            page.goto(f"http://127.0.0.1:{port}/asset-groups")
            page.get_by_text("application").first.wait_for()
            page.wait_for_timeout(4000)  # the graph is laid out by a worker
            page.keyboard.press("Alt+e")  # unfold the groups
            page.wait_for_timeout(4000)
            page.mouse.move(1000, 560)
            page.keyboard.down("Control")
            for _ in range(3):  # a step at a time, or the graph jumps out of sight
                page.mouse.wheel(0, 120)
                page.wait_for_timeout(700)
            page.keyboard.up("Control")
            page.screenshot(path=folder / "assets.png")
        finally:
            server.terminate()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise TimeoutError(f"{url} does not answer")


def _walk(page: Page, folder: Path, name: str, account: str) -> None:
    def take(what: str, *, whole: bool = False) -> None:
        page.wait_for_timeout(400)  # colours fade in, look-ups arrive
        page.screenshot(path=folder / f"{what}-{name}.png", full_page=whole)

    page.goto("/")
    page.get_by_label("Account", exact=True).fill(account)
    page.get_by_label("Amount of the loan").fill("96000")
    page.get_by_label("Duration of the loan").fill("24")
    take("form")
    page.get_by_role("button", name="Predict").click()
    page.locator(".verdict").wait_for()
    take("answer", whole=True)
    page.goto("/application?example=1")
    take("application", whole=True)
    page.goto("/model")
    take("model", whole=True)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
