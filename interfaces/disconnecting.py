"""Ends the link to a company file: at the package, and here. The history stays."""

import logging
from contextlib import closing

from django.utils.text import get_text_list

from connectors.base.errors import ConnectorError, NeedsReconnect
from connectors.base.protocol import Disconnects
from interfaces import charges, clock, credentials, lanes, oauth, selectors
from interfaces.connections import acting_for_nobody, open_with
from interfaces.credentials import GivenToken, StoredTokens
from interfaces.models import AccountingInterface
from interfaces.package_apps import app_of
from offices.audit import record
from offices.models import User
from offices.tenancy import acting_for

log = logging.getLogger("interfaces.disconnecting")

State = AccountingInterface.State


def disconnect(
    *,
    practice_id: int,
    interface_id: int,
    actor: User,
    as_support: bool = False,
    address: str | None = None,
) -> str:
    """Erase the tokens in any case, and end the link at the package; a sentence of how it went.

    When another interface of the practice uses the same company file the link there must go on,
    so only this interface's tokens are erased.
    """
    with acting_for_nobody(), acting_for(practice_id):
        interface = AccountingInterface.objects.get(pk=interface_id)
    access_token = _access_token(interface)
    with acting_for(practice_id):
        sharing = selectors.sharing_company_file(interface, interface.company_file_id)
        others = [] if interface.company_file_id else selectors.others_in_use(interface)
        refresh_token = credentials.refresh_token_of(interface_id)
        # A turn hands over what can no longer be asked; lanes are locked before interfaces.
        lanes.wake(interface_id)
        credentials.erase(interface_id)
        AccountingInterface.objects.filter(pk=interface_id).update(
            state=State.DISCONNECTED, state_reason="", state_changed_at=clock.now()
        )
        charges.end(interface)
        record(
            actor=actor,
            action="interface.disconnected",
            subject=interface.name,
            detail={
                "interface": interface.pk,
                "package": interface.package_key,
                "company_file": interface.company_file_name,
                "before": interface.get_state_display(),
                "after": State.DISCONNECTED.label,
            },
            as_support=as_support,
            address=address,
        )
    log.info("disconnected practice=%s interface=%s", practice_id, interface_id)
    erased = f"{interface.name} is disconnected and its sign-in erased here."
    if sharing:
        names = ", ".join(one.name for one in sharing)
        return f"{erased} {interface.company_file_name} stays linked for {names}."
    if others:
        # Nothing was chosen, so nothing of ours is to be ended there, and ending the person's
        # sign-in would end that of the others as well.
        names = get_text_list([one.name for one in others], "and")
        goes = "goes" if len(others) == 1 else "go"
        return f"{erased} Nothing is to be done in {interface.package.label}: {names} {goes} on."
    if not access_token:
        return f"{erased} {_not_told(interface)}"
    return f"{erased} {_tell_package(interface, access_token, refresh_token)}"


def _access_token(interface: AccountingInterface) -> str:
    """A token good for the last calls; empty when there is none to be had."""
    try:
        return StoredTokens(interface.practice_id, interface.pk).access_token()
    except ConnectorError as error:
        log.warning("no token to disconnect interface=%s %s", interface.pk, type(error).__name__)
        return ""


def _tell_package(interface: AccountingInterface, access_token: str, refresh_token: str) -> str:
    package = interface.package
    if package.can(Disconnects) and not interface.connection_id:
        # Nothing was chosen: revoking would end the person's links of other interfaces as well.
        return _not_told(interface)
    try:
        nothing_left = not package.can(Disconnects) or _end_there(interface, access_token)
        if nothing_left and refresh_token and package.oauth:
            oauth.revoke(app_of(interface), refresh_token=refresh_token)
    except NeedsReconnect:
        return f"{package.label} had ended the link already."
    except ConnectorError as error:
        log.warning("package not told interface=%s %s", interface.pk, type(error).__name__)
        return _not_told(interface)
    return f"{package.label} has been told."


def _end_there(interface: AccountingInterface, access_token: str) -> bool:
    with closing(open_with(interface, tokens=GivenToken(access_token))) as connector:
        return bool(connector.disconnect(interface.connection_id))


def _not_told(interface: AccountingInterface) -> str:
    label = interface.package.label
    return (
        f"{label} could not be told: to be sure, remove this app under connected apps in {label}."
    )
