"""When a worker writes what it noted while it answered: logs, metrics, answers."""

import time

_SECONDS_BETWEEN = 0.5
_started = time.monotonic()


def seconds_to_next() -> float:
    """Seconds until the next moment, the same for every thread of this process.

    Who writes takes Python's lock from the threads that answer. Together and not too often, few
    requests meet it; with moments of its own, a worker does not wait for others to write.
    """
    return _SECONDS_BETWEEN - (time.monotonic() - _started) % _SECONDS_BETWEEN
