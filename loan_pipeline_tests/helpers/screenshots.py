"""Takes the README's screenshots: the web app and the asset graph, as they stand in LOAN_HOME.

    python -m loan_pipeline_tests.helpers.screenshots [FOLDER]

Without a folder, the README's own pictures go to `docs/screenshots/`; with one, every page goes
there, on phone and desktop, light and dark.
"""

import json
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
from PIL import Image
from playwright.sync_api import FloatRect, Page

from loan_pipeline.contracts.bundle import ACCOUNTS_FILE
from loan_pipeline.defs.keys import GROUPS
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
README = {
    *("answer-desktop-light.png", "refusal-desktop-light.png", "form-phone-dark.png"),
    "assets.png",
}
WEEK = "week-"  # taken by the test of a week, for docs/operations.md
GRAPH = {"width": 1300, "height": 520}
DESKTOP, PHONE = {"width": 860, "height": 1000}, {"width": 390, "height": 844}
TERMS = {"amount": 96_000, "duration": 24}


def main(folder: Path = FOLDER) -> None:
    """Serve the app, walk it and take the pictures."""
    settings = Settings()
    bundle = fetch_release(open_store(settings.lake), "behavioural", settings.home / "cache")
    with closing(sqlite3.connect(bundle / ACCOUNTS_FILE)) as accounts:
        (account,) = accounts.execute(_STEADIEST_ACCOUNT).fetchone()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, chromium() as browser:
        server = start_server(Path(home), Path(home) / "server.log", LOAN_LAKE_URL=settings.lake)
        refused = _refused_account(server.url)
        for name, size, scheme in (
            ("desktop-light", DESKTOP, "light"),
            ("desktop-dark", DESKTOP, "dark"),
            ("phone-light", PHONE, "light"),
            ("phone-dark", PHONE, "dark"),
        ):
            context = browser.new_context(
                base_url=server.url, viewport=size, color_scheme=scheme, device_scale_factor=1.5
            )
            _walk(context.new_page(), folder, name, account, refused)
            context.close()
        server.stop()
        _take_asset_graph(browser.new_page(viewport=GRAPH, device_scale_factor=2), folder, settings)
    for path in sorted(folder.glob("*.png")):
        if folder == FOLDER and path.name not in README and not path.name.startswith(WEEK):
            path.unlink()
        else:
            shrink(path)
            print(path)


def shrink(path: Path) -> None:
    """Make a picture of a page a third of its size, with 256 colours."""
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


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
            page.set_default_timeout(120_000)
            page.goto(f"http://127.0.0.1:{port}/asset-groups")
            page.get_by_text("Hide navigation").click()
            page.reload()  # the graph is fitted into what room there is when it opens
            page.locator("foreignObject", has_text=GROUPS["monitoring"]).wait_for()
            page.wait_for_timeout(5000)  # it is laid out by a worker, and moves into place
            page.screenshot(path=folder / "assets.png", clip=_nodes(page))
        finally:
            server.terminate()


def _nodes(page: Page) -> FloatRect:
    """Where the graph's nodes are."""
    found = [one for node in page.locator("foreignObject").all() if (one := node.bounding_box())]
    left, top = (min(one[at] for one in found) - 12 for at in ("x", "y"))
    right = max(one["x"] + one["width"] for one in found) + 3  # the controls begin there
    bottom = max(one["y"] + one["height"] for one in found) + 12
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise TimeoutError(f"{url} does not answer")


def _refused_account(url: str) -> int:
    """An account that is refused the loan, and not referred to a person."""
    lines = "\n".join(json.dumps({"account_id": n, **TERMS}) for n in range(1, 1000))
    kind = {"Content-Type": "application/jsonl"}
    answers = httpx.post(f"{url}/api/v1/predictions/batch", content=lines, headers=kind)
    for number, line in enumerate(answers.text.splitlines(), start=1):
        answer = json.loads(line)
        if answer.get("prediction") == "not_paid_off" and not answer["referral"]:
            return number
    raise LookupError(f"of accounts 1 to 999 none is refused {TERMS}: try other terms")


def _walk(page: Page, folder: Path, name: str, account: int, refused: int) -> None:
    def take(what: str, *, whole: bool = False) -> None:
        page.wait_for_timeout(400)  # colours fade in, look-ups arrive
        page.screenshot(path=folder / f"{what}-{name}.png", full_page=whole)

    def fill(account: int) -> None:
        page.goto("/")
        page.get_by_label("Account", exact=True).fill(str(account))
        page.get_by_label("Amount of the loan").fill(str(TERMS["amount"]))
        page.get_by_label("Duration of the loan").fill(str(TERMS["duration"]))

    def predict() -> None:
        page.get_by_role("button", name="Predict").click()
        page.locator(".verdict").wait_for()

    fill(account)
    take("form")
    predict()
    take("answer")
    fill(refused)
    predict()
    take("refusal")
    page.goto("/application?example=1")
    take("application", whole=True)
    page.goto("/model")
    take("model", whole=True)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
