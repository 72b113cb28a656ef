"""Making the next items of an iterator while the last one is still being used."""

import queue
import threading
from collections.abc import Generator, Iterable
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")

_SECONDS_BETWEEN_LOOKS = 0.1


def prefetched(items: Iterable[Item], depth: int = 2) -> Generator[Item, None, None]:
    """The same items, up to `depth` of them made ahead by a thread.

    An exception of `items` comes out here, after the items before it. Whoever stops early stops
    the thread too.
    """
    made: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Item | None, error: BaseException | None = None) -> None:
        while not stopped.is_set():
            try:
                made.put((item, error), timeout=_SECONDS_BETWEEN_LOOKS)
            except queue.Full:
                continue
            return

    def make() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(None, StopIteration())
        except BaseException as error:  # noqa: BLE001 - raised again where the items are used
            put(None, error)

    thread = threading.Thread(target=copy_context().run, args=(make,), daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]  # None only together with an error
    finally:
        stopped.set()
        thread.join()
