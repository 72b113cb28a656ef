"""Takes the README's screenshots of the web app, with the models released in LOAN_HOME.

    python -m loan_pipeline_tests.screenshots [FOLDER]

Writes PNG files to `docs/screenshots/`: phone and desktop, light and dark.
"""

import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page

from loan_pipeline.contracts.bundle import ACCOUNTS_FILE
from loan_pipeline.lake.store import open_store
from loan_pipeline.scoring.release import fetch_release
from loan_pipeline.settings import Settings
from loan_pipeline_tests.browser import chromium
from loan_pipeline_tests.server import start_server

_LIVELIEST_ACCOUNT = """
SELECT account_id FROM account_features ORDER BY transaction_count DESC, account_id LIMIT 1
"""
FOLDER = Path(__file__).parents[1] / "docs/screenshots"
DESKTOP, PHONE = {"width": 1100, "height": 800}, {"width": 390, "height": 844}


def main(folder: Path = FOLDER) -> None:
    """Serve the app, walk it and take the pictures."""
    settings = Settings()
    bundle = fetch_release(open_store(settings.lake), "behavioural", settings.home / "cache")
    with closing(sqlite3.connect(bundle / ACCOUNTS_FILE)) as accounts:
        (account,) = accounts.execute(_LIVELIEST_ACCOUNT).fetchone()
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
    for path in sorted(folder.glob("*.png")):
        print(path)


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
