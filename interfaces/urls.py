"""Addresses of interfaces.

The pages of codes show what invoices need of them: their views are invoicing's (`views_codes`), and
`abtrac_link.urls` puts them beside these.
"""

from django.urls import path

from interfaces import views, views_assistance, views_code_lists, views_consent
from interfaces.views_charges import urlpatterns_charges

app_name = "interfaces"

BASE = "<slug:practice_slug>/accounting/interfaces/"
ONE = f"{BASE}<int:interface_id>/"

urlpatterns = [
    path(BASE, views.interfaces, name="list"),
    path(f"{BASE}add/", views.add, name="add"),
    path(f"{BASE}rehearse/", views_consent.rehearse, name="rehearse"),
    path(ONE, views.detail, name="detail"),
    path(f"{ONE}codes/refresh/", views.refresh, name="refresh"),
    path(f"{ONE}codes/import/", views_code_lists.import_codes, name="import_codes"),
    path(f"{ONE}preferences/", views.preferences, name="preferences"),
    path(f"{ONE}pause/", views.pause, name="pause"),
    path(f"{ONE}resume/", views.resume, name="resume"),
    path(f"{ONE}connect/", views_consent.connect, name="connect"),
    path(f"{ONE}choose/", views_consent.choose, name="choose"),
    path(f"{ONE}disconnect/", views_consent.disconnect, name="disconnect"),
    path(f"{BASE}ask/<slug:package_key>/", views_assistance.ask, name="ask"),
    path(f"{ONE}answers/", views_assistance.answers, name="answers"),
    path(f"{ONE}answers/leave/", views_assistance.leave, name="leave"),
    path(f"{ONE}answers/withdraw/", views_assistance.withdraw, name="withdraw"),
    path(f"{ONE}preferences/copy/", views_assistance.copy_settings, name="copy_settings"),
    # Below one of `offices.models.RESERVED_SLUGS`, so that no practice is ever called like it.
    path("support/set-ups/", views_assistance.set_ups, name="set_ups"),
    path("support/set-ups/<int:request_id>/take-on/", views_assistance.take_on, name="take_on"),
    path("support/set-ups/<int:request_id>/quote/", views_assistance.quote, name="quote"),
    path("oauth/<slug:package_key>/callback", views_consent.callback, name="callback"),
    *urlpatterns_charges,
]
