"""The WSGI application the web server loads; in the embedded shape the worker comes with it."""

import os

from django.core.wsgi import get_wsgi_application

from abtrac_link.loading import load_for_good

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "abtrac_link.settings")

application = get_wsgi_application()


def _start_worker() -> None:
    """Nothing else would send what is queued where no server runs beside the pages."""
    from django.conf import settings

    from invoicing import workers

    if settings.EMBEDDED:
        workers.start()


load_for_good()
_start_worker()
