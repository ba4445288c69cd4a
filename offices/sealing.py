"""Seals what must not be read in the database: tokens, passwords, secrets of one-time codes.

The ring of keys is separate from SECRET_KEY, so that either can be changed without the other.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class Unreadable(Exception):
    """Sealed with a key that is not in the ring any more; holds nothing of what was sealed."""


def ring() -> MultiFernet:
    """The key ring: the first key seals, all of them open."""
    return MultiFernet([Fernet(key) for key in settings.CREDENTIAL_KEYS])


def seal(text: str) -> str:
    """The text, readable only with the key ring."""
    return ring().encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """The text that was sealed. Raises Unreadable."""
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
