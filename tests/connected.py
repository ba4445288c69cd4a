"""A practice's interfaces to stand-ins, ready to upload through."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from connectors.xero.standin import XeroStandIn
from interfaces.codes import refresh_codes
from interfaces.credentials import store_tokens
from interfaces.models import AccountCode, AccountingInterface, TaxCode
from interfaces.registration import create_interface
from offices.models import Practice, User
from offices.tenancy import acting_for

ORGANISATION = "Harbour Architects Ltd"


def connect_xero(
    practice: Practice,
    xero: XeroStandIn,
    user: User,
    *,
    name: str = "Xero",
    preferences: dict[str, Any] | None = None,
    signed_in_for: timedelta | None = None,
) -> AccountingInterface:
    """Signed in, with the organisation chosen, its codes read and defaults set.

    Documents are delivered as authorised unless `preferences` say otherwise. The sign-in ends when
    Xero says, or after `signed_in_for`.
    """
    with acting_for(practice.pk):
        interface = create_interface(package_key="xero", name=name)
        interface.preferences |= {"delivery_status": "AUTHORISED", **(preferences or {})}
        interface.company_file_id = xero.organisation(ORGANISATION).tenant_id
        interface.company_file_name = ORGANISATION
        interface.live_since = timezone.now()
        interface.state = AccountingInterface.State.CONNECTED
        interface.save()
        tokens: dict[str, Any] = xero.issue_tokens()
        if signed_in_for:
            tokens["expires_at"] = (timezone.now() + signed_in_for).timestamp()
        store_tokens(interface.pk, tokens, user)
    refresh_codes(practice_id=practice.pk, interface_id=interface.pk)
    with acting_for(practice.pk):
        interface.refresh_from_db()
        interface.revenue_account = AccountCode.objects.get(interface=interface, code="200")
        interface.disbursement_account = AccountCode.objects.get(interface=interface, code="210")
        interface.revenue_tax = TaxCode.objects.get(interface=interface, code="OUTPUT2")
        interface.tax_free_tax = TaxCode.objects.get(interface=interface, code="ZERORATED")
        interface.save()
    return interface


def connect_invented(
    practice: Practice, key: str, user: User, *, company_file: str, name: str = ""
) -> AccountingInterface:
    """To Keeper or Plain, its codes read and defaults set; the sign-in lasts."""
    with acting_for(practice.pk):
        interface = create_interface(package_key=key, name=name or key.capitalize())
        interface.company_file_id = company_file
        interface.company_file_name = ORGANISATION
        interface.live_since = timezone.now()
        interface.state = AccountingInterface.State.CONNECTED
        interface.save()
        lasts = (timezone.now() + timedelta(days=365)).timestamp()
        store_tokens(interface.pk, {"access_token": "invented", "expires_at": lasts}, user)
    refresh_codes(practice_id=practice.pk, interface_id=interface.pk)
    with acting_for(practice.pk):
        interface.refresh_from_db()
        accounts = AccountCode.objects.filter(interface=interface, active=True).order_by("code")
        taxes = TaxCode.objects.filter(interface=interface, active=True)
        interface.revenue_account, interface.disbursement_account = accounts[:2]
        interface.revenue_tax = taxes.get(rate=15)
        interface.tax_free_tax = taxes.get(rate=0)
        interface.save()
    return interface
