"""Every address of the product.

Each application's `urls.py` holds whole paths, `<slug:practice_slug>/...` for what belongs to a
practice. A practice can never be named like the first part of another path:
`offices.models.RESERVED_SLUGS`.
"""

from allauth.account import views as account
from django.urls import URLPattern, URLResolver, include, path

from interfaces import urls as interfaces
from invoicing.views_codes import urlpatterns_codes

# Of allauth, only what is used: nobody signs up, and addresses are not changed by their owners.
accounts = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", account.password_change, name="account_change_password"),
    path("2fa/", include("allauth.mfa.urls")),
]

# Pages of an interface under one name, whether they know of invoices or not.
of_interfaces = [*interfaces.urlpatterns, *urlpatterns_codes]

urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/", include(accounts)),
    path("", include((of_interfaces, interfaces.app_name))),
    path("", include("invoicing.urls")),
    path("", include("offices.urls")),
]
