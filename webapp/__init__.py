"""The web app: forms, a JSON API and a model page over the released models."""

from webapp.app import create_app

__all__ = ["create_app"]
