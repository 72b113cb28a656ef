"""The main job from end to end, as `make run` starts it, on a small sample bank."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from loan_pipeline.bank.open import open_bank
from loan_pipeline.cli import main
from loan_pipeline.contracts.features import FEATURE_SET_NAMES
from loan_pipeline.contracts.tables import TABLES
from loan_pipeline.definitions import build_defs
from loan_pipeline.defs.jobs import whole_pipeline
from loan_pipeline.defs.keys import release_key, verdict_key
from loan_pipeline.lake.open import open_store
from loan_pipeline.lake.snapshot import latest_snapshot
from loan_pipeline.run import RunSummary, failure_message, run_pipeline, summary_lines
from loan_pipeline.scoring.release import load_latest
from loan_pipeline.settings import Settings
from loan_pipeline.sources.sample import SampleSource, write_pkdd

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "explore-in-a-notebook.md"
PASSWORD = "hunter2"
NO_MLFLOW = SecretStr(f"http://jana:{PASSWORD}@127.0.0.1:1")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        yield Settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def summary(settings: Settings) -> RunSummary:
    without_mlflow = settings.model_copy(update={"mlflow_tracking_uri": NO_MLFLOW})
    return run_pipeline(without_mlflow, source="sample", recipe="quick", target="observed")


@pytest.fixture(scope="module")
def instance(settings: Settings, summary: RunSummary) -> Iterator[dg.DagsterInstance]:
    assert summary
    with dg.DagsterInstance.from_config(str(settings.home / "dagster")) as instance:
        yield instance


def _state(settings: Settings) -> tuple[object, ...]:
    """What must be untouched when a run fails."""
    store = open_store(settings.lake)
    pointers = [store.read_pointer(f"releases/{name}/latest.json") for name in FEATURE_SET_NAMES]
    return open_bank(settings).row_counts(), latest_snapshot(store).snapshot_id, pointers


def test_the_run_stands_in_dagster_with_row_counts_metrics_and_plots(
    instance: dg.DagsterInstance, summary: RunSummary
) -> None:
    record = instance.get_run_record_by_id(summary.run_id)
    assert record is not None
    assert record.dagster_run.status is dg.DagsterRunStatus.SUCCESS
    for table in TABLES:
        event = instance.get_latest_materialization_event(dg.AssetKey(["raw", table.name]))
        assert event is not None
        assert event.asset_materialization is not None
        rows = event.asset_materialization.metadata["dagster/row_count"].value
        assert isinstance(rows, int)
        assert rows > 0
    for name in FEATURE_SET_NAMES:
        event = instance.get_latest_materialization_event(dg.AssetKey([name, "metrics"]))
        assert event is not None
        assert event.asset_materialization is not None
        metadata = event.asset_materialization.metadata
        released = summary.releases[name].metrics["out_of_time"]["roc_auc"].value
        assert metadata["out_of_time_roc_auc"].value == released
        assert isinstance(metadata["roc"], dg.MarkdownMetadataValue)


def test_an_mlflow_that_is_down_is_told_beside_the_release_that_stands(
    instance: dg.DagsterInstance, summary: RunSummary
) -> None:
    for name in FEATURE_SET_NAMES:
        event = instance.get_latest_materialization_event(dg.AssetKey([name, "release"]))
        assert event is not None
        assert event.asset_materialization is not None
        said = event.asset_materialization.metadata["mlflow"].value
        assert f"the {name} release is not registered in MLflow at 127.0.0.1" in str(said)
    log = instance.all_logs(summary.run_id)
    assert PASSWORD not in "".join(map(str, log))


def test_both_releases_answer(settings: Settings, summary: RunSummary) -> None:
    store = open_store(settings.lake)
    behavioural = load_latest(store, "behavioural", settings.home / "cache")
    answer = behavioural.score_account(summary.example_account, 96_000, 24)
    assert 0 < answer.probability_paid_off < 1
    assert answer.model_version == summary.releases["behavioural"].version
    assert load_latest(store, "application", settings.home / "cache").manifest.threshold > 0


def test_the_summary_names_every_figure_and_what_to_do_next(summary: RunSummary) -> None:
    text = "\n".join(summary_lines(summary))
    for release in summary.releases.values():
        assert release.version in text
        assert f"{release.metrics['out_of_time']['roc_auc'].value:.3f}" in text
    assert "make up" in text
    assert "embedded bank" in text
    assert summary.lake in text
    assert f"--account {summary.example_account}" in text
    assert "not measured" not in text
    unbagged = {
        name: release.model_copy(
            update={"metrics": {"out_of_time": release.metrics["out_of_time"]}}
        )
        for name, release in summary.releases.items()
    }
    assert "not measured" in "\n".join(
        summary_lines(summary.model_copy(update={"releases": unbagged}))
    )


def test_the_command_line_scores_with_the_release(settings: Settings, summary: RunSummary) -> None:
    arguments = f"score --account {summary.example_account} --amount 96000 --duration 24 --json"
    answer = json.loads(_invoke(settings, arguments).output)
    assert answer["model_version"] == summary.releases["behavioural"].version
    assert answer["reasons"]


def test_every_cell_of_the_notebook_guide_runs_after_a_run(
    settings: Settings, summary: RunSummary
) -> None:
    assert summary
    cells = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(cells) > 3
    script = "\n".join([*cells, "assert len(loans) > 50 and answer.reasons"])
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env=os.environ | {"LOAN_HOME": str(settings.home)},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


def test_a_candidate_that_fails_the_gate_leaves_the_release_in_place(
    settings: Settings, summary: RunSummary
) -> None:
    assert summary
    before = _state(settings)
    strict = settings.model_copy(update={"minimum_roc_auc": 1.0})
    with dg.DagsterInstance.from_config(str(settings.home / "dagster")) as instance:
        judged = (
            build_defs(strict)
            .resolve_job_def(whole_pipeline.name)
            .execute_in_process(
                asset_selection=[verdict_key("behavioural"), release_key("behavioural")],
                instance=instance,
                raise_on_error=False,
            )
        )
    assert not judged.success
    assert "at least 1.000 is needed" in failure_message(judged)
    assert _state(settings) == before


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pkdd")
    write_pkdd(SampleSource(scale=0.05, seed=1), folder)
    return folder


def _without_a_file(folder: Path) -> str:
    (folder / "card.asc").unlink()
    return "card"


def _without_a_column(folder: Path) -> str:
    _replace(folder / "loan.asc", "duration", "months")
    return "duration"


def _with_an_unparsable_date(folder: Path) -> str:
    lines = (folder / "account.asc").read_text().splitlines()
    lines[1] = lines[1].rsplit(";", 1)[0] + ";999999"
    (folder / "account.asc").write_text("\n".join(lines))
    return "999999"


def _with_a_repeated_key(folder: Path) -> str:
    lines = (folder / "client.asc").read_text().splitlines()
    (folder / "client.asc").write_text("\n".join([*lines, lines[1]]))
    return "client_id"


def _with_a_loan_of_nobody(folder: Path) -> str:
    lines = (folder / "loan.asc").read_text().splitlines()
    cells = lines[1].split(";")
    cells[1] = "987654"
    lines[1] = ";".join(cells)
    (folder / "loan.asc").write_text("\n".join(lines))
    return "987654"


def _replace(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    "spoil",
    [
        _without_a_file,
        _without_a_column,
        _with_an_unparsable_date,
        _with_a_repeated_key,
        _with_a_loan_of_nobody,
    ],
)
def test_bad_input_is_one_clear_message_and_loses_nothing(
    spoil: Callable[[Path], str],
    files: Path,
    tmp_path: Path,
    settings: Settings,
    summary: RunSummary,
) -> None:
    assert summary
    folder = tmp_path / "bank"
    folder.mkdir()
    for file in files.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    named = spoil(folder)
    before = _state(settings)
    answer = _invoke(settings, f"run --source {folder} --recipe quick")
    assert answer.exit_code == 1
    assert named in answer.output
    assert "Traceback" not in answer.output
    assert _state(settings) == before


def test_a_missing_folder_is_named(settings: Settings, summary: RunSummary) -> None:
    assert summary
    before = _state(settings)
    answer = _invoke(settings, "run --source /no/such/folder --recipe quick")
    assert answer.exit_code == 1
    assert "/no/such/folder" in answer.output
    assert _state(settings) == before


def _invoke(settings: Settings, arguments: str) -> Result:
    return CliRunner().invoke(main, arguments.split(), env={"LOAN_HOME": str(settings.home)})
