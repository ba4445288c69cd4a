"""What may stand in a name that people type: nothing that cannot be seen."""

import re
from unicodedata import category

from django.core.exceptions import ValidationError

# Line separators too: a name or number with one in it breaks whatever shows it.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Not of the category of format characters, and nothing to be seen all the same.
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def unseen(text: str) -> str:
    """The first character that cannot be seen or turns the writing around, as U+202E; else empty.

    Two names that differ in such a one alone look the same.
    """
    found = (one for one in text if category(one) == "Cf" or one in BLANK)
    return next((f"U+{ord(one):04X}" for one in found), "")


def check_name(name: str) -> None:
    """Refuse a name with control or other invisible characters; of forms' fields."""
    if CONTROL.search(name):
        raise ValidationError("This holds a control character, such as a tab or an end of line.")
    hidden = unseen(name)
    if hidden:
        raise ValidationError(
            f"This holds a character that cannot be seen, {hidden}. Type it anew without it."
        )
