"""What is wrong with the lake as it stands: stale records, apps on another release."""

from datetime import datetime, timedelta

from loan_pipeline.alerts.alert import Alert
from loan_pipeline.contracts.features import FEATURE_SET_NAMES
from loan_pipeline.lake.protocol import Store
from loan_pipeline.lake.snapshot import LATEST_KEY
from loan_pipeline.monitoring.predictions import recent_predictions
from loan_pipeline.release.publish import releases

# An app looks for a new release every half minute, and its log is a minute behind.
FOLLOWING = timedelta(minutes=10)


def conditions(store: Store, now: datetime, max_age: timedelta) -> dict[str, Alert]:
    """Every condition that holds now, by a name that stays the same while it does.

    Args:
        store: the lake; what was never made is no condition.
        now: the current time.
        max_age: how old a snapshot or release may be.

    Raises:
        StoreError: the lake cannot be read.
    """
    return {
        **_stale_snapshot(store, now, max_age),
        **_stale_releases(store, now, max_age),
        **_apps_behind(store, now),
    }


def _stale_snapshot(store: Store, now: datetime, max_age: timedelta) -> dict[str, Alert]:
    pointer = store.read_pointer(LATEST_KEY)
    if pointer is None:
        return {}
    age = now - datetime.fromisoformat(pointer.value["created_at"])
    if age <= max_age:
        return {}
    snapshot_id = pointer.value["snapshot_id"]
    text = f"The latest is {_days(age)} old; {_days(max_age)} are allowed."
    return {f"stale {snapshot_id}": Alert("snapshot stale", snapshot_id, text)}


def _stale_releases(store: Store, now: datetime, max_age: timedelta) -> dict[str, Alert]:
    found = {}
    for name in FEATURE_SET_NAMES:
        for release in releases(store, name):
            age = now - release.created_at
            if release.current and age > max_age:
                text = f"The current one is {_days(age)} old; {_days(max_age)} are allowed."
                alert = Alert("release stale", f"{name} {release.version}", text)
                found[f"stale {name} {release.version}"] = alert
    return found


def _apps_behind(store: Store, now: datetime) -> dict[str, Alert]:
    """Answers from a release that has not been the current one for a while."""
    rows = recent_predictions(store, now - FOLLOWING)
    found = {}
    for name in FEATURE_SET_NAMES:
        kept = releases(store, name)
        current = next((one.version for one in kept if one.current), None)
        changed = store.modified(f"releases/{name}/latest.json") if current else now
        since = max(now - FOLLOWING, changed + FOLLOWING)
        answered = rows[(rows["feature_set"] == name) & (rows["answered_at"] >= since)]
        counts = answered["model_version"].value_counts()
        for version, n in sorted(counts.items()):
            if version != current:
                known = (
                    "an older release"
                    if version in {one.version for one in kept}
                    else ("a release that is not kept (refused, rejected or deleted)")
                )
                text = (
                    f"{n} answers since {since:%H:%M} UTC came from {version}, {known}; the "
                    f"current one is {current}."
                )
                alert = Alert("app serves another release", f"{name} {version}", text)
                found[f"serving {name} {version}"] = alert
    return found


def _days(age: timedelta) -> str:
    return f"{age / timedelta(days=1):.1f} days"
