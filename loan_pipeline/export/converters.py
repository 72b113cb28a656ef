"""One trained model of each AutoGluon family as ONNX: the maintained converters, and no more.

Every function takes AutoGluon's wrapper of a fitted model and gives a graph with one input, the
model's own columns as float32, and says which output holds the probability of "paid off". What
AutoGluon does before the model (imputation, scaling) belongs to the graph. Joining graphs is
`export.py`'s part.
"""

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from loan_pipeline.training.errors import NotExportable
from loan_pipeline.training.inputs import FloatArray, IntArray

Float32Array = npt.NDArray[np.float32]

OPSETS = {"": 15, "ai.onnx.ml": 3}


@dataclass(frozen=True)
class FittedGraph:
    """A converted model.

    Attributes:
        probabilities: name of the output of shape [rows, 2], or [rows, 1] with paid off alone.
        columns: the columns of the training table that the graph takes, in its order.
        null_as: the number that AutoGluon puts for nulls before this model; None leaves NaN.
        zero_is_null: whether this model takes zeros for nulls.
    """

    model: onnx.ModelProto
    probabilities: str
    columns: tuple[str, ...]
    null_as: float | None = None
    zero_is_null: bool = False

    @property
    def is_forest(self) -> bool:
        """Whether it is a plain sum over the leaves of trees, with a number for nulls."""
        operations = [node.op_type for node in self.model.graph.node]
        return operations == ["TreeEnsembleRegressor"] and self.null_as is not None


def convert(fitted: Any) -> FittedGraph:
    """Convert one fitted model, AutoGluon's wrapper around a library's own.

    Raises:
        NotExportable: the family has no ONNX form, or this model uses something that has none.
    """
    family = fitted.ag_key
    converter = _CONVERTERS.get(family)
    if converter is None:
        raise NotExportable(f"model {fitted.name} of family {family} cannot be exported to ONNX")
    return converter(fitted)


def _forest(fitted: Any) -> FittedGraph:
    from skl2onnx import convert_sklearn

    columns = _columns(fitted)
    model = convert_sklearn(
        fitted.model,
        initial_types=[("X", _floats(len(columns)))],
        options={id(fitted.model): {"zipmap": False}},
        target_opset=OPSETS,
    )
    # AutoGluon's forests see 0 where a value is missing.
    return FittedGraph(_sum_of_leaves(model), "paid_off", columns, null_as=0.0)


def _sum_of_leaves(model: onnx.ModelProto) -> onnx.ModelProto:
    """The forest as a plain sum over leaves of the share paid off.

    The converter writes a classifier, which fills in the other class and a label for every row;
    the sum alone takes half the time.
    """
    (forest,) = (node for node in model.graph.node if node.op_type == "TreeEnsembleClassifier")
    summed = onnx.NodeProto(
        op_type="TreeEnsembleRegressor", domain=forest.domain, input=forest.input
    )
    summed.output.append("paid_off")
    for attribute in forest.attribute:
        if attribute.name.startswith(("nodes_", "class_")):
            copied = summed.attribute.add()
            copied.CopyFrom(attribute)
            copied.name = copied.name.replace("class_", "target_")
    summed.attribute.append(helper.make_attribute("n_targets", 1))
    output = helper.make_tensor_value_info("paid_off", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph([summed], "forest", list(model.graph.input), [output])
    return helper.make_model(graph, ir_version=model.ir_version, opset_imports=model.opset_import)


def _log_scale_forest(fitted: Any) -> FittedGraph:
    """The forest with its cuts taken back from the logarithmic scale: the same trees, exactly."""
    on_own_scale = copy.copy(fitted)
    on_own_scale.model = copy.deepcopy(fitted.model)
    for tree in on_own_scale.model.estimators_:
        inner = tree.tree_.children_left >= 0
        tree.tree_.threshold[inner] = _cuts_on_own_scale(tree.tree_.threshold[inner])
    return _forest(on_own_scale)


def _cuts_on_own_scale(cuts: FloatArray) -> FloatArray:
    """For each cut the greatest float32 whose logarithm, as the forest saw it, is at most the cut.

    Found by bisection over the float32 numbers themselves, so that no rounding moves a loan to
    the other side.
    """
    from loan_pipeline.training.custom_models import log_scale

    limit = np.array(np.finfo(np.float32).max, dtype=np.float32).view(np.int32).astype(np.int64)
    low = np.full(len(cuts), -limit - 1)
    high = np.full(len(cuts), limit)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        fits = log_scale(_float32_at(middle)) <= cuts
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return _float32_at(low).astype(np.float64)


def _float32_at(ranks: IntArray) -> Float32Array:
    """Float32 numbers by their rank: 0 is nought, 1 the least above it, -1 the greatest below."""
    magnitudes = np.abs(ranks).astype(np.int32).view(np.float32)
    return np.where(ranks < 0, -magnitudes, magnitudes)


def _linear(fitted: Any) -> FittedGraph:
    from skl2onnx import convert_sklearn
    from sklearn.pipeline import Pipeline

    transformers = [part for part in fitted._pipeline.transformers_ if part[0] != "remainder"]
    if [name for name, _, _ in transformers] != ["cont"]:
        raise NotExportable(
            f"{fitted.ag_name} {fitted.name} transforms skewed features by quantiles, which has no "
            "exact ONNX form: set `proc.skew_threshold` to None in its recipe"
        )
    _, preprocessing, columns = transformers[0]
    pipeline = Pipeline([*preprocessing.steps, ("regression", fitted.model)])
    model = convert_sklearn(
        pipeline,
        initial_types=[("X", _floats(len(columns)))],
        options={id(fitted.model): {"zipmap": False}},
        target_opset=OPSETS,
    )
    return FittedGraph(model, "probabilities", tuple(columns))


def _lightgbm(fitted: Any) -> FittedGraph:
    import lightgbm
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    columns = _columns(fitted)
    text = fitted.model.model_to_string(num_iteration=fitted.model.best_iteration)
    booster = lightgbm.Booster(model_str=_rounded_thresholds(text))
    model = convert_lightgbm(
        booster,
        initial_types=[("X", FloatTensorType([None, len(columns)]))],
        zipmap=False,
        target_opset=OPSETS[""],
    )
    return FittedGraph(model, "probabilities", columns)


def _rounded_thresholds(text: str) -> str:
    """LightGBM's model text with each threshold the next float32 at or below it.

    LightGBM compares with doubles, the graph with float32. A value that is a float32 is at most
    the threshold exactly when it is at most this one, while rounding to nearest may cross it.
    """
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        if line.startswith("threshold="):
            values = np.array(line.removeprefix("threshold=").split(), dtype=np.float64)
            near = values.astype(np.float32)
            below = np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)
            lines[index] = "threshold=" + " ".join(repr(float(value)) for value in below) + "\n"
    # The sizes of trees are a shortcut for parallel reading, and have changed.
    return "".join(line for line in lines if not line.startswith("tree_sizes="))


def _xgboost(fitted: Any) -> FittedGraph:
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    columns = _columns(fitted)
    booster = fitted.model.get_booster()
    names, booster.feature_names = booster.feature_names, None
    try:
        model = convert_xgboost(
            fitted.model,
            initial_types=[("X", FloatTensorType([None, len(columns)]))],
            target_opset=OPSETS[""],
        )
    finally:
        booster.feature_names = names
    # AutoGluon hands XGBoost a sparse table where it encodes categories, and XGBoost takes what
    # a sparse table leaves out, zeros, for missing.
    return FittedGraph(model, "probabilities", columns, zero_is_null=bool(fitted._ohe))


def _catboost(fitted: Any) -> FittedGraph:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        fitted.model.save_model(str(path), format="onnx")
        model = onnx.load(str(path))
    # CatBoost wraps the probabilities in a list of dictionaries; its input is the plain tensor.
    (wrapper,) = (node for node in model.graph.node if node.op_type == "ZipMap")
    model.graph.node.remove(wrapper)
    return FittedGraph(model, wrapper.input[0], _columns(fitted))


def _columns(fitted: Any) -> tuple[str, ...]:
    """What the library's model sees: AutoGluon drops columns that are constant in the fold."""
    return tuple(fitted._features_internal)


def _floats(columns: int) -> Any:
    from skl2onnx.common.data_types import FloatTensorType

    return FloatTensorType([None, columns])


_CONVERTERS: dict[str, Callable[[Any], FittedGraph]] = {
    "XT": _forest,
    "LOGXT": _log_scale_forest,
    "RF": _forest,
    "LR": _linear,
    "GBM": _lightgbm,
    "XGB": _xgboost,
    "CAT": _catboost,
}
