"""The Celery application; its settings are the CELERY_ names of the settings module."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "abtrac_link.settings")

app = Celery("abtrac_link")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
