"""The WSGI application the web server loads."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "abtrac_link.settings")

application = get_wsgi_application()
