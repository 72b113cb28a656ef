"""The model page answers a risk committee's first questions from the bundle's own report."""

import re
from pathlib import Path

import pytest

from loan_pipeline.contracts.known_ground import KnownRange
from loan_pipeline_tests.helpers.bundles import release_bundle

DOCS = Path(__file__).parents[2] / "docs" / "model-page.md"
URL = "/api/v1/predictions"
RANGES = (
    KnownRange(feature="payments", minimum=304, maximum=9910, missing=False),
    KnownRange(feature="payment_to_income", minimum=0.01, maximum=0.48, missing=False),
)


def rate(value: float, of: int) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.05, "of": of}


def subgroup(name: str, ratio: float) -> dict[str, object]:
    return {
        "kind": "gender",
        "subgroup": name,
        "n": 120,
        "bad": 20,
        "selection_rate": rate(0.6, 120),
        "selection_ratio": ratio,
        "true_positive_rate": rate(0.71, 100),
        "false_positive_rate": None,
    }


FIGURES = {"roc_auc": 0.931, "gini": 0.862, "ks": 0.755, "average_precision": 0.693}
REPORT = {
    "baselines": {"always_paid_off": {"roc_auc": {"value": 0.5, "low": 0.5, "high": 0.5}}},
    "rolling_origin": {
        "cuts": [{"train_until": "1995-12-31", "n_test": 442, "bad_test": 47, **FIGURES}],
        **FIGURES,
        "intervals": {
            name: {"low": value - 0.04, "high": value} for name, value in FIGURES.items()
        },
    },
    "rolling_origin_without_protected": {
        "features": ["gender", "age_years"],
        "roc_auc": 0.921,
        "average_precision": 0.683,
        "intervals": {
            "roc_auc": {"low": 0.881, "high": 0.921},
            "average_precision": {"low": 0.643, "high": 0.683},
        },
    },
    "subgroups": [subgroup("F", 1.0), subgroup("M", 0.7)],
    "fairness_warnings": ["gender M: 60% of 120 accepted, 0.70 of the rate of gender F"],
    "referred": {"n": 135, "referred": 9},
    "profit": {
        "prices": {"loss_given_default": 0.45, "margin": 0.08},
        "threshold": 0.87,
        "profit_at_threshold_czk": -4_773.0,
        "best_threshold": 0.71,
        "profit_czk": [1.0, 5_000.0],
    },
}


@pytest.fixture
def client(home, make_app):
    release_bundle(home / "lake", "application", report=REPORT)
    release_bundle(home / "lake", "behavioural", report=REPORT, known_ranges=RANGES)
    return make_app(home).test_client()


def words_of(client, name: str) -> str:
    """The page's text about one model, white space squeezed."""
    page = client.get("/model").text
    section = page[page.index(f'<section id="{name}"') :].partition("</section>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", section))


def test_the_questions_are_those_that_the_docs_list(client):
    asked = re.findall(r"<h3>(\d+)\. (.*?)</h3>", client.get("/model").text)
    listed = re.findall(r"^(\d+)\. \*\*(.*?)\*\*", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(listed) == 10
    assert asked == listed + listed, "each model answers all of them"


def test_rolling_origin_has_gini_and_ks_beside_roc_auc_with_intervals(client):
    words = words_of(client, "behavioural")
    assert "1995-12-31 442, 47 0.931 0.862 0.755 0.693" in words
    assert "Mean 0.931 0.891 to 0.931 0.862 0.822 to 0.862" in words


def test_fairness_shows_rates_ratios_and_the_reports_warnings(client):
    words = words_of(client, "behavioural")
    assert "M 120, 20 60 % 50 to 65, of 120 0.70 ! below four fifths 71 %" in words
    assert "F 120, 20 60 % 50 to 65, of 120 1.00 71 %" in words
    assert "gender M: 60% of 120 accepted" in words
    assert "There is no warning" not in words


def test_protected_inputs_are_named_where_there_are_any(client):
    words = words_of(client, "application")
    assert "Gender and age are among its inputs." in words
    assert "ROC AUC 0.921 (0.881 to 0.921) in place of 0.931 (0.891 to 0.931)" in words
    assert "Gender and age are not among its inputs." in words_of(client, "behavioural")


def test_the_ground_is_shown_with_the_share_referred(client):
    for amount in (96_000, 1_000_000):
        client.post(URL, json={"account_id": 1, "amount": amount, "duration": 24})
    words = words_of(client, "behavioural")
    assert "monthly payment 304 CZK 9,910 CZK no" in words
    assert "share of the monthly income 1 % 48 % no" in words
    assert "Of the 135 loans of the out-of-time test, 9 (6.7 %) would have been" in words
    assert "Since this server started, 1 of 2 answers were." in words
    assert "This release keeps no ranges" in words_of(client, "application")


def test_the_price_is_shown_with_its_assumptions(client):
    words = words_of(client, "behavioural")
    assert "a loss given default of 45 %" in words
    assert "the threshold of 0.87 would have earned \N{MINUS SIGN}4,773 CZK" in words
    assert "the best one in hindsight, 0.71, 5,000 CZK" in words


def test_every_file_is_listed_with_its_hash(client, home):
    page = client.get("/model").text
    manifests = list((home / "lake/releases").glob("*/*/manifest.json"))
    hashes = [h for m in manifests for h in re.findall(r'"sha256":"(\w{64})"', m.read_text())]
    assert len(hashes) == 7
    assert all(found in page for found in hashes)
