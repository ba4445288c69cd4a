"""The life of an upload, from the click to the package's answer.

`enqueue` makes batches, `lane` sends, `resolve` asks after what is unknown, `sweep` wakes what is
due, `people` does what a person decides. `states` alone moves a row.
"""

from invoicing.uploads.enqueue import Enqueued, LeftOut, enqueue, left_out, offered, unsent
from invoicing.uploads.existing import CannotUnlink, link_existing, look_at, unlink
from invoicing.uploads.people import (
    CannotLink,
    Retried,
    cancel,
    give_up,
    mark_in_accounts,
    mark_older,
    park,
    retry,
    unmark_in_accounts,
    unpark,
)
from invoicing.uploads.voiding import CannotVoid, void, why_not_void

__all__ = [
    "CannotLink",
    "CannotUnlink",
    "CannotVoid",
    "Enqueued",
    "LeftOut",
    "Retried",
    "cancel",
    "enqueue",
    "give_up",
    "left_out",
    "link_existing",
    "look_at",
    "mark_in_accounts",
    "mark_older",
    "offered",
    "park",
    "retry",
    "unlink",
    "unmark_in_accounts",
    "unpark",
    "unsent",
    "void",
    "why_not_void",
]
