"""What is kept sealed: tokens and passwords, under a key ring separate from SECRET_KEY."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from connectors.base.errors import NeedsReconnect


class Unreadable(NeedsReconnect):
    """Sealed with a key that is not in the ring any more."""

    def __init__(self) -> None:
        super().__init__(
            "The saved sign-in cannot be read with the keys this server has (CREDENTIAL_KEYS)."
            " Connect again."
        )


def ring() -> MultiFernet:
    """The key ring: the first key seals, all of them open."""
    return MultiFernet([Fernet(key) for key in settings.CREDENTIAL_KEYS])


def seal(text: str) -> str:
    """The text, readable only with the key ring."""
    return ring().encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """The text that was sealed. Raises Unreadable, which holds nothing of it."""
    try:
        return ring().decrypt(sealed.encode("ascii")).decode()
    except (InvalidToken, UnicodeEncodeError):
        raise Unreadable from None


def reseal(sealed: str) -> str:
    """The same text under the newest key. Raises Unreadable."""
    try:
        return ring().rotate(sealed.encode("ascii")).decode("ascii")
    except (InvalidToken, UnicodeEncodeError):
        raise Unreadable from None
