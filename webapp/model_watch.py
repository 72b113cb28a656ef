"""Follows releases: loads the latest of each feature set and serves the last good one.

Requests take a scorer once and keep it to their end, so swapping it disturbs none of them.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from loan_pipeline.contracts.features import FEATURE_SET_NAMES, FeatureSet
from loan_pipeline.errors import LoanPipelineError
from loan_pipeline.scoring.release import ReleaseStore, latest_version, load_latest
from loan_pipeline.scoring.scorer import LOSS_GIVEN_DEFAULT, Scorer

logger = logging.getLogger(__name__)


class NoModel(LoanPipelineError):
    """There is no model to answer with yet; the message says what to do."""


@dataclass(frozen=True)
class ModelStatus:
    """The state of a feature set's model.

    Attributes:
        version: what is served; None where nothing is.
        problem: why the latest release is not served; None where it is.
        checked_at: when the store was last asked.
    """

    version: str | None
    problem: str | None
    checked_at: datetime | None


Listener = Callable[[FeatureSet, ModelStatus], None]


class ModelWatch:
    """The scorers in use.

    Args:
        store: where releases are.
        cache_dir: local folder for fetched releases; processes may share it.
        check_seconds: time between two looks at the store.
        listener: called with each status after each look.
        allow_pickles: whether releases may hold a predictor in place of a graph.
        loss_given_default: for the expected loss of what is asked for.
    """

    def __init__(
        self,
        store: ReleaseStore,
        cache_dir: Path,
        check_seconds: float,
        listener: Listener,
        *,
        allow_pickles: bool = False,
        loss_given_default: float = LOSS_GIVEN_DEFAULT,
    ) -> None:
        self._store = store
        self._cache_dir = cache_dir
        self._check_seconds = check_seconds
        self._listener = listener
        self._allow_pickles = allow_pickles
        self._loss_given_default = loss_given_default
        self._scorers: dict[FeatureSet, Scorer] = {}
        self._status: dict[FeatureSet, ModelStatus] = {
            name: ModelStatus(None, "no look at the store was finished yet", None)
            for name in FEATURE_SET_NAMES
        }
        self._looked = threading.Event()
        self._stopped = threading.Event()
        self._refreshing = threading.Lock()

    def scorer(self, feature_set: FeatureSet) -> Scorer:
        """The scorer to answer with.

        Raises:
            NoModel: no release could be used yet.
        """
        try:
            return self._scorers[feature_set]
        except KeyError:
            raise NoModel(
                f"There is no {feature_set} model to answer with: "
                f"{self._status[feature_set].problem}"
            ) from None

    def loaded(self) -> dict[FeatureSet, Scorer]:
        """The scorers in use."""
        return dict(self._scorers)

    def status(self) -> dict[FeatureSet, ModelStatus]:
        """The state of every feature set's model."""
        return dict(self._status)

    def start(self, wait_seconds: float = 10) -> None:
        """Look at the store in the background; wait some seconds for the first look."""
        threading.Thread(target=self._watch, name="model-watch", daemon=True).start()
        self._looked.wait(wait_seconds)

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def refresh(self) -> None:
        """Look at the store once and load what is new."""
        with self._refreshing:
            for feature_set in FEATURE_SET_NAMES:
                self._refresh(feature_set)
        self._looked.set()

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self.refresh()
            self._stopped.wait(self._check_seconds)

    def _refresh(self, feature_set: FeatureSet) -> None:
        in_use = self._scorers.get(feature_set)
        problem = None
        try:
            version = latest_version(self._store, feature_set)
            if in_use is None or in_use.manifest.version != version:
                in_use = load_latest(
                    self._store,
                    feature_set,
                    self._cache_dir,
                    allow_pickles=self._allow_pickles,
                    loss_given_default=self._loss_given_default,
                )
                self._scorers[feature_set] = in_use
                logger.info("serving %s model %s", feature_set, in_use.manifest.version)
        except LoanPipelineError as error:
            problem = str(error)
        except Exception as error:
            # The watch must outlive whatever a store throws: without it no release would come in.
            logger.exception("looking for a %s release failed", feature_set)
            problem = f"looking for a release failed with {type(error).__name__}"
        before = self._status[feature_set]
        if problem and problem != before.problem:
            logger.warning("%s model: %s", feature_set, problem)
        version_in_use = in_use.manifest.version if in_use else None
        status = ModelStatus(version_in_use, problem, datetime.now(UTC))
        self._status[feature_set] = status
        self._listener(feature_set, status)
