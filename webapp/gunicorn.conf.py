# ruff: noqa: N999 - gunicorn's own name for it
"""How gunicorn serves the app: `gunicorn -c webapp/gunicorn.conf.py "webapp:create_app()"`.

The app is made in each worker and never before a fork: models do not survive one.
"""

import gc
import os
import shutil
import tempfile
from typing import Any

_port = os.environ.get("PORT") or os.environ.get("WEB_PORT") or "8000"
# A platform that sets PORT wants to reach it from outside; on one's own machine nobody should.
_default_host = "0.0.0.0" if os.environ.get("PORT") else "127.0.0.1"  # noqa: S104
_host = os.environ.get("WEB_HOST") or _default_host
bind = f"{_host}:{_port}"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
worker_class = "webapp.worker.DrainingWorker"
threads = 4
preload_app = False
control_socket_disable = True
keepalive = 5
timeout = 30
graceful_timeout = 30
# Heartbeats belong in memory: a slow disk must not look like a stuck worker.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108
limit_request_line = 2048
limit_request_fields = 50
limit_request_field_size = 4096

# The app writes its own access log, with request ids, as JSON.
accesslog = None
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "webapp.jsonlog.JsonFormatter"}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "json",
        }
    },
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["stdout"], "propagate": False},
        "gunicorn.access": {"level": "WARNING", "handlers": [], "propagate": False},
    },
}

# Each worker writes its metrics there; prometheus_client looks for it when it is imported.
_metrics_dir = tempfile.mkdtemp(prefix="loan-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics_dir


def post_worker_init(_worker: object) -> None:
    """A worker is about to serve: what it loaded stays, so no collection need look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def child_exit(_server: object, worker: Any) -> None:
    """A worker ended: its gauges no longer count."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: object) -> None:
    """All ended."""
    shutil.rmtree(_metrics_dir, ignore_errors=True)
