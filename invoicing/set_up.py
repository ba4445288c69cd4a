"""The set-up of an interface: its steps, how far it has come, and where to go on.

A step is done when what it is for is there; how far people came is stored beside it, for two steps
are only looked at: clients and test. Whoever comes back, or another admin, goes on at the first
step that is not done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.base.protocol import ListsCompanyFiles, PushesContacts
from interfaces.models import AccountingInterface
from interfaces.selectors import missing_defaults
from invoicing.models import InvoiceSetting
from invoicing.uploads.kinds import sends_jobs
from offices.models import Role

State = AccountingInterface.State

# In their order, with the name of the page of each.
PAGES: Mapping[str, str] = {
    "connect": "interfaces:detail",
    "choose": "interfaces:choose",
    "codes": "interfaces:codes",
    "clients": "invoicing:clients",
    "settings": "invoicing:link_settings",
    "test": "invoicing:test",
    "go_live": "invoicing:go_live",
}
TABS: Mapping[str, tuple[str, str]] = {
    "connection": ("Connection", "interfaces:detail"),
    "codes": ("Codes", "interfaces:codes"),
    "clients": ("Clients", "invoicing:clients"),
    "jobs": ("Jobs", "invoicing:jobs"),
    "settings": ("Invoice settings", "invoicing:link_settings"),
    "preferences": ("Preferences", "interfaces:preferences"),
    "history": ("History", "invoicing:interface_history"),
    "health": ("Health", "invoicing:health"),
}
# The lowest role that has something to do there; the other tabs are everybody's.
NEEDS_ROLE = {
    "clients": Role.ACCOUNTS,
    "jobs": Role.ACCOUNTS,
    "settings": Role.ADMIN,
    "preferences": Role.ADMIN,
}
# Steps that are looked at rather than filled in: done once somebody went on from there.
_LOOKED_AT = ("clients", "test")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: its name, its page, whether it is done, and whether it can be opened yet."""

    key: str
    label: str
    page: str
    done: bool
    open: bool


@dataclass(frozen=True, kw_only=True)
class SetUp:
    """Where the set-up of one interface stands."""

    steps: Sequence[Step]

    @property
    def current(self) -> Step:
        """The first step that is not done; the last one where all are."""
        return next((one for one in self.steps if not one.done), self.steps[-1])

    def after(self, key: str) -> Step:
        """The step that follows."""
        keys = [one.key for one in self.steps]
        return self.steps[min(keys.index(key) + 1, len(keys) - 1)] if key in keys else self.current

    def number_of(self, key: str) -> int:
        """The step's place, from 1."""
        return [one.key for one in self.steps].index(key) + 1


def of(interface: AccountingInterface) -> SetUp:
    """The steps of the interface. Needs a scope."""
    labels = _labels(interface)
    done = _done(interface)
    steps = []
    reachable = True
    for key, label in labels.items():
        steps.append(
            Step(key=key, label=label, page=PAGES[key], done=done[key], open=reachable or done[key])
        )
        # Nothing of the package can be shown before it is connected; the rest may be looked at.
        reachable = reachable and (done[key] or key not in {"connect", "choose"})
    return SetUp(steps=steps)


def reach(interface: AccountingInterface, *, beyond: str) -> Step:
    """Store that a person went on from this step; the step to go to. Needs a scope."""
    keys = list(PAGES)
    before = interface.setup_step
    if beyond in keys and (before not in keys or keys.index(before) < keys.index(beyond)):
        interface.setup_step = beyond
        interface.save(update_fields=["setup_step"])
    found = of(interface)
    following = found.after(beyond)
    # What was left behind undone comes first: nobody ends at the last step with a gap before it.
    gaps = [one for one in found.steps if not one.done]
    places = [one.key for one in found.steps]
    if gaps and places.index(gaps[0].key) < places.index(following.key) and gaps[0].key != beyond:
        return gaps[0]
    return following


def tabs_of(interface: AccountingInterface, role: Role) -> list[tuple[str, str, str]]:
    """Key, label and page of each tab that a person of that role may open."""
    hidden = {key for key, needed in NEEDS_ROLE.items() if not role.includes(needed)}
    if not interface.package.can(PushesContacts):
        hidden.add("clients")
    if not sends_jobs(interface):
        hidden.add("jobs")
    return [(key, label, page) for key, (label, page) in TABS.items() if key not in hidden]


def _labels(interface: AccountingInterface) -> dict[str, str]:
    package = interface.package
    labels = {
        "connect": "Connect",
        "choose": package.company_file_word.capitalize(),
        "codes": "Codes",
        "clients": "Clients",
        "settings": "Invoices",
        "test": "Test",
        "go_live": "Go live",
    }
    if not package.can(ListsCompanyFiles):
        del labels["choose"]
    if not package.can(PushesContacts):
        del labels["clients"]
    return labels


def _done(interface: AccountingInterface) -> dict[str, bool]:
    keys = list(PAGES)
    reached = keys.index(interface.setup_step) if interface.setup_step in keys else -1
    signed_in = interface.state in {State.CONNECTED, State.CHOOSE_COMPANY_FILE, State.PAUSED}
    looked_at = {key: reached >= keys.index(key) for key in _LOOKED_AT}
    return {
        "connect": signed_in,
        "choose": signed_in and interface.state != State.CHOOSE_COMPANY_FILE,
        "codes": bool(interface.codes_read_at) and not missing_defaults(interface),
        "settings": interface.offered_from is not None
        and InvoiceSetting.objects.filter(interface=interface).exists(),
        "go_live": interface.is_live,
        **looked_at,
    }
