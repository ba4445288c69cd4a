"""Addresses of interfaces.

The pages of codes show what invoices need of them: their views are invoicing's (`views_codes`), and
`abtrac_link.urls` puts them beside these.
"""

from django.urls import path

from interfaces import views, views_consent
from interfaces.views_charges import urlpatterns_charges

app_name = "interfaces"

BASE = "<slug:practice_slug>/accounting/interfaces/"
ONE = f"{BASE}<int:interface_id>/"

urlpatterns = [
    path(BASE, views.interfaces, name="list"),
    path(f"{BASE}add/", views.add, name="add"),
    path(ONE, views.detail, name="detail"),
    path(f"{ONE}codes/refresh/", views.refresh, name="refresh"),
    path(f"{ONE}preferences/", views.preferences, name="preferences"),
    path(f"{ONE}connect/", views_consent.connect, name="connect"),
    path(f"{ONE}choose/", views_consent.choose, name="choose"),
    path(f"{ONE}disconnect/", views_consent.disconnect, name="disconnect"),
    path("oauth/<slug:package_key>/callback", views_consent.callback, name="callback"),
    *urlpatterns_charges,
]
