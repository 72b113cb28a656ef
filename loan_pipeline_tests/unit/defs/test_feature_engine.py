"""The feature engine's resource: what a run's tables share ends with the run."""

import dagster as dg
import pytest

from loan_pipeline.defs import resources
from loan_pipeline.defs.resources import FeatureEngineResource


@pytest.mark.parametrize("fails", [False, True])
def test_the_spark_session_of_a_run_is_stopped_once_at_its_end(
    monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    happened = []
    monkeypatch.setattr(resources, "stop_spark", lambda: happened.append("stopped"))

    def computed(name: str) -> None:
        happened.append(name)
        if fails:
            raise RuntimeError("the computation failed")

    @dg.asset
    def first(engine: FeatureEngineResource) -> None:
        assert engine.spark_master == "local[1]"
        happened.append("first")

    @dg.asset(deps=[first])
    def second(engine: FeatureEngineResource) -> None:
        assert engine.spark_master == "local[1]"
        computed("second")

    engine = FeatureEngineResource(spark_master="local[1]")
    result = dg.materialize([first, second], resources={"engine": engine}, raise_on_error=False)
    assert result.success is not fails
    assert happened == ["first", "second", "stopped"]
