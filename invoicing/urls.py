"""Addresses of invoicing."""

from django.urls import URLPattern

from invoicing.api.urls import urlpatterns_api
from invoicing.views_available import urlpatterns_available
from invoicing.views_batches import urlpatterns_batches
from invoicing.views_causes import urlpatterns_causes
from invoicing.views_client import urlpatterns_client
from invoicing.views_clients import urlpatterns_clients
from invoicing.views_columns import urlpatterns_columns
from invoicing.views_hand_over import urlpatterns_hand_over
from invoicing.views_in_accounts import urlpatterns_in_accounts
from invoicing.views_interface import urlpatterns_interface
from invoicing.views_invoices import urlpatterns_invoices
from invoicing.views_jobs import urlpatterns_jobs
from invoicing.views_links import urlpatterns_links
from invoicing.views_preview import urlpatterns_preview
from invoicing.views_rehearsals import urlpatterns_rehearsals
from invoicing.views_set_up import urlpatterns_set_up
from invoicing.views_support import urlpatterns_support

app_name = "invoicing"

urlpatterns: list[URLPattern] = [
    *urlpatterns_api,
    *urlpatterns_available,
    *urlpatterns_batches,
    *urlpatterns_causes,
    *urlpatterns_client,
    *urlpatterns_clients,
    *urlpatterns_columns,
    *urlpatterns_hand_over,
    *urlpatterns_in_accounts,
    *urlpatterns_interface,
    *urlpatterns_invoices,
    *urlpatterns_jobs,
    *urlpatterns_links,
    *urlpatterns_preview,
    *urlpatterns_rehearsals,
    *urlpatterns_set_up,
    *urlpatterns_support,
]
