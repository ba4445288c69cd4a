"""The sealing of sign-ins: as `offices.sealing`, but what cannot be read is a lost consent."""

from connectors.base.errors import NeedsReconnect
from offices import sealing
from offices.sealing import seal

__all__ = ["Unreadable", "reseal", "seal", "unseal"]


class Unreadable(NeedsReconnect):
    """Sealed with a key that is not in the ring any more."""

    def __init__(self) -> None:
        super().__init__(
            "The saved sign-in cannot be read with the keys this server has (CREDENTIAL_KEYS)."
            " Connect again."
        )


def unseal(sealed: str) -> str:
    """The text that was sealed. Raises Unreadable, which holds nothing of it."""
    try:
        return sealing.unseal(sealed)
    except sealing.Unreadable:
        raise Unreadable from None


def reseal(sealed: str) -> str:
    """The same text under the newest key. Raises Unreadable."""
    try:
        return sealing.reseal(sealed)
    except sealing.Unreadable:
        raise Unreadable from None
