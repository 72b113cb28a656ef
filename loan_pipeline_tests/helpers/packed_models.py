"""Small predictors of a recipe that no graph can hold, and what stands in for a wicked one."""

import io
import pickle
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from loan_pipeline.contracts.features import FeatureSet
from loan_pipeline.export.packed import CALIBRATION_FILE
from loan_pipeline.training.predictor import TrainedPredictor
from loan_pipeline.training.recipes import Member, Recipe, recipe
from loan_pipeline.training.train import train_predictor
from loan_pipeline_tests.helpers.loan_tables import loan_table

LOANS = loan_table(240)
# Published in name, as only that recipe has no ONNX form; two of its families, for speed.
FEW = replace(
    recipe("published"),
    members=(
        Member("XT", parameters={"n_estimators": 30}),
        Member("KNN", "Unif", parameters={"weights": "uniform"}),
    ),
)


def trained_without_graph(
    path: Path, name: FeatureSet = "behavioural", chosen: Recipe = FEW, seed: int = 0
) -> TrainedPredictor:
    """A predictor that can only be packed."""
    return train_predictor(LOANS, name, chosen, "observed", path, seed=seed)


def wicked(packed: bytes, proof: Path) -> bytes:
    """A packed predictor whose every pickle writes the file `proof` when it is opened."""

    class Touch:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f"open({str(proof)!r}, 'w').close()",)

    evil = pickle.dumps(Touch())
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        names = [member.name for member in archive if member.name.endswith(".pkl")]
        calibration = archive.extractfile(CALIBRATION_FILE)
        assert calibration is not None
        return tar({CALIBRATION_FILE: calibration.read(), **dict.fromkeys(names, evil)})


def tar(files: Mapping[str, bytes]) -> bytes:
    """A gzipped tar of these files."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return data.getvalue()
