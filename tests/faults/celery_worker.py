"""The product's Celery app as worker processes of tests run it: with the invented packages.

`celery -A tests.faults.celery_worker worker`
"""

from tests.packages import make_known

make_known()

from abtrac_link.celery import app  # noqa: E402 - only now may the settings be read

__all__ = ["app"]
