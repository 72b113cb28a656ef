"""Sign-in in a browser, against an OpenID provider that the test starts and has forge."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from itsdangerous import URLSafeTimedSerializer
from joserfc.jwk import OctKey, RSAKey
from playwright.sync_api import Browser, BrowserContext, Page, expect

from loan_pipeline_tests.helpers.browser import chromium, chromium_path
from loan_pipeline_tests.helpers.bundles import release_bundle
from loan_pipeline_tests.helpers.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    OpenIdProvider,
    openid_provider,
    other_key,
)
from loan_pipeline_tests.helpers.server import Server, start_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="Chromium is not installed"),
]

SESSION_SECONDS = 10
Forge = Callable[[OpenIdProvider], None]


def environment(provider: OpenIdProvider, **more: str) -> dict[str, str]:
    return {
        "LOAN_WEB_OIDC_ISSUER": provider.url,
        "LOAN_WEB_OIDC_CLIENT_ID": CLIENT_ID,
        "LOAN_WEB_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "LOAN_WEB_OFFICER_GROUPS": "officers",
        "LOAN_WEB_VIEWER_GROUPS": "viewers",
        "LOAN_WEB_APPROVER_GROUPS": "approvers",
    } | more


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    with openid_provider() as found:
        yield found


@pytest.fixture(scope="module")
def server(provider: OpenIdProvider, tmp_path_factory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    release_bundle(home / "lake", "application")
    release_bundle(home / "lake", "behavioural")
    server = start_server(home, home / "server.log", **environment(provider))
    yield server
    assert server.stop() == 0
    log = server.log.read_text()
    assert '"status": 500' not in log
    assert CLIENT_SECRET not in log


@pytest.fixture
def context(browser, server, provider) -> Iterator[BrowserContext]:
    provider.app_url = server.url
    provider.be_honest()
    context = browser.new_context(base_url=server.url)
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def sign_in(page: Page, name: str, path: str = "/") -> None:
    page.goto(path)
    expect(page).to_have_title("Provider")
    page.get_by_role("button", name=name, exact=True).click()


def log_lines(server: Server, message: str) -> list[dict[str, object]]:
    lines = (json.loads(line) for line in server.log.read_text().splitlines())
    return [line for line in lines if line["message"] == message]


def test_an_officer_signs_in_is_back_where_they_wanted_and_named_in_the_logs(page, server):
    sign_in(page, "ann", "/application?example=1")
    expect(page).to_have_url(re.compile(r"/application\?example=1$"))
    expect(page.locator(".user")).to_contain_text("ann")
    page.goto("/")
    page.get_by_label("Account", exact=True).fill("1")
    page.get_by_label("Amount of the loan").fill("96000")
    page.get_by_label("Duration of the loan").fill("24")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".verdict")).to_be_visible()
    page.get_by_role("link", name="History").click()
    expect(page.locator("tbody tr").first).to_contain_text("account 1")
    (signed_in,) = log_lines(server, "signed in")
    assert signed_in["subject"] == "subject-of-ann"
    assert signed_in["roles"] == ["officer"]
    answered = [line for line in log_lines(server, "request answered") if line["method"] == "POST"]
    assert {line["caller"] for line in answered} == {"user:ann"}


def test_a_viewer_sees_the_model_page_alone(page):
    sign_in(page, "vera")
    expect(page).to_have_url(re.compile(r"/model$"))
    expect(page.locator(".menu a")).to_have_text(["Model", "API"])
    for path in ("/application", "/batch", "/history", "/accounts/1"):
        assert page.goto(path).status == 403, path


def test_who_is_in_no_group_with_a_role_is_refused(page):
    sign_in(page, "nora")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign-in refused")
    expect(page.get_by_text("nora is in no group")).to_be_visible()
    page.goto("/model")
    expect(page).to_have_title("Provider")


def test_the_anonymous_are_sent_to_sign_in_and_scripts_are_not(server):
    with httpx.Client(base_url=server.url) as client:
        page = client.get("/history")
        assert (page.status_code, page.headers["Location"]) == (302, "/sign-in?next=/history")
        assert client.get("/accounts/1", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401
        assert client.post("/", data={"account_id": 1}).status_code in (400, 401)
        assert client.get("/healthz").status_code == 200
        assert client.get("/metrics", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401
        begun = client.get("/sign-in?next=//evil.example")
        asked = httpx.URL(begun.headers["Location"]).params
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["code_challenge"]) == 43
        assert len(asked["nonce"]) >= 20
        assert len(asked["state"]) >= 20
        cookie = begun.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie


def signing(algorithm: str, key: RSAKey | OctKey | None) -> Forge:
    def forge(provider: OpenIdProvider) -> None:
        provider.algorithm, provider.key = algorithm, key

    return forge


def claiming(**claims: object) -> Forge:
    """With these claims; None leaves one out, a function makes it when it is needed."""

    def change(honest: dict[str, object]) -> dict[str, object]:
        made = {name: value() if callable(value) else value for name, value in claims.items()}
        return {name: value for name, value in (honest | made).items() if value is not None}

    return lambda provider: setattr(provider, "change", change)


def two_minutes_ago() -> int:
    return int(time.time()) - 120


FORGERIES: dict[str, tuple[Forge, str]] = {
    "signed by another key": (signing("RS256", other_key()), "bad_signature"),
    "not signed": (signing("none", None), "unsupported_algorithm"),
    "signed by the client's secret": (
        signing("HS256", OctKey.import_key(CLIENT_SECRET, {"kid": "published"})),
        "unsupported_algorithm",
    ),
    "expired": (claiming(exp=two_minutes_ago), "expired_token"),
    "for another app": (claiming(aud="another-app"), "aud"),
    "for another app, with us as its party": (claiming(aud="another-app", azp=CLIENT_ID), "aud"),
    "of another issuer": (claiming(iss="https://evil.example"), "iss"),
    "with another nonce": (claiming(nonce="another"), "nonce"),
    "without a nonce": (claiming(nonce=None), "nonce"),
    "replayed": (lambda provider: setattr(provider, "replayed", provider.issued[-1]), "nonce"),
    "no token": (lambda provider: setattr(provider, "replayed", "no.token.atall"), "refused"),
}


@pytest.mark.parametrize(("forge", "reason"), FORGERIES.values(), ids=FORGERIES)
def test_a_token_that_is_forged_expired_or_replayed_signs_nobody_in(
    page: Page, context: BrowserContext, provider: OpenIdProvider, forge: Forge, reason: str
):
    sign_in(page, "ann", "/model")  # an honest token, which is there to be replayed
    expect(page.locator(".user")).to_contain_text("ann")
    context.clear_cookies()
    forge(provider)
    sign_in(page, "ann", "/model")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign-in refused")
    expect(page.locator(".alert p").first).to_contain_text(reason)
    assert not page.locator(".user").count()
    provider.be_honest()
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("Provider")


def test_a_code_or_state_is_used_once(page, context):
    called_back = []
    page.on("request", lambda r: called_back.append(r) if "/callback" in r.url else None)
    page.goto("/model")
    before = context.cookies()
    page.get_by_role("button", name="ann", exact=True).click()
    expect(page.locator(".user")).to_contain_text("ann")
    url = called_back[0].url
    assert page.goto(url).status == 403, "the state is spent"
    # With the cookie of before, the state fits again: the provider knows that the code is spent.
    context.clear_cookies()
    context.add_cookies(before)
    assert page.goto(url).status == 403
    other_browser = httpx.get(url)
    assert other_browser.status_code == 403, "a state belongs to one browser"


def test_who_says_no_to_the_provider_is_not_signed_in(page):
    page.goto("/model")
    page.evaluate("document.querySelector('button').value = 'deny'")
    page.get_by_role("button").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign-in refused")
    expect(page.get_by_text("access_denied")).to_be_visible()


def test_signing_out_ends_the_session_here_and_with_the_provider(page, context, provider):
    sign_in(page, "ann")
    stolen = context.cookies()
    ended = provider.sessions_ended
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/sign-in/ended$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    assert provider.sessions_ended == ended + 1
    page.goto("/model")
    expect(page).to_have_title("Provider")
    # A copy of the cookie that was made before is worth nothing.
    context.clear_cookies()
    context.add_cookies(stolen)
    page.goto("/model")
    expect(page).to_have_title("Provider")


def test_another_site_cannot_sign_anybody_out(page, context, server):
    sign_in(page, "ann")
    cookies = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
    forged = httpx.post(f"{server.url}/sign-in/end", cookies=cookies)
    assert forged.status_code == 400
    assert page.goto("/history").status == 200


def test_a_cookie_that_others_signed_is_no_session(server):
    forged = URLSafeTimedSerializer("another-key", salt="cookie-session").dumps(
        {"user": {"session": "s", "identity": "i", "name": "ann", "roles": ["officer"],
                  "until": time.time() + 3600}}
    )  # fmt: skip
    answer = httpx.get(f"{server.url}/history", cookies={"session": forged})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sign-in")


@contextmanager
def served(provider, home, **more):
    server = start_server(home, home / "more.log", **environment(provider, **more))
    provider.app_url = server.url
    yield server
    assert server.stop() == 0


@pytest.fixture
def home(tmp_path):
    release_bundle(tmp_path / "lake", "application")
    return tmp_path


def test_a_session_ends_after_its_time(browser, provider, home):
    provider.be_honest()
    hours = {"LOAN_WEB_SESSION_HOURS": str(SESSION_SECONDS / 3600)}
    with served(provider, home, **hours) as server:
        context = browser.new_context(base_url=server.url)
        page = context.new_page()
        sign_in(page, "ann", "/application")
        expect(page.locator(".user")).to_contain_text("ann")
        kept = context.cookies()
        time.sleep(SESSION_SECONDS + 1)
        page.goto("/application")
        expect(page).to_have_title("Provider")
        context.add_cookies(kept)
        page.goto("/application")
        expect(page).to_have_title("Provider")
        context.close()


def test_a_provider_that_offers_no_sign_out_is_not_asked_for_it(browser, provider, home):
    provider.be_honest()
    provider.offers_sign_out = False
    try:
        with served(provider, home) as server:
            context = browser.new_context(base_url=server.url)
            page = context.new_page()
            sign_in(page, "ann", "/application")
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
            expect(page.get_by_role("link", name="Sign in again")).to_be_visible()
            context.close()
    finally:
        provider.offers_sign_out = True


def test_a_provider_that_is_away_or_calls_itself_otherwise_is_a_page_that_says_so(provider, home):
    away = {"LOAN_WEB_OIDC_ISSUER": "http://127.0.0.1:9"}
    with served(provider, home, **away) as server:
        page = httpx.get(f"{server.url}/sign-in")
        assert page.status_code == 503
        assert page.headers["Retry-After"]
        assert "does not answer" in page.text
    renamed = {"LOAN_WEB_OIDC_ISSUER": provider.url.replace("127.0.0.1", "localhost")}
    with served(provider, home, **renamed) as server:
        page = httpx.get(f"{server.url}/sign-in")
        assert page.status_code == 503
        assert "calls itself" in page.text
