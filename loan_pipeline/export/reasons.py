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

from collections.abc import Iterator, Mapping, Sequence
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

_Values = dict[int, float]  # by feature


class _Way(NamedTuple):
    """How a node of the original was reached: whose features had to be whose."""

    node: int
    applicants: frozenset[int] = frozenset()
    baselines: frozenset[int] = frozenset()


class _Cut(NamedTuple):
    """A node of a tree of reasons that asks whether a feature is at most `at`."""

    feature: int
    at: float
    yes: "_Cut | _Cell"
    no: "_Cut | _Cell"


class _Cell(NamedTuple):
    """A leaf of a tree of reasons: the applicants on the same side of every cut above it.

    Attributes:
        values: the features' Shapley values from the leaves so far.
        ways: those whose leaf of the original is not reached yet; none in a finished tree.
        lows: by feature, what its values lie above.
        highs: by feature, what its values are at most.
    """

    values: _Values
    ways: Sequence[_Way] = ()
    lows: Mapping[int, float] = {}
    highs: Mapping[int, float] = {}


_Node = _Cut | _Cell


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
    if not written.leaves:  # no tree has a cut, and ONNX has no ensemble without leaves
        written.add(_Cell({0: 0.0}))
    attributes: dict[str, Any] = {"n_targets": len(baseline), **written.attributes()}
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
        growth = _Growth(tree)
        node, first = growth.with_leaf(growth.root(), first, _MOST_LEAVES_OF_ONE), first + 1
        with suppress(TooManyLeaves):  # that leaf begins the next part
            while first < tree.leaves:
                node, first = growth.with_leaf(node, first, _MOST_LEAVES), first + 1
        part = _finished(node)
        if isinstance(part, _Cut) or part.values:
            yield part


def _finished(node: _Node) -> _Node:
    """The tree of reasons with values in its leaves; branches that answer the same become one."""
    if isinstance(node, _Cut):
        yes, no = _finished(node.yes), _finished(node.no)
        return yes if yes == no else _Cut(node.feature, node.at, yes, no)
    # Rounded, so that branches that differ by rounding errors alone are the same.
    rounded = {feature: round(value, _DIGITS) for feature, value in node.values.items()}
    return _Cell({feature: value for feature, value in rounded.items() if value})


class _Growth:
    """Asks, leaf by leaf, every cut at which applicant and baseline may part on the way to it."""

    def __init__(self, tree: _Tree) -> None:
        self._tree = tree
        self._leaves = 1

    def root(self) -> _Cell:
        return _Cell({}, [_Way(0)])

    def with_leaf(self, node: _Node, leaf: int, most: int) -> _Node:
        """The tree grown so far with the values from one more leaf of the original.

        Raises:
            TooManyLeaves: it would have more than `most`.
        """
        if isinstance(node, _Cell):
            leads_there = any(self._tree.first_leaf[way.node] <= leaf for way in node.ways)
            return self._follow(node, leaf, most) if leads_there else node
        yes, no = self.with_leaf(node.yes, leaf, most), self.with_leaf(node.no, leaf, most)
        unchanged = yes is node.yes and no is node.no
        return node if unchanged else _Cut(node.feature, node.at, yes, no)

    def _follow(self, cell: _Cell, leaf: int, most: int) -> _Node:
        """Follow the cell's ways as far as the leaf; later ones wait for their turn."""
        tree, lows, highs = self._tree, cell.lows, cell.highs
        ways, waiting, values = list(cell.ways), [], dict(cell.values)
        while ways:
            way = ways.pop()
            node, feature, cut = way.node, tree.feature[way.node], tree.cut[way.node]
            if tree.first_leaf[node] > leaf:
                waiting.append(way)
            elif tree.end_leaf[node] <= leaf:  # to leaves of trees before
                continue
            elif tree.is_leaf[node]:
                _share_out(tree.value[node], way, values)
            elif feature in way.baselines:
                ways.append(self._as_baseline(way))
            elif highs.get(feature, np.inf) <= cut:
                ways += self._onwards(way, yes=True)
            elif lows.get(feature, -np.inf) >= cut:
                ways += self._onwards(way, yes=False)
            else:
                self._leaves += 1
                if self._leaves > most:
                    raise TooManyLeaves
                yes = waiting + ways + self._onwards(way, yes=True)
                no = waiting + ways + self._onwards(way, yes=False)
                below = _Cell(values, yes, lows, {**highs, feature: cut})
                above = _Cell(values, no, {**lows, feature: cut}, highs)
                followed = (self._follow(one, leaf, most) for one in (below, above))
                return _Cut(feature, cut, *followed)
        return _Cell(values, waiting, lows, highs)

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
        self._nodes: list[list[Any]] = []
        self._targets: list[tuple[int, int, int, float]] = []
        self._trees = 0
        self._first = 0  # node of the tree being written
        self.leaves = 0

    def add(self, root: _Node) -> None:
        self._first = len(self._nodes)
        self._write(root)
        self._trees += 1

    def attributes(self) -> dict[str, list[Any]]:
        nodes = zip(_NODES, zip(*self._nodes, strict=True), strict=True)
        targets = zip(_TARGETS, zip(*self._targets, strict=True), strict=True)
        return {f"nodes_{name}": list(values) for name, values in nodes} | {
            f"target_{name}": list(values) for name, values in targets
        }

    def _write(self, node: _Node) -> int:
        number = len(self._nodes) - self._first
        if isinstance(node, _Cut):
            row = [self._trees, number, node.feature, node.at, "BRANCH_LEQ", 0, 0]
            self._nodes.append(row)
            row[-2:] = self._write(node.yes), self._write(node.no)
        else:
            self._nodes.append([self._trees, number, 0, 0.0, "LEAF", 0, 0])
            self._targets += (
                (self._trees, number, feature, value) for feature, value in node.values.items()
            )
            self.leaves += 1
        return number
