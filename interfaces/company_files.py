"""Which company file (Xero: organisation) an interface belongs to. Chosen once, then kept."""

from connectors.base.documents import CompanyFile
from interfaces import clock
from interfaces.connections import open_for_choosing
from interfaces.models import AccountingInterface
from interfaces.standing import regain
from offices.tenancy import acting_for

State = AccountingInterface.State


class CannotChoose(Exception):
    """This choice is not to be had; `str(error)` says why."""


def list_for(*, practice_id: int, interface_id: int) -> list[CompanyFile]:
    """Every company file the stored consent reaches, by name. Raises ConnectorError."""
    with open_for_choosing(practice_id=practice_id, interface_id=interface_id) as connector:
        found: list[CompanyFile] = connector.list_company_files()
    return sorted(found, key=lambda one: one.name.casefold())


def choose(*, practice_id: int, interface_id: int, company_file_id: str) -> CompanyFile:
    """Give the interface one of the company files its consent reaches, and connect it.

    Raises CannotChoose, or a ConnectorError when the package cannot be asked.
    """
    files = list_for(practice_id=practice_id, interface_id=interface_id)
    chosen = next((one for one in files if one.id == company_file_id), None)
    if chosen is None:
        raise CannotChoose("That one is not in reach of this sign-in. Choose again.")
    with acting_for(practice_id):
        interface = AccountingInterface.objects.select_for_update(no_key=True).get(pk=interface_id)
        if interface.company_file_id not in {"", chosen.id}:
            raise CannotChoose(
                f"{interface.name} already belongs to {interface.company_file_name}."
                " Its codes and uploads are from there; add another interface instead."
            )
        if interface.state != State.CHOOSE_COMPANY_FILE:
            raise CannotChoose(f"{interface.name} is not waiting for a choice any more.")
        assign(interface, chosen)
        regain(practice_id=practice_id, interface_id=interface_id)
    return chosen


def assign(interface: AccountingInterface, chosen: CompanyFile) -> None:
    """Write the company file's identity down; on a reconnect its name may be new. Needs a scope."""
    interface.company_file_id = chosen.id
    interface.company_file_name = chosen.name[:255]
    interface.connection_id = chosen.connection_id
    interface.country = chosen.country[:2] or interface.country
    interface.currency = chosen.currency[:3] or interface.currency
    interface.save(
        update_fields=[
            *("company_file_id", "company_file_name", "connection_id", "country", "currency"),
        ]
    )


def ask_for_one(interface: AccountingInterface) -> None:
    """Mark that a person must choose. Needs a scope."""
    AccountingInterface.objects.filter(pk=interface.pk).update(
        state=State.CHOOSE_COMPANY_FILE, state_reason="", state_changed_at=clock.now()
    )
