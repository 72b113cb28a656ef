"""The decision who may do what, for every endpoint, kind of caller and way the app is reached."""

from pathlib import Path
from typing import get_args

import pytest

from loan_pipeline.settings import Settings
from loan_pipeline_tests.helpers.openid_provider import CLIENT_ID, CLIENT_SECRET
from webapp import create_app
from webapp.security.errors import AccessError
from webapp.security.permissions import (
    NEEDED_BY_ENDPOINT,
    RIGHTS_OF_CLIENT,
    AccessPolicy,
    Right,
    access_policy,
    right_needed,
    rights_of,
    roles_of,
)
from webapp.security.sign_in import local_address

EVERY = "0.0.0.0"  # noqa: S104 - an address to decide about
OPENID = {
    "web_oidc_issuer": "https://id.bank.example",
    "web_oidc_client_id": CLIENT_ID,
    "web_oidc_client_secret": CLIENT_SECRET,
}
HEADER = {"web_user_header": "X-User", "web_groups_header": "X-Groups", "web_proxies": 1}
OFFICERS = {"web_officer_groups": ("officers",)}


def open_to_anonymous(policy: AccessPolicy) -> set[str]:
    rights = policy.anonymous_rights(of_api=False)
    return {name for name, needed in NEEDED_BY_ENDPOINT.items() if needed in rights}


def test_every_endpoint_of_the_app_has_its_line_and_every_line_an_endpoint(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path, **OPENID, **OFFICERS), host="127.0.0.1")
    app.extensions["loan_pipeline"].close()
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert endpoints == set(NEEDED_BY_ENDPOINT)


def test_an_endpoint_without_a_line_needs_the_right_to_look_accounts_up() -> None:
    assert right_needed("pages.new_one") == "look_up_accounts"
    assert right_needed(None) is None, "an address that does not exist says so"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_this_machine_alone_every_page_is_open(host: str) -> None:
    policy = access_policy(Settings(), host)
    assert not policy.public
    needed = {right for right in NEEDED_BY_ENDPOINT.values() if right}
    assert needed <= policy.anonymous_rights(of_api=False)
    assert needed <= policy.anonymous_rights(of_api=True)


@pytest.mark.parametrize(
    ("host", "proxies"),
    [(EVERY, 0), ("::", 0), ("192.0.2.7", 0), ("loans.bank", 0), (None, 0), ("127.0.0.1", 1)],
)
def test_on_a_public_address_only_applications_and_the_model_page_are_open(
    host: str | None, proxies: int
) -> None:
    policy = access_policy(Settings(web_proxies=proxies), host)
    assert policy.public
    assert open_to_anonymous(policy) == {
        "pages.by_application",
        "batches.upload",
        "batches.results",
        "batches.template_file",
        "api.predict",
        "api.predict_batch",
        "letters.show",
        "model_page.show",
        "model_page.picture",
        "model_page.metrics",
    }


def test_an_explicit_setting_opens_what_this_machine_alone_may_do_and_no_approvals() -> None:
    policy = access_policy(Settings(web_open_accounts=True), EVERY)
    rights = policy.anonymous_rights(of_api=False)
    assert rights == AccessPolicy(public=False).anonymous_rights(of_api=False)
    assert "look_up_accounts" in rights
    assert "approve_releases" not in rights


@pytest.mark.parametrize("settings", [OPENID, HEADER], ids=["openid", "header"])
@pytest.mark.parametrize("host", ["127.0.0.1", EVERY])
def test_where_users_sign_in_the_anonymous_may_do_nothing(
    settings: dict[str, object], host: str
) -> None:
    policy = access_policy(Settings(**settings, **OFFICERS), host)
    assert open_to_anonymous(policy) == set()
    assert policy.anonymous_rights(of_api=True) == set()


def test_with_keys_the_api_is_closed_to_the_anonymous_and_the_pages_are_not() -> None:
    policy = AccessPolicy(public=False, has_api_keys=True)
    assert policy.anonymous_rights(of_api=True) == set()
    assert "look_up_accounts" in policy.anonymous_rights(of_api=False)


def test_roles_differ_in_what_they_may_do() -> None:
    assert rights_of({"viewer"}) == {"see_model"}
    assert rights_of({"officer"}) == {"see_model", "score_applications", "look_up_accounts"}
    assert rights_of({"approver"}) == {"see_model", "approve_releases"}
    assert rights_of({"officer", "approver"}) == rights_of({"officer"}) | rights_of({"approver"})
    assert rights_of(()) == set()
    assert "approve_releases" not in RIGHTS_OF_CLIENT, "an approval needs a person"
    public = AccessPolicy(public=False).anonymous_rights(of_api=False)
    assert set(get_args(Right)) - public == {"approve_releases"}


def test_groups_give_roles_by_their_whole_name() -> None:
    settings = Settings(web_officer_groups=("officers", "branch 7"), web_viewer_groups=("audit",))
    assert roles_of(["officers"], settings) == {"officer"}
    assert roles_of(["branch 7", "audit"], settings) == {"officer", "viewer"}
    assert roles_of(["Officers", "officer", "officers2", ""], settings) == set()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (OPENID, "LOAN_WEB_OFFICER_GROUPS"),
        (OPENID | HEADER | OFFICERS, "LOAN_WEB_USER_HEADER"),
        (OPENID | OFFICERS | {"web_open_accounts": True}, "LOAN_WEB_OPEN_ACCOUNTS"),
        (OPENID | OFFICERS | {"web_oidc_client_secret": None}, "LOAN_WEB_OIDC_CLIENT_SECRET"),
        (OPENID | OFFICERS | {"web_oidc_issuer": "http://id.bank.example"}, "https"),
        (HEADER | OFFICERS | {"web_proxies": 0}, "LOAN_WEB_PROXIES"),
        (HEADER | OFFICERS | {"web_groups_header": None}, "LOAN_WEB_GROUPS_HEADER"),
    ],
)
def test_settings_that_contradict_or_are_incomplete_are_refused_by_name(
    tmp_path: Path, settings: dict[str, object], named: str
) -> None:
    with pytest.raises(AccessError, match=named):
        create_app(Settings(home=tmp_path, **settings), host="127.0.0.1")


@pytest.mark.parametrize("text", ["/", "/batch", "/application?example=1", "/model#behavioural"])
def test_an_address_of_this_app_is_gone_back_to(text: str) -> None:
    assert local_address(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "batch", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example",
        "/\t/evil.example", " /batch", "/a\nSet-Cookie: x", "javascript:alert(1)", "/a b",
    ],
)  # fmt: skip
def test_addresses_of_others_are_not(text: str) -> None:
    assert local_address(text) == "/"
