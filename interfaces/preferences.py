"""The preferences of an interface; secret ones are kept sealed."""

from collections.abc import Mapping
from typing import Any

from connectors.base.protocol import Package, Setting
from interfaces.models import AccountingInterface
from interfaces.sealing import Unreadable, reseal, seal, unseal

SEALED = "sealed"


def secrets_of(package: Package) -> list[Setting]:
    """The preferences nobody may read back."""
    return [setting for setting in package.settings if setting.kind == "secret"]


def save_preferences(interface: AccountingInterface, values: Mapping[str, Any]) -> None:
    """Keep the values given; a secret left empty stays as it was. Needs a scope."""
    # As they are now: a page opened a while ago must not bring back a secret sealed anew since.
    stored = AccountingInterface.objects.select_for_update(no_key=True).get(pk=interface.pk)
    kept = dict(stored.preferences)
    secret = {setting.key for setting in secrets_of(interface.package)}
    for key, value in values.items():
        if key not in secret:
            kept[key] = value
        elif value:
            kept[key] = {SEALED: seal(value)}
    interface.preferences = kept
    interface.save(update_fields=["preferences"])


def settings_for(interface: AccountingInterface) -> dict[str, Any]:
    """What the connector is given: every preference, secrets opened. Raises Unreadable."""
    values = sealed_settings(interface)
    for setting in secrets_of(interface.package):
        value = values.get(setting.key)
        if isinstance(value, dict):
            values[setting.key] = unseal(value[SEALED])
    return values


def sealed_settings(interface: AccountingInterface) -> dict[str, Any]:
    """Every preference as it counts now, secrets as they are kept.

    Until the interface is live its documents arrive as drafts, whatever is chosen for later.
    """
    values = interface.package.default_settings() | dict(interface.preferences)
    if interface.package.draft and not interface.is_live:
        key, draft = interface.package.draft
        values[key] = draft
    return values


def reseal_preferences(interface: AccountingInterface) -> bool | None:
    """Put the secrets under the newest key; None if there are none, False if one is unreadable."""
    sealed = {
        setting.key: interface.preferences[setting.key][SEALED]
        for setting in secrets_of(interface.package)
        if isinstance(interface.preferences.get(setting.key), dict)
    }
    if not sealed:
        return None
    try:
        fresh = {key: {SEALED: reseal(value)} for key, value in sealed.items()}
    except Unreadable:
        return False
    interface.preferences = {**interface.preferences, **fresh}
    interface.save(update_fields=["preferences"])
    return True
