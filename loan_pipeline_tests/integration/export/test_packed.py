"""Releases of a recipe without an ONNX form: packed, refused, opened, and answering."""

import io
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loan_pipeline.contracts.bundle import AUTOGLUON, model_file
from loan_pipeline.contracts.features import feature_set
from loan_pipeline.evaluation.evaluate import score_loans, split_out_of_time
from loan_pipeline.evaluation.metrics import measure_with_intervals
from loan_pipeline.evaluation.validation import Validation
from loan_pipeline.export.packed import (
    CALIBRATION_FILE,
    PREDICTOR_FOLDER,
    PackedModel,
    pack,
)
from loan_pipeline.export.parity import check_parity
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.protocol import Store
from loan_pipeline.release.bundle import released_model, write_bundle
from loan_pipeline.release.gate import check_not_worse, released_champion
from loan_pipeline.release.publish import HoldoutPredictions, publish
from loan_pipeline.scoring.bundle import BundleError, load_bundle
from loan_pipeline.scoring.release import load_latest
from loan_pipeline.scoring.scorer import Scorer
from loan_pipeline.training.inputs import model_inputs, with_outcome
from loan_pipeline.training.predictor import TrainedPredictor
from loan_pipeline_tests.helpers.candidates import origin_of, predictor_manifest
from loan_pipeline_tests.helpers.packed_models import (
    LOANS,
    tar,
    trained_without_graph,
    wicked,
)

pytestmark = pytest.mark.slow

NAMES = [feature.name for feature in feature_set("behavioural")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedPredictor:
    return trained_without_graph(tmp_path_factory.mktemp("models") / "all")


@pytest.fixture(scope="module")
def packed(trained: TrainedPredictor) -> bytes:
    return released_model(trained)


@pytest.fixture(scope="module")
def store(
    trained: TrainedPredictor, packed: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Store:
    """A lake with a release of it, made as a run makes it."""
    folder = tmp_path_factory.mktemp("lake")
    test = score_loans(trained, split_out_of_time(with_outcome(LOANS, "observed"))[1])
    measured = Validation({"out_of_time": measure_with_intervals(test, draws=50)}, {}, {}, test)
    origin = origin_of(predictor_manifest(trained.facts))
    manifest = write_bundle(folder / "made", trained, packed, measured, LOANS, LOANS, origin)
    store = open_store((folder / "lake").as_uri())
    predictions = HoldoutPredictions(out_of_time={})
    publish(
        store, folder / "made", manifest, origin.verdict, predictions, minimum_roc_auc=0.6, keep=2
    )
    return store


@pytest.fixture
def scorer(store: Store, tmp_path: Path) -> Scorer:
    return load_latest(store, "behavioural", tmp_path, allow_pickles=True)


def test_the_scorer_answers_what_the_predictor_does(scorer: Scorer, trained: TrainedPredictor):
    inputs = model_inputs(LOANS, "behavioural")
    answers = scorer.probabilities(inputs.to_numpy(dtype=np.float32))
    np.testing.assert_allclose(answers, trained.predict_proba(LOANS), atol=1e-6)
    assert len(set(answers.round(3))) > 10


def test_a_batch_scores_like_its_rows(scorer: Scorer):
    requests = [(account, 96_000.0, 24) for account in LOANS["account_id"][:6].tolist()]
    batch = scorer.score_batch([scorer.account_row(*request) for request in requests])
    for answer, request in zip(batch, requests, strict=True):
        alone = scorer.score_account(*request)
        assert answer.probability_paid_off == pytest.approx(alone.probability_paid_off, abs=1e-6)


def test_its_reasons_lead_from_the_typical_loan_to_the_score(scorer: Scorer):
    for account in LOANS["account_id"][:6].tolist():
        answer = scorer.score_account(account, 96_000, 24)
        assert answer.reasons
        total = sum(reason.contribution for reason in answer.reasons)
        expected = answer.probability_paid_off - answer.baseline_probability_paid_off
        assert total == pytest.approx(expected, abs=1e-3)


def test_without_leave_nothing_of_it_is_opened(packed: bytes, store: Store, tmp_path: Path):
    proof = tmp_path / "opened"
    bundle = replace(load_bundle(fetched(store, tmp_path)), model=wicked(packed, proof))
    with pytest.raises(BundleError, match=r"holds pickles.*LOAN_ALLOW_PICKLES=true"):
        Scorer(bundle)
    assert not proof.exists()
    with pytest.raises(BundleError):
        Scorer(bundle, allow_pickles=True)
    assert proof.exists(), "or the first half of this test proves nothing"


def fetched(store: Store, cache: Path) -> Path:
    return load_latest(store, "behavioural", cache, allow_pickles=True).bundle.folder


def test_without_the_extra_the_message_names_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "autogluon.tabular", None)
    with pytest.raises(BundleError, match=r"autogluon\.tabular is not installed.*\[pipeline\]"):
        load_latest(store, "behavioural", tmp_path, allow_pickles=True)


def test_a_changed_archive_is_refused_by_its_checksum(packed: bytes, store: Store, tmp_path: Path):
    proof = tmp_path / "opened"
    folder = fetched(store, tmp_path / "cache")
    (folder / model_file(AUTOGLUON)).write_bytes(wicked(packed, proof))
    with pytest.raises(BundleError, match=r"model\.autogluon has .*fetched again"):
        load_bundle(folder)
    load_latest(store, "behavioural", tmp_path / "cache", allow_pickles=True)
    assert not proof.exists()


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive" * 100, tar({}), tar({CALIBRATION_FILE: b"{}"}), tar({"../escaped": b"x"})],
    ids=["empty", "garbage", "nothing inside", "no predictor", "leads out of its folder"],
)
def test_what_is_no_packed_predictor_is_refused(data: bytes):
    with pytest.raises(BundleError, match="here is not a predictor that can be opened"):
        PackedModel(data, NAMES, "here")


def test_a_predictor_of_other_features_is_refused(packed: bytes):
    with pytest.raises(BundleError, match=r"needs .*, which its manifest does not list"):
        PackedModel(packed, NAMES[:2], "here")


def test_what_is_packed_holds_no_list_of_loans(trained: TrainedPredictor, packed: bytes):
    assert trained.facts.loan_ids
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        names = archive.getnames()
    assert {name.split("/")[0] for name in names} == {CALIBRATION_FILE, PREDICTOR_FOLDER}
    assert not [name for name in names if "/data/" in name]


def test_parity_is_proven_for_the_predictor_itself_and_no_other(
    trained: TrainedPredictor, packed: bytes, tmp_path: Path
):
    assert check_parity(trained, packed, LOANS).proven
    other = trained_without_graph(tmp_path / "other", seed=1)
    assert not check_parity(trained, pack(other), LOANS).proven


def test_the_calibration_is_packed_too(trained: TrainedPredictor, packed: bytes):
    facts = trained.facts.model_copy(update={"slope": 2.0, "intercept": 0.5})
    calibrated = TrainedPredictor(trained.predictor, facts, trained.path)
    assert check_parity(calibrated, pack(calibrated), LOANS).proven
    assert not check_parity(calibrated, packed, LOANS).proven


def test_the_gate_asks_the_release_where_it_may_and_else_says_so(
    store: Store, trained: TrainedPredictor
):
    late = LOANS.assign(date=LOANS["date"] + np.timedelta64(365 * 10, "D"))
    test = score_loans(trained, with_outcome(late, "observed"))
    candidate = Validation({}, {}, {}, test)
    champion = released_champion(store, "behavioural", allow_pickles=True)
    check = check_not_worse(candidate, champion, late)
    assert check.figures["difference"] == 0
    unasked = check_not_worse(candidate, released_champion(store, "behavioural"), late)
    assert "could not be asked" in unasked.says
    assert "LOAN_ALLOW_PICKLES" in unasked.says
