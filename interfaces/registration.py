"""New accounting interfaces."""

from interfaces import lanes
from interfaces.models import AccountingInterface

State = AccountingInterface.State


def create_interface(
    *, package_key: str, name: str, rehearsal_token: str = ""
) -> AccountingInterface:
    """An interface of the practice being acted for, with its lane.

    It is not connected yet, unless its package is one that nobody signs in to. With a token it is
    a rehearsal, which `rehearsals.create_rehearsal` makes. An unknown package raises KeyError; a
    name the practice already uses raises IntegrityError.
    """
    interface = AccountingInterface(
        package_key=package_key, name=name.strip(), rehearsal_token=rehearsal_token
    )
    interface.preferences = interface.package.default_settings()
    if not interface.package.signs_in:
        interface.state = State.CONNECTED
    interface.save()
    lanes.make_for(interface)
    return interface


def unfinished(package_key: str) -> AccountingInterface | None:
    """One to the package that was added and never signed in, to go on with. Needs a scope.

    So a sign-in that was broken off leaves nothing behind when it is begun anew.
    """
    added = AccountingInterface.objects.filter(
        package_key=package_key,
        state=State.NOT_CONNECTED,
        live_since=None,
        company_file_id="",
        rehearsal_token="",
    )
    return added.order_by("pk").first()
