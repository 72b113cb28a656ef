"""A forest's reasons as a forest: trees whose leaves hold the features' Shapley values.

Against one fixed baseline, a tree's Shapley values depend on the applicant only through the cuts at
which applicant and baseline may part. So a tree that asks all those cuts can hold the finished
values in its leaves, and the reasons cost hardly more than the score. Asking for
all leaves of the original at once would take too many branches; Shapley values add up, so its
leaves are shared out among several such trees.

Of a leaf that is reached where the features of A are the applicant's and those of B the
baseline's, each of A gets value · (|A|-1)! |B|! / (|A|+|B|)!, and each of B minus
value · |A|! (|B|-1)! / (|A|+|B|)!: the interventional values with one reference of S. Lundberg et
al., "From local explanations to global understanding with explainable AI for trees", 2020.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from math import factorial
from typing import Any, NamedTuple

import numpy as np
from onnx import NodeProto, helper

from loan_pipeline.training.inputs import FloatArray

_MOST_LEAVES = 192  # of one tree of reasons, where it has to do with several leaves
_MOST_LEAVES_OF_ONE = 4096  # a leaf at the end of twelve cuts that the baseline passes as well
_MOST_LEAVES_IN_ALL = 200_000  # some 20 MB of graph

# ONNX's attributes of nodes and of leaves, after their prefix.
_NODES = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
_TARGETS = ("treeids", "nodeids", "ids", "weights")

_DIGITS = 9

_Values = dict[int, float]  # a leaf's values, by feature


@dataclass(frozen=True)
class _Cut:
    """A node that asks whether a feature is at most `at`."""

    feature: int
    at: float
    yes: "_Node"
    no: "_Node"


_Node = _Cut | _Values


class _Way(NamedTuple):
    """How a node of the original was reached: whose features had to be whose."""

    node: int
    applicants: frozenset[int] = frozenset()
    baselines: frozenset[int] = frozenset()


class TooManyLeaves(Exception):
    """The reasons for deep trees would make a graph that is too large."""


def reasons_of(forest: NodeProto, baseline: FloatArray) -> NodeProto:
    """The forest that answers the reasons for a forest's score.

    Args:
        forest: a TreeEnsembleRegressor with one target, whose cuts are of the form x ≤ value.
        baseline: its input for the reference loan, shape [features].

    Returns:
        A TreeEnsembleRegressor on the same input; output [rows, features].

    Raises:
        TooManyLeaves: deep trees have no such forest of a reasonable size.
    """
    written = _Written()
    for tree in _trees(forest, baseline):
        for part in _parts(tree):
            written.add(part)
            if written.leaves > _MOST_LEAVES_IN_ALL:
                raise TooManyLeaves
    attributes: dict[str, Any] = {"n_targets": len(baseline), **written.attributes}
    return helper.make_node(
        "TreeEnsembleRegressor",
        list(forest.input),
        ["contributions"],
        domain=forest.domain,
        **attributes,
    )


def score_of(forest: NodeProto, row: FloatArray) -> float:
    """A forest's score of one row [features]."""
    score = 0.0
    for tree in _trees(forest, row):
        node = 0
        while not tree.is_leaf[node]:
            node = tree.yes[node] if tree.baseline_yes[node] else tree.no[node]
        score += tree.value[node]
    return score


@dataclass(frozen=True)
class _Tree:
    """One tree of the original; lists by node. Leaves are numbered from left to right."""

    feature: list[int]
    cut: list[float]
    yes: list[int]
    no: list[int]
    value: list[float]
    is_leaf: list[bool]
    baseline_yes: list[bool]
    first_leaf: list[int] = field(default_factory=list)
    end_leaf: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.first_leaf.extend([0] * len(self.feature))
        self.end_leaf.extend([0] * len(self.feature))
        self._number(0, 0)

    @property
    def leaves(self) -> int:
        return self.end_leaf[0]

    def _number(self, node: int, first: int) -> int:
        self.first_leaf[node] = first
        end = first + 1
        if not self.is_leaf[node]:
            end = self._number(self.no[node], self._number(self.yes[node], first))
        self.end_leaf[node] = end
        return end


def _trees(forest: NodeProto, baseline: FloatArray) -> Iterator[_Tree]:
    found = {a.name: helper.get_attribute_value(a) for a in forest.attribute}
    columns = {name: np.asarray(found[f"nodes_{name}"]) for name in _NODES}
    trees, nodes = columns["treeids"], columns["nodeids"]
    starts = [*np.flatnonzero(np.diff(trees, prepend=-1)), len(trees)]
    weights = {
        (tree, node): weight
        for tree, node, weight in zip(
            found["target_treeids"],
            found["target_nodeids"],
            found["target_weights"],
            strict=True,
        )
    }
    for start, end in pairwise(starts):
        part = slice(start, end)
        features, cuts = columns["featureids"][part], columns["values"][part]
        at_most = baseline[features].astype(np.float32) <= cuts.astype(np.float32)
        yield _Tree(
            features.tolist(),
            cuts.tolist(),
            columns["truenodeids"][part].tolist(),
            columns["falsenodeids"][part].tolist(),
            [weights.get((trees[start], node), 0.0) for node in nodes[part].tolist()],
            [mode == b"LEAF" for mode in columns["modes"][part]],
            at_most.tolist(),
        )


def _parts(tree: _Tree) -> Iterator[_Node]:
    """Trees of reasons for all leaves, each for as many neighbours as fit."""
    first = 0
    while first < tree.leaves:
        part, first = _largest_part(tree, first)
        if part:
            yield part


def _largest_part(tree: _Tree, first: int) -> tuple[_Node, int]:
    """A tree of reasons for the leaves from `first`, and the leaf where it ends, by bisection."""
    with suppress(TooManyLeaves):
        return _Expansion(tree, first, tree.leaves).root(), tree.leaves
    end, too_far = first + 1, tree.leaves
    part = _Expansion(tree, first, end).root()
    while too_far - end > 1:
        middle = (end + too_far) // 2
        try:
            part, end = _Expansion(tree, first, middle).root(), middle
        except TooManyLeaves:
            too_far = middle
    return part, end


class _Expansion:
    """Asks every cut at which applicant and baseline may part on the way to the chosen leaves."""

    def __init__(self, tree: _Tree, first: int, end: int) -> None:
        self._tree = tree
        self._first, self._end = first, end
        self._leaves = 0

    def root(self) -> _Node:
        return self._grow([_Way(0)], {}, {}, {})

    def _grow(
        self, ways: list[_Way], lows: dict[int, float], highs: dict[int, float], values: _Values
    ) -> _Node:
        """Follow all `ways` of an applicant whose features lie above `lows`, at most at `highs`."""
        tree, ways, values = self._tree, list(ways), dict(values)
        while ways:
            way = ways.pop()
            node, feature, cut = way.node, tree.feature[way.node], tree.cut[way.node]
            if tree.first_leaf[node] >= self._end or tree.end_leaf[node] <= self._first:
                continue
            if tree.is_leaf[node]:
                _share_out(tree.value[node], way, values)
            elif feature in way.baselines:
                ways.append(self._as_baseline(way))
            elif highs.get(feature, np.inf) <= cut:
                ways += self._onwards(way, yes=True)
            elif lows.get(feature, -np.inf) >= cut:
                ways += self._onwards(way, yes=False)
            else:
                yes = ways + self._onwards(way, yes=True)
                no = ways + self._onwards(way, yes=False)
                below = self._grow(yes, lows, {**highs, feature: cut}, values)
                above = self._grow(no, {**lows, feature: cut}, highs, values)
                return below if below == above else _Cut(feature, cut, below, above)
        self._leaves += 1
        if self._leaves > (_MOST_LEAVES if self._end - self._first > 1 else _MOST_LEAVES_OF_ONE):
            raise TooManyLeaves
        # Rounded, so that branches that differ by rounding errors alone become one.
        rounded = {feature: round(value, _DIGITS) for feature, value in values.items()}
        return {feature: value for feature, value in rounded.items() if value}

    def _onwards(self, way: _Way, *, yes: bool) -> list[_Way]:
        """The ways on from a node whose question the applicant answers so."""
        tree, node, feature = self._tree, way.node, self._tree.feature[way.node]
        if yes == tree.baseline_yes[node]:
            return [self._as_baseline(way)]
        applicants = way.applicants | {feature}
        on = [_Way(tree.yes[node] if yes else tree.no[node], applicants, way.baselines)]
        if feature not in way.applicants:
            baselines = way.baselines | {feature}
            on.append(_Way(self._as_baseline(way).node, way.applicants, baselines))
        return on

    def _as_baseline(self, way: _Way) -> _Way:
        tree, node = self._tree, way.node
        child = tree.yes[node] if tree.baseline_yes[node] else tree.no[node]
        return _Way(child, way.applicants, way.baselines)


def _share_out(value: float, way: _Way, values: _Values) -> None:
    own, others = len(way.applicants), len(way.baselines)
    for feature in way.applicants:
        values[feature] = values.get(feature, 0.0) + value * _weight(own, others)
    for feature in way.baselines:
        values[feature] = values.get(feature, 0.0) - value * _weight(others, own)


@cache
def _weight(same: int, others: int) -> float:
    return factorial(same - 1) * factorial(others) / factorial(same + others)


class _Written:
    """Trees as the attributes of an ONNX forest."""

    def __init__(self) -> None:
        names = (*(f"nodes_{name}" for name in _NODES), *(f"target_{name}" for name in _TARGETS))
        self.attributes: dict[str, list[Any]] = {name: [] for name in names}
        self._trees = 0
        self._nodes = 0  # of the tree being written
        self.leaves = 0

    def add(self, root: _Node) -> None:
        self._nodes = 0
        self._write(root)
        self._trees += 1

    def _write(self, node: _Node) -> int:
        number, self._nodes = self._nodes, self._nodes + 1
        if isinstance(node, _Cut):
            row = (self._trees, number, node.feature, node.at, "BRANCH_LEQ", 0, 0)
        else:
            row = (self._trees, number, 0, 0.0, "LEAF", 0, 0)
        for name, value in zip(_NODES, row, strict=True):
            self.attributes[f"nodes_{name}"].append(value)
        if isinstance(node, _Cut):
            place = len(self.attributes["nodes_nodeids"]) - 1
            self.attributes["nodes_truenodeids"][place] = self._write(node.yes)
            self.attributes["nodes_falsenodeids"][place] = self._write(node.no)
        else:
            self.leaves += 1
            for feature, value in node.items():
                row_of_leaf = (self._trees, number, feature, value)
                for name, item in zip(_TARGETS, row_of_leaf, strict=True):
                    self.attributes[f"target_{name}"].append(item)
        return number
