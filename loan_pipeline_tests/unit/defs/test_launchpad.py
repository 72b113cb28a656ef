"""What stands in the launchpad when a person opens it, and the examples beside it."""

import re
from pathlib import Path

import dagster as dg
import pytest
import yaml
from pydantic import ValidationError

from loan_pipeline.definitions import build_defs
from loan_pipeline.settings import Settings

PEOPLE_START = ("whole_pipeline", "retraining", "training", "release_decision", "fill")
_YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_defs(Settings(home=tmp_path_factory.mktemp("home")))


@pytest.mark.parametrize("name", PEOPLE_START)
def test_each_example_in_a_job_s_description_is_a_configuration_of_it(
    definitions: dg.Definitions, name: str
) -> None:
    job = definitions.resolve_job_def(name)
    examples = _YAML.findall(job.description or "")
    assert examples
    for example in examples:
        assert dg.validate_run_config(job, yaml.safe_load(example))


def test_the_examples_are_the_things_that_people_do(definitions: dg.Definitions) -> None:
    def examples(name: str) -> str:
        return " ".join(_YAML.findall(definitions.resolve_job_def(name).description or ""))

    assert "source: sample" in examples("whole_pipeline")
    assert "source: /data/pkdd99" in examples("whole_pipeline")
    assert "recipe: quick" in examples("retraining")
    assert "decision: reject" in examples("release_decision")
    assert "source: sample" in examples("fill")


def test_what_stands_in_the_launchpad_leaves_the_bank_as_it_is(definitions: dg.Definitions) -> None:
    for name in ("whole_pipeline", "fill"):
        config = definitions.resolve_job_def(name).run_config
        assert config is not None
        assert config["ops"]["bank"]["config"] == {"source": ""}


def test_a_decision_that_was_not_filled_in_decides_nothing(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("release_decision")
    assert job.run_config is not None
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(ValidationError, match="at least 1 character"),
    ):
        job.execute_in_process(instance=instance)


def test_the_release_links_to_its_page_in_the_web_app(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, web_url="https://loans.bank.example/")
    policy = (build_defs(settings).resources or {})["policy"]
    assert policy.page("behavioural").url == "https://loans.bank.example/model#behavioural"
