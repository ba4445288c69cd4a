"""New accounting interfaces."""

from interfaces import lanes
from interfaces.models import AccountingInterface


def create_interface(*, package_key: str, name: str) -> AccountingInterface:
    """An interface of the practice being acted for, not connected yet, with its lane.

    An unknown package raises KeyError; a name the practice already uses raises IntegrityError.
    """
    interface = AccountingInterface(package_key=package_key, name=name.strip())
    interface.preferences = interface.package.default_settings()
    interface.save()
    lanes.make_for(interface)
    return interface
