"""The WSGI application the web server loads; in the embedded shape the rest comes with it."""

import os
from multiprocessing.util import Finalize

from django.core.wsgi import get_wsgi_application

from abtrac_link.loading import load_for_good

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "abtrac_link.settings")

# Seconds that the call in hand has when told to stop: less than `serve` waits before it kills.
FINISHING = 8.0

application = get_wsgi_application()


def _start_worker() -> None:
    """Nothing else would send what is queued where no server runs beside the pages."""
    from django.conf import settings

    from interfaces import rehearsals
    from invoicing import workers

    if settings.EMBEDDED:
        rehearsals.serve_embedded()
        running = workers.start()
        # `serve` loads this in a process of its own, which does so as it ends: the pages are closed
        # by then, and the call in hand is finished.
        Finalize(None, running.stop, kwargs={"seconds": FINISHING}, exitpriority=1)


load_for_good()
_start_worker()
