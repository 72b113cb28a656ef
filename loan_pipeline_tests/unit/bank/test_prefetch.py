"""Prefetching: the same items, ahead of time, and no thread left behind."""

import threading
from collections.abc import Iterator

import pytest

from loan_pipeline.bank.prefetch import prefetched

pytestmark = pytest.mark.fast


def test_items_come_in_their_order() -> None:
    assert list(prefetched(range(1000))) == list(range(1000))
    assert list(prefetched([])) == []


def test_an_error_comes_after_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    seen = []
    with pytest.raises(ValueError, match="broken"):
        seen.extend(prefetched(broken()))
    taken = prefetched(broken())
    assert next(taken) == 1
    with pytest.raises(ValueError, match="broken"):
        next(taken)


def test_no_more_than_the_depth_is_made_ahead() -> None:
    made = []

    def counting() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    items = prefetched(counting(), depth=2)
    next(items)
    threading.Event().wait(0.2)
    assert len(made) <= 4  # one used, two waiting, one in hand
    items.close()


def test_whoever_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    for number in prefetched(iter(int, 1)):
        assert number == 0
        break
    else:
        pytest.fail("there are items")
    items = prefetched(iter(int, 1))
    next(items)
    items.close()
    assert threading.active_count() == before
