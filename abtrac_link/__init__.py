"""The project: wiring only, no business rule."""

from abtrac_link.celery import app as celery_app

__all__ = ["celery_app"]
