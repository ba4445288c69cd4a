"""Template filters that put the record of what people did into words."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import template

from offices.models import AuditEntry

register = template.Library()

_ACTIONS: Mapping[str, str] = {
    "interface.added": "Added",
    "interface.consent_begun": "Sign-in begun",
    "interface.consent_given": "Signed in",
    "interface.connected": "Connected",
    "interface.disconnected": "Disconnected",
    "interface.paused": "Paused",
    "interface.resumed": "Resumed",
    "interface.codes_set": "Codes and defaults",
    "interface.code_replaced": "Another code used instead",
    "cause.checked_again": "Checked again what was held up",
    "cause.given_up": "Given up",
    "interface.preferences_set": "Preferences",
    "interface.invoice_settings": "Invoice settings",
    "interface.tried": "One invoice sent to try it",
    "interface.live": "Went live",
}
# What is said in columns of its own, or means something to programs alone.
_UNTOLD = {"interface", "interface_id"}
_LONGEST = 300


@register.filter
def action_named(action: str) -> str:
    """What was done; an action without a name of its own is read off its key."""
    plain = action.removeprefix("interface.").replace("_", " ").replace(".", ": ")
    return _ACTIONS.get(action, plain.capitalize())


@register.filter
def changes_told(entry: AuditEntry) -> list[str]:
    """The details, a line each; of what was before and after only what differs."""
    detail = dict(entry.detail)
    before, after = detail.pop("before", None), detail.pop("after", None)
    lines = []
    if isinstance(before, dict) and isinstance(after, dict):
        lines += [
            f"{_named(key)}: {_told(before.get(key))} → {_told(after.get(key))}"
            for key in {**before, **after}
            if before.get(key) != after.get(key)
        ]
    elif before is not None or after is not None:
        lines.append(f"{_told(before)} → {_told(after)}")
    lines += [
        f"{_named(key)}: {_told(value)}"
        for key, value in detail.items()
        if key not in _UNTOLD and value not in ("", [], {}, None, 0)
    ]
    return [line[:_LONGEST] for line in lines]


@register.filter
def duration(length: timedelta | None) -> str:
    """`3 s`, `2 min 5 s`, `1 h 10 min`."""
    if length is None:
        return ""
    seconds = round(length.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def _named(key: str) -> str:
    """A key as a line begins with it; codes keep their capitals."""
    plain = _plain(key)
    return plain[:1].upper() + plain[1:]


def _plain(key: str) -> str:
    return str(key).replace("_", " ")


def _told(value: Any) -> str:
    if value in ("", None, [], {}):
        return "nothing"
    if value is True or value is False:
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_told(one) for one in value)
    if isinstance(value, dict):
        return "; ".join(f"{_plain(key)} {_told(one)}" for key, one in value.items())
    return str(value)
