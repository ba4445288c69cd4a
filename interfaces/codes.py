"""Account and tax codes, as the package lists them; `code_book` finds them for a line."""

import logging
from collections.abc import Callable, Collection, Iterable
from typing import Any

from celery import current_app
from kombu.exceptions import OperationalError

from connectors.base.documents import Account, Codes, Tax
from connectors.base.errors import ConnectorError, RetryLater
from connectors.base.protocol import ReadsCodes
from interfaces import clock
from interfaces.code_book import CodeBook, Explained, LineFacts, Problem, Resolved, Step
from interfaces.code_lists import CodeList, Kind
from interfaces.connections import open_connector
from interfaces.models import AccountCode, AccountingInterface, TaxCode
from offices.tenancy import acting_for

__all__ = [
    "CodeBook",
    "Explained",
    "LineFacts",
    "Problem",
    "Resolved",
    "Step",
    "refresh_codes",
    "refresh_quietly",
    "refresh_soon",
    "set_available",
    "take_list",
]

log = logging.getLogger("interfaces.codes")

REFRESH = "interfaces.tasks.refresh_codes"


def refresh_codes(*, practice_id: int, interface_id: int) -> None:
    """Read all codes and facts of the company file.

    Codes that are gone are flagged, not removed: invoices and rules still name them. On failure
    the reason is kept beside the old codes and the ConnectorError raised.
    """
    with acting_for(practice_id):
        interface = AccountingInterface.objects.get(pk=interface_id)
    if not interface.package.can(ReadsCodes):
        return
    try:
        with open_connector(practice_id=practice_id, interface_id=interface_id) as connector:
            codes = connector.read_codes()
        if not codes.accounts:
            raise _empty_chart(interface)
    except ConnectorError as error:
        with acting_for(practice_id):
            AccountingInterface.objects.filter(pk=interface_id).update(codes_error=str(error)[:500])
        raise
    with acting_for(practice_id):
        _store(
            AccountingInterface.objects.select_for_update(no_key=True).get(pk=interface_id), codes
        )
    log.info(
        "codes read practice=%s interface=%s accounts=%s taxes=%s",
        *(practice_id, interface_id, len(codes.accounts), len(codes.taxes)),
    )


def _empty_chart(interface: AccountingInterface) -> RetryLater:
    """No company file is without accounts: taken at its word, every code would be gone."""
    label = interface.package.label
    return RetryLater(
        f"{label} lists no account at all for {interface.company_file_name or interface.name}, so"
        f" the codes were left as they were. Look there whether it is the right"
        f" {interface.package.company_file_word} and has its chart of accounts, then read again."
    )


def take_list(interface: AccountingInterface, found: CodeList) -> None:
    """Keep a list that a person brought, as if it had been read. Needs a scope.

    The other list stays as it is.
    """
    if found.kind is Kind.ACCOUNTS:
        _upsert(AccountCode, interface, found.listed, _account_fields)
    else:
        _upsert(TaxCode, interface, found.listed, _tax_fields)
    interface.codes_read_at = clock.now()
    interface.codes_error = ""
    interface.save(update_fields=["codes_read_at", "codes_error"])


def refresh_soon(practice_id: int, interface_id: int) -> None:
    """Ask a worker to read the codes. A dead broker is only logged: they are read daily anyway."""
    try:
        current_app.send_task(REFRESH, args=[practice_id, interface_id], retry=False)
    except (OperationalError, OSError) as error:
        log.warning("refresh not asked interface=%s error=%s", interface_id, type(error).__name__)


def refresh_quietly(*, practice_id: int, interface_id: int) -> str:
    """As `refresh_codes`, but a failure is answered as its words, which are kept for the page."""
    try:
        refresh_codes(practice_id=practice_id, interface_id=interface_id)
    except ConnectorError as error:
        log.warning(
            "codes not read practice=%s interface=%s error=%s",
            *(practice_id, interface_id, type(error).__name__),
        )
        return str(error)
    return ""


def set_available(
    interface: AccountingInterface, *, accounts: Collection[int], taxes: Collection[int]
) -> None:
    """Offer exactly these codes, by row id, where codes are chosen. Needs a scope."""
    for model, chosen in ((AccountCode, accounts), (TaxCode, taxes)):
        rows = model.objects.filter(interface=interface)
        rows.filter(available=True).exclude(pk__in=chosen).update(available=False)
        rows.filter(available=False, pk__in=chosen).update(available=True)


def _store(interface: AccountingInterface, codes: Codes) -> None:
    _upsert(AccountCode, interface, codes.accounts, _account_fields)
    _upsert(TaxCode, interface, codes.taxes, _tax_fields)
    facts = dict(codes.facts)
    interface.facts = facts
    interface.currency = facts.get("currency", "")[:3] or interface.currency
    interface.country = facts.get("country", "")[:2] or interface.country
    interface.currencies = list(codes.currencies)
    interface.lock_date = codes.lock_date
    interface.codes_read_at = clock.now()
    interface.codes_error = ""
    interface.save(
        update_fields=[
            *("facts", "currency", "country", "currencies", "lock_date"),
            *("codes_read_at", "codes_error"),
        ]
    )


def _account_fields(account: Account) -> dict[str, Any]:
    allowed = account.allowed_tax_codes
    return {
        "kind": account.kind[:50],
        "remote_id": account.remote_id[:100],
        "default_tax_code": account.default_tax_code[:50],
        "allowed_tax_codes": None if allowed is None else list(allowed),
    }


def _tax_fields(tax: Tax) -> dict[str, Any]:
    return {"rate": tax.rate}


def _common_fields(one: Account | Tax) -> dict[str, Any]:
    return {
        "name": one.name[:200],
        "active": one.active,
        "usable_for_sales": one.usable_for_sales,
        "vanished_at": None,
    }


def _upsert(
    model: Any,
    interface: AccountingInterface,
    listed: Iterable[Account | Tax],
    own_fields: Callable[[Any], dict[str, Any]],
) -> None:
    """Add and update what is listed, flag what is not; the admin's own choices stay."""
    longest = model._meta.get_field("code").max_length
    # Of a code listed twice the active one counts; one without a code cannot be named on a line.
    named = {one.code: one for one in sorted(listed, key=lambda one: one.active)}
    rows = [
        model(
            interface=interface,
            code=code,
            # For new rows only: what sales lines cannot carry is not offered unless asked for.
            available=one.active and one.usable_for_sales,
            **_common_fields(one),
            **own_fields(one),
        )
        for code, one in named.items()
        if 0 < len(code) <= longest
    ]
    if rows:
        some = next(iter(named.values()))
        changing = [*_common_fields(some), *own_fields(some)]
        model.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["interface", "code"],
            update_fields=changing,
        )
    gone = model.objects.filter(interface=interface, vanished_at__isnull=True)
    gone.exclude(code__in=[row.code for row in rows]).update(vanished_at=clock.now())
