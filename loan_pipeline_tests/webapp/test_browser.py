"""A real browser walks every page and flow: with and without scripts, by keyboard, on a phone."""

import csv
import io
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from loan_pipeline_tests.helpers.browser import chromium, chromium_path
from loan_pipeline_tests.helpers.bundles import release_bundle
from loan_pipeline_tests.helpers.server import ROOT, Server, start_server

AXE = ROOT / "node_modules/axe-core/axe.min.js"
VENDOR = ROOT / "webapp/static/vendor"
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1100, "height": 900}
PAGES = ("/", "/application", "/batch", "/history", "/model")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="Chromium is not installed"),
    pytest.mark.skipif(
        not (VENDOR / "pico.min.css").exists(), reason="`make web-assets` was not run"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    release_bundle(home / "lake", "application")
    release_bundle(home / "lake", "behavioural")
    server = start_server(home, home / "server.log")
    yield server
    assert server.stop() == 0
    assert '"status": 500' not in server.log.read_text()


class Visit:
    """A browser's window on the app; ends with a check of what the browser complained about."""

    def __init__(self, browser: Browser, server: Server, **options: object) -> None:
        options = {"viewport": DESKTOP} | options
        self.context: BrowserContext = browser.new_context(base_url=server.url, **options)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)
        self.page.set_default_timeout(10_000)
        self._origin = server.url

    def _console(self, message):
        # The forms answer bad input with 422 on purpose, which the console notes.
        if message.type in ("error", "warning") and "422" not in message.text:
            self.complaints.append(message.text)

    def _request(self, request):
        if not request.url.startswith((self._origin, "data:", "blob:")):
            self.complaints.append(f"asked another host: {request.url}")

    def __enter__(self) -> Page:
        return self.page

    def __exit__(self, *_exception: object) -> None:
        self.context.close()
        assert self.complaints == []


@pytest.fixture
def visit(browser, server):
    return lambda **options: Visit(browser, server, **options)


def ask_by_account(page: Page, account="1", amount="96000", duration="24") -> None:
    page.goto("/")
    page.get_by_label("Account", exact=True).fill(account)
    page.get_by_label("Amount of the loan").fill(amount)
    page.get_by_label("Duration of the loan").fill(duration)
    page.get_by_role("button", name="Predict").click()


def probability(page: Page) -> str:
    return page.locator(".probability").inner_text()


def test_account_and_payment_are_shown_while_typing(visit):
    with visit() as page:
        page.goto("/")
        page.get_by_label("Account", exact=True).press_sequentially("1787")
        expect(page.locator("#account-found")).to_contain_text("Account 1787: how often statements")
        page.get_by_label("Account", exact=True).fill("99")
        expect(page.locator("#account-found")).to_have_text("Account 99 is not known.")
        page.get_by_label("Amount of the loan").fill("96000")
        page.get_by_label("Duration of the loan").press_sequentially("24")
        expect(page.locator("[data-payment]")).to_have_text("4,000.00 CZK")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_an_account_is_answered_asked_again_and_remembered(visit, scripts):
    with visit(java_script_enabled=scripts) as page:
        ask_by_account(page)
        expect(page.get_by_role("heading", level=1)).to_contain_text("be paid off")
        expect(page.get_by_role("heading", name="Why")).to_be_visible()
        page.get_by_label("Amount of the loan").fill("300000")
        page.get_by_role("button", name="Predict again").click()
        expect(page.locator(".kicker")).to_contain_text("300,000 CZK over 24 months")
        page.get_by_role("link", name="History").click()
        rows = page.locator("tbody tr")
        expect(rows.first).to_contain_text("300,000 CZK")
        expect(rows.last).to_contain_text("96,000 CZK")


def test_other_terms_change_the_answer_in_place(visit):
    with visit() as page:
        ask_by_account(page)
        shown = page.url
        page.get_by_label("Duration of the loan").fill("60")
        expect(page.locator(".kicker")).to_contain_text("over 60 months, 1,600 CZK a month")
        page.get_by_label("Duration of the loan").fill("601")
        page.get_by_label("Amount of the loan").fill("999999")
        expect(page.locator(".kicker")).to_contain_text("60 months")
        expect(page.locator(".live-problem")).to_contain_text("must be between 1 and 600")
        assert page.url == shown
        expect(page.get_by_label("Amount of the loan")).to_be_focused()


def test_a_field_at_fault_is_named_and_can_be_corrected(visit):
    with visit() as page:
        ask_by_account(page, account="99", amount="0.5")
        expect(page.get_by_role("alert")).to_contain_text("One field needs another look")
        expect(page.get_by_label("Amount of the loan")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("Amount of the loan").fill("96000")
        page.get_by_role("button", name="Predict").click()
        expect(page.locator(".field .error")).to_contain_text("account 99 is not known")
        page.get_by_label("Account", exact=True).fill("2")
        page.get_by_role("button", name="Predict").click()
        expect(page.locator(".verdict")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_application_form_is_filled_in_and_answered(visit, scripts):
    with visit(java_script_enabled=scripts) as page:
        page.goto("/application")
        page.get_by_role("button", name="Fill in the reference loan").click()
        page.get_by_label("Credit card").select_option(label="gold")
        page.get_by_label("Amount of the loan").fill("72000")
        page.get_by_role("button", name="Predict").click()
        expect(page.locator(".kicker")).to_contain_text("72,000 CZK over 36 months")
        expect(page.get_by_text("Credit card: gold")).to_be_visible()


def test_a_batch_is_checked_and_its_results_downloaded(visit, tmp_path):
    file = tmp_path / "loans.csv"
    file.write_text("account_id,amount,duration\n1,96000,24\n2,abc,12\n")
    with visit() as page:
        page.goto("/batch")
        page.get_by_label("CSV file").set_input_files(file)
        page.get_by_role("button", name="Check the file").click()
        expect(page.get_by_role("heading", level=2).first).to_have_text(
            "loans.csv: 2 lines, 1 with problems"
        )
        expect(page.get_by_text("amount must be a number")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download the results").click()
        rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
        assert [bool(row["prediction"]) for row in rows] == [True, False]
        with page.expect_download() as download:
            page.get_by_role("link", name="account.csv").click()
        assert download.value.path().read_text().startswith("account_id,amount,duration")


def test_the_model_page_shows_its_pictures(visit):
    with visit() as page:
        page.goto("/model")
        pictures = page.locator(".pictures img")
        expect(pictures).to_have_count(2)
        for number in range(2):
            picture = pictures.nth(number)
            expect(picture).to_be_visible()
            assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


def test_the_api_can_be_tried_in_the_browser(visit):
    with visit() as page:
        page.goto("/api/docs")
        page.get_by_role("button", name="Try it out").first.click()
        page.get_by_role("textbox").first.fill('{"account_id": 1, "amount": 96000, "duration": 24}')
        page.get_by_role("button", name="Execute").first.click()
        expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text(
            "200"
        )


def test_the_keyboard_alone_is_enough(visit):
    with visit() as page:
        page.goto("/")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        for text in ("1", "96000", "24"):
            page.keyboard.press("Tab")
            page.keyboard.type(text)
        page.keyboard.press("Enter")
        expect(page.locator(".verdict")).to_be_visible()


def test_the_answer_can_be_printed(visit):
    with visit() as page:
        ask_by_account(page)
        page.evaluate("window.print = () => { window.printed = true; }")
        page.get_by_role("button", name="Print").click()
        assert page.evaluate("window.printed")
        page.emulate_media(media="print")
        expect(page.get_by_role("heading", name="What if")).to_be_hidden()
        expect(page.locator(".verdict")).to_be_visible()


def test_without_a_release_the_page_says_what_to_run(browser, serve, home):
    context = browser.new_context(base_url=serve(home).url)
    page = context.new_page()
    assert page.goto("/").status == 503
    expect(page.locator("pre")).to_have_text("make run")
    release_bundle(home / "lake", "behavioural")
    page.wait_for_timeout(1_500)
    assert page.reload().status == 200
    context.close()


# Colours do not depend on the width, nor places on the colours.
@pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")], ids=["phone-dark", "desktop-light"]
)
def test_pages_fit_the_screen_and_pass_axe(visit, size, scheme):
    if not AXE.exists():
        pytest.skip("`make web-assets` was not run")
    with visit(viewport=size, color_scheme=scheme) as page:
        ask_by_account(page)
        page.get_by_text(re.compile("All .* reasons")).click()
        check_page(page, "the answer")
        ask_by_account(page, amount="5")
        check_page(page, "a form with an error")
        for path in PAGES:
            page.goto(path)
            check_page(page, path)


def check_page(page: Page, name: str) -> None:
    """No sideways scrolling, and nothing serious found by axe."""
    page.wait_for_timeout(300)  # colours fade in
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run().then(result => result.violations)")
    violations = [
        (rule["id"], rule["impact"], [node["html"][:200] for node in rule["nodes"]][:3])
        for rule in found
    ]
    assert violations == [], name
