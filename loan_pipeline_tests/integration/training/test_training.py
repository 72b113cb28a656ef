"""Real training, export and faults; the predictor is trained once for most of the tests."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loan_pipeline.contracts.features import UnsuitableExclusion, feature_set
from loan_pipeline.evaluation.evaluate import out_of_fold, score_loans, split_out_of_time
from loan_pipeline.evaluation.validation import validate
from loan_pipeline.export.export import export_onnx
from loan_pipeline.export.parity import check_parity, random_inputs
from loan_pipeline.lake.open import open_store
from loan_pipeline.release.bundle import write_bundle
from loan_pipeline.release.publish import HoldoutPredictions, publish
from loan_pipeline.scoring.bundle import load_bundle
from loan_pipeline.scoring.known_ground import KnownGround
from loan_pipeline.scoring.reasons import contributions
from loan_pipeline.scoring.release import load_latest
from loan_pipeline.scoring.scorer import Scorer
from loan_pipeline.training.calibration import Platt
from loan_pipeline.training.errors import NotExportable, TrainingFailed, UnsuitableLoans
from loan_pipeline.training.inputs import model_inputs, with_outcome
from loan_pipeline.training.known_ground import known_ranges
from loan_pipeline.training.predictor import TrainedPredictor, load_predictor
from loan_pipeline.training.recipes import Member, Recipe, recipe
from loan_pipeline.training.train import train_predictor
from loan_pipeline_tests.helpers import bundles
from loan_pipeline_tests.helpers.candidates import origin_of, predictor_manifest
from loan_pipeline_tests.helpers.loan_tables import loan_table

pytestmark = pytest.mark.slow

LOANS = loan_table(240)
QUICK = recipe("quick")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def trained(folder: Path) -> TrainedPredictor:
    return train_predictor(LOANS, "behavioural", QUICK, "observed", folder / "all")


@pytest.fixture(scope="module")
def holdout(folder: Path) -> TrainedPredictor:
    older, _ = split_out_of_time(with_outcome(LOANS, "observed"))
    return train_predictor(older, "behavioural", QUICK, "observed", folder / "holdout")


def only(family: str, **parameters: object) -> Recipe:
    """A recipe of one family, under a name whose recipe may be released."""
    one_processor = {"ag_args_fit": {"num_cpus": 1}}  # threads that wait for each other take longer
    return replace(QUICK, members=(Member(family, parameters={**parameters, **one_processor}),))


def test_saving_and_loading_read_the_versions_of_installed_packages_once(trained: TrainedPredictor):
    from autogluon.common.utils import utils

    load_predictor(trained.path)
    read = utils.get_package_versions.cache_info()
    assert read.misses == 1
    assert read.hits >= 2, "AutoGluon must ask by this name"


def test_the_same_seed_gives_the_same_predictor(trained: TrainedPredictor, tmp_path: Path):
    again = train_predictor(LOANS, "behavioural", QUICK, "observed", tmp_path / "again")
    np.testing.assert_array_equal(trained.predict_proba(LOANS), again.predict_proba(LOANS))
    assert trained.facts.out_of_fold == again.facts.out_of_fold
    other = train_predictor(LOANS, "behavioural", QUICK, "observed", tmp_path / "b", seed=1)
    assert np.any(trained.predict_proba(LOANS) != other.predict_proba(LOANS))


def test_members_are_averaged_with_the_weights_of_the_recipe(trained: TrainedPredictor):
    scores = trained.scores_by_model(LOANS)
    (ensemble,) = (name for name in scores if name.startswith("WeightedEnsemble"))
    few, half = (
        next(name for name in scores if name.startswith(f"LogScaleExtraTrees{suffix}"))
        for suffix in ("Few", "Half")
    )
    expected = QUICK.weights[0] * scores[few] + QUICK.weights[1] * scores[half]
    np.testing.assert_allclose(scores[ensemble], expected, atol=1e-6)


def test_out_of_fold_predictions_cover_every_loan_once_and_were_not_learned_by_heart(
    trained: TrainedPredictor,
):
    scored = out_of_fold(trained)
    assert scored is not None
    assert sorted(scored.loan_ids) == sorted(LOANS["loan_id"])
    outcomes = with_outcome(LOANS, "observed").set_index("loan_id")["paid_off"]
    np.testing.assert_array_equal(scored.paid_off, outcomes.loc[scored.loan_ids])
    fitted = trained.predict_proba(with_outcome(LOANS, "observed"))
    assert np.mean((fitted - scored.paid_off) ** 2) < np.mean(
        (scored.probabilities - scored.paid_off) ** 2
    )


@pytest.mark.parametrize(
    "chosen",
    [
        only("XT", n_estimators=40, class_weight="balanced"),
        only("LOGXT", n_estimators=40, bootstrap=False, ag_args_ensemble={"use_child_oof": False}),
        only("RF", n_estimators=40),
        only("LR", **{"proc.skew_threshold": None}),
        only("GBM", num_boost_round=40),
        only("XGB", n_estimators=40),
        only("CAT", iterations=40),
    ],
    ids=lambda chosen: chosen.members[0].family,
)
def test_every_family_exports_and_answers_the_same(chosen: Recipe, tmp_path: Path):
    trained = train_predictor(LOANS, "behavioural", chosen, "observed", tmp_path / "model")
    parity = check_parity(trained, export_onnx(trained).SerializeToString(), LOANS)
    assert parity.rows == len(LOANS) + 1000
    assert parity.proven, parity


def test_the_reasons_of_forests_come_from_the_graph_and_sum_to_the_difference(tmp_path: Path):
    forests = replace(
        recipe("default"),
        members=tuple(
            replace(member, parameters={**member.parameters, "n_estimators": 20})
            for member in recipe("default").members
        ),
    )
    trained = train_predictor(LOANS, "behavioural", forests, "observed", tmp_path / "model")
    assert trained.calibration != Platt(), "the reasons are the calibrated probability's"
    graph = export_onnx(trained).SerializeToString()
    bundles.write_bundle(
        tmp_path / "b", "behavioural", model=graph, typical=trained.facts.reference
    )
    scorer = Scorer(load_bundle(tmp_path / "b"))
    reference = np.array(trained.facts.reference, dtype=np.float32)
    start = float(scorer.probabilities(reference[None, :])[0])
    inputs = random_inputs(trained.features, model_inputs(LOANS, "behavioural"), seed=1)
    nearly_reference = np.tile(reference, (len(reference), 1))
    nearly_reference[np.diag_indices(len(reference))] *= 1.001
    for row in np.vstack([inputs.to_numpy(dtype=np.float32), nearly_reference]):
        answer = scorer.explain(row)
        probability = float(scorer.probabilities(row[None, :])[0])
        assert answer.probability_paid_off == pytest.approx(probability, abs=1e-6)
        total = sum(reason.contribution for reason in answer.reasons)
        assert total == pytest.approx(probability - start, abs=1e-4)
    row = inputs.to_numpy(dtype=np.float32)[0]
    estimated, _ = contributions(scorer.probabilities, row, reference)
    exact_by_name = {reason.feature: reason.contribution for reason in scorer.explain(row).reasons}
    exact = [exact_by_name.get(feature.name, 0.0) for feature in feature_set("behavioural")]
    assert np.corrcoef(exact, estimated)[0, 1] > 0.95


def test_parity_finds_a_graph_of_another_predictor(
    trained: TrainedPredictor, holdout: TrainedPredictor
):
    parity = check_parity(trained, export_onnx(holdout).SerializeToString(), LOANS)
    assert not parity.proven
    assert set(parity.worst_row) == {feature.name for feature in feature_set("behavioural")}


def test_skewed_features_of_a_linear_model_are_refused_by_name(tmp_path: Path):
    skewed = LOANS.assign(amount=np.exp(np.linspace(5, 13, len(LOANS))))
    trained = train_predictor(skewed, "application", only("LR"), "observed", tmp_path / "model")
    with pytest.raises(NotExportable, match=r"LinearModel.*proc\.skew_threshold"):
        export_onnx(trained)


def test_the_published_recipe_trains_and_is_refused_for_release(tmp_path: Path):
    few = replace(
        recipe("published"),
        members=(Member("KNN", "Unif", parameters={"weights": "uniform"}), Member("CAT")),
    )
    trained = train_predictor(LOANS, "application", few, "finished", tmp_path / "model")
    assert trained.facts.threshold == 0.5
    assert out_of_fold(trained) is None
    with pytest.raises(NotExportable, match="recipe published"):
        export_onnx(trained)


def test_a_released_bundle_scores_as_the_predictor_does(
    trained: TrainedPredictor, holdout: TrainedPredictor, tmp_path: Path
):
    model = export_onnx(trained).SerializeToString()
    report = validate(trained, holdout, LOANS, rolling_cuts=0)
    origin = origin_of(predictor_manifest(trained.facts))
    manifest = write_bundle(
        tmp_path / "bundle",
        trained,
        model,
        report,
        LOANS,
        serving=LOANS,
        origin=origin,
    )
    store = open_store((tmp_path / "lake").as_uri())
    predictions = HoldoutPredictions(out_of_time={})
    publish(
        store,
        tmp_path / "bundle",
        manifest,
        origin.verdict,
        predictions,
        minimum_roc_auc=0.6,
        keep=2,
    )
    scorer = load_latest(store, "behavioural", tmp_path / "cache")
    assert scorer.bundle.manifest.threshold == trained.facts.threshold
    assert set(scorer.bundle.pictures) == set(report.pictures)
    assert scorer.bundle.manifest.metrics.keys() == {"cross_validation", "out_of_time"}
    loan = LOANS.iloc[5]
    answer = scorer.score_account(
        int(loan["account_id"]), float(loan["amount"]), int(loan["duration"])
    )
    assert answer.model_version == manifest.version
    known = scorer.bundle.manifest.known_ranges
    assert "payment_to_income" in {one.feature for one in known}


def test_the_report_is_json_and_compares_with_baselines_and_subgroups(
    trained: TrainedPredictor, holdout: TrainedPredictor
):
    validation = validate(trained, holdout, LOANS.assign(region=["north", "south"] * 120))
    report = json.loads(json.dumps(validation.report, allow_nan=False))
    known = with_outcome(LOANS, "observed")
    older, newer = split_out_of_time(known)
    assert older["date"].max() < newer["date"].min()
    assert report["samples"]["out_of_time"]["n"] == len(newer)
    assert report["samples"]["cross_validation"]["n"] == len(known)
    assert report["baselines"]["always_paid_off"]["roc_auc"]["value"] == 0.5
    assert any("balance_mean_czk" in name for name in report["baselines"])
    assert next(iter(report["importance"])) == "balance_mean_czk"
    for kind in ("gender", "age", "region"):
        assert sum(g["n"] for g in report["subgroups"] if g["kind"] == kind) == len(known)
    assert report["rolling_origin"]["cuts"]
    assert report["rolling_origin"]["intervals"]["average_precision"]["low"] > 0
    assert len(report["profit"]["profit_czk"]) == len(report["profit"]["thresholds"])
    assert isinstance(report["fairness_warnings"], list)
    assert report["referred"]["n"] == report["samples"]["out_of_time"]["n"]
    assert 0 <= report["referred"]["referred"] <= report["referred"]["n"]
    assert report["leaderboard"][0]["roc_auc"] >= report["leaderboard"][-1]["roc_auc"]
    for name, picture in validation.pictures.items():
        assert "prefers-color-scheme:dark" in picture, name
        assert "#123456" not in picture


def test_the_holdout_model_did_not_see_the_loans_of_the_test(holdout: TrainedPredictor):
    _, newer = split_out_of_time(with_outcome(LOANS, "observed"))
    assert not set(holdout.facts.loan_ids) & set(newer["loan_id"])
    changed = newer.assign(paid_off=1 - newer["paid_off"])
    np.testing.assert_array_equal(
        score_loans(holdout, newer).probabilities, score_loans(holdout, changed).probabilities
    )


def test_a_feature_without_any_value_is_refused_by_name(tmp_path: Path):
    empty = LOANS.assign(balance_mean_czk=np.nan)
    with pytest.raises(UnsuitableLoans, match="no loan has a value of balance_mean_czk"):
        train_predictor(empty, "application", QUICK, "observed", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_constant_feature_is_reported_and_the_graph_still_takes_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    constant = LOANS.assign(gender="F")
    path = tmp_path / "model"
    trained = train_predictor(constant, "application", QUICK, "observed", path)
    assert "all 240 loans have the same gender" in caplog.text
    parity = check_parity(trained, export_onnx(trained).SerializeToString(), LOANS)
    assert parity.proven


TRAIN_IN_A_PROCESS = """
import resource, sys
from pathlib import Path
from loan_pipeline.training.recipes import recipe
from loan_pipeline.training.train import train_predictor
from loan_pipeline_tests.helpers.loan_tables import loan_table

if int(sys.argv[2]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
train_predictor(loan_table(240), "behavioural", recipe("quick"), "observed", Path(sys.argv[1]))
"""


def run_training(path: Path, largest_file: int = 0) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN_IN_A_PROCESS, str(path), str(largest_file)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def kept(trained: TrainedPredictor, tmp_path: Path) -> Path:
    """A predictor trained earlier, in a place of its own."""
    path = tmp_path / "kept"
    shutil.copytree(trained.path, path)
    return path


def test_a_full_disk_is_named_and_leaves_the_last_good_predictor(kept: Path):
    expected = load_predictor(kept).predict_proba(LOANS)
    process = run_training(kept, largest_file=20_000)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert TrainingFailed.__name__ in errors
    assert "File too large" in errors
    assert f"{kept} is as it was before" in errors
    np.testing.assert_array_equal(load_predictor(kept).predict_proba(LOANS), expected)
    assert not list(kept.parent.glob(".being-made-*"))


def test_excluded_features_are_in_neither_inputs_nor_graph_nor_ranges_and_still_measured(
    tmp_path: Path,
):
    how = {"excluded": ("age_years", "gender")}
    trained = train_predictor(LOANS, "application", QUICK, "observed", tmp_path / "all", **how)
    older, _ = split_out_of_time(with_outcome(LOANS, "observed"))
    holdout = train_predictor(older, "application", QUICK, "observed", tmp_path / "older", **how)
    names = [feature.name for feature in trained.features]
    assert len(names) == 11
    assert not {"age_years", "gender"} & set(names)
    graph = export_onnx(trained)
    assert graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value == 11
    assert check_parity(trained, graph.SerializeToString(), LOANS).proven
    assert load_predictor(tmp_path / "all").features == trained.features
    report = validate(trained, holdout, LOANS, rolling_cuts=0).report
    assert report["excluded_features"] == ["age_years", "gender"]
    assert {"gender", "age"} <= {one["kind"] for one in report["subgroups"]}
    with pytest.raises(UnsuitableExclusion, match="no feature is called agge"):
        train_predictor(
            LOANS, "application", QUICK, "observed", tmp_path / "no", excluded=("agge",)
        )


def test_known_ranges_are_those_of_the_training_loans_without_what_grows_with_time(
    trained: TrainedPredictor,
):
    known = with_outcome(LOANS, "observed")
    ranges = {one.feature: one for one in known_ranges(trained, known)}
    assert not {"account_age_days", "transaction_count", "card_type"} & set(ranges)
    payments = ranges["payments"]
    assert (payments.minimum, payments.maximum) == pytest.approx(
        (known["payments"].min(), known["payments"].max())
    )
    assert not payments.missing
    assert ranges["order_amount_mean_czk"].missing
    income = known["income_mean_6m_czk"].where(known["income_mean_6m_czk"] > 0)
    assert ranges["payment_to_income"].maximum == pytest.approx(
        (known["payments"] / income).max(), rel=1e-5
    )
    rows = trained.inputs(known).to_numpy(dtype=np.float32)
    ground = KnownGround(list(ranges.values()), list(trained.inputs(known).columns))
    assert not any(ground.referrals(rows))
