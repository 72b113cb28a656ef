"""The web app: forms, a JSON API and a model page over the released models."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from loan_pipeline.settings import Settings


def create_app(settings: "Settings | None" = None) -> "Flask":
    """The WSGI app; see `webapp.app`.

    Imported only when it is called: a server's first process loads its configuration from this
    package and forks, and what the app imports must come after.
    """
    from webapp.app import make_app

    return make_app(settings)
