"""What people type about uploads."""

import re
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from connectors.base.protocol import Package
from interfaces.forms import PreferencesForm
from interfaces.models import AccountingInterface
from interfaces.preferences import save_preferences
from interfaces.selectors import preferences_in_words
from interfaces.typed_names import check_name
from invoicing import digests
from offices.models import User

LONGEST_ID = 100
# Of go-live dates.
EARLIEST, FURTHEST_AHEAD = date(2000, 1, 1), timedelta(days=366)


class ParkForm(forms.Form):
    """Why invoices are taken off the list without being sent."""

    reason = forms.CharField(
        max_length=200,
        help_text="Kept with the invoice, for example “Sent by hand in October”.",
    )


class VoidForm(forms.Form):
    """Why a document is taken back out of the accounts."""

    reason = forms.CharField(
        max_length=200,
        help_text="Kept in its history, for example “Sent to the wrong client”.",
        validators=[check_name],
    )


class MatchRuleForm(PreferencesForm):
    """By what clients are matched, and whether they are added: of the package's settings."""

    RULE = "match_contacts_by"
    KEYS = (RULE, "add_contacts")

    def __init__(self, *args: Any, interface: AccountingInterface, **kwargs: Any) -> None:
        super().__init__(*args, interface=interface, **kwargs)
        wanted = {f"set_{key}" for key in self.KEYS}
        for name in list(self.fields):
            if name not in wanted:
                del self.fields[name]

    @property
    def changes_rule(self) -> bool:
        """Whether clients are to be matched by something else than now."""
        return f"set_{self.RULE}" in self.changed_data

    @property
    def rule_now(self) -> str:
        """What clients are matched by now, as people read it."""
        return dict(self.in_words()).get(self._label(self.RULE), "")

    @property
    def rule_chosen(self) -> str:
        """What they are to be matched by, likewise."""
        choices: Any = self.fields[f"set_{self.RULE}"]
        return str(dict(choices.choices)[self.cleaned_data[f"set_{self.RULE}"]])

    def in_words(self) -> list[tuple[str, str]]:
        """The settings as they are kept, each as a person reads it."""
        labels = {self._label(key) for key in self.KEYS}
        return [one for one in preferences_in_words(self._interface) if one[0] in labels]

    def _label(self, key: str) -> str:
        return next((one.label for one in self._interface.package.settings if one.key == key), "")

    def save(self) -> None:
        """Keep them, and leave all others as they are. Needs a scope."""
        keys = [key for key in self.KEYS if f"set_{key}" in self.cleaned_data]
        save_preferences(self._interface, {key: self.cleaned_data[f"set_{key}"] for key in keys})


class DigestForm(forms.Form):
    """Who gets the daily mail of what failed at an interface."""

    readers = forms.ModelMultipleChoiceField(
        queryset=User.objects.none(),
        required=False,
        label="Daily mail of what failed",
        widget=forms.CheckboxSelectMultiple,
        help_text="In the morning, each cause with how many invoices it holds up and what they come"
        " to. No mail where nothing failed.",
    )

    def __init__(self, *args: Any, interface: AccountingInterface, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["readers"]
        field.queryset = digests.can_read(interface.practice)
        field.initial = digests.readers_of(interface)


class InAccountsForm(forms.Form):
    """Why invoices are said to be in the accounts already."""

    reason = forms.CharField(
        max_length=200,
        help_text="Kept with the invoice, for example “Typed in by hand in October”.",
    )


class OfferedFromForm(forms.Form):
    """From which invoice date on an interface's invoices are offered, and what of the older ones.

    Required until the interface is live; one that was live before there was such a date may do
    without.
    """

    offered_from = forms.DateField(
        label="Go-live date: offer invoices dated from",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Older invoices never appear in the list, so that none is sent by accident.",
        # As a browser sends it, and as people here write it where it has no calendar.
        input_formats=["%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y"],
        error_messages={"required": "Say from which invoice date on invoices are to be offered."},
    )
    mark_older = forms.BooleanField(
        required=False,
        label="Mark the older committed invoices as already in accounts",
        help_text="They are then listed under Already in accounts, and stay unsent even when the"
        " date is moved back. It can be taken back there.",
    )

    def __init__(self, *args: Any, interface: AccountingInterface, **kwargs: Any) -> None:
        first = interface.offered_from
        if first is None and not interface.is_live:
            first = timezone.localdate().replace(day=1)
        super().__init__(*args, **kwargs)
        self.fields["offered_from"].initial = first
        self.fields["offered_from"].required = not interface.is_live or bool(first)
        if interface.is_rehearsal:
            # What a rehearsal leaves behind would keep real invoices from being offered.
            del self.fields["mark_older"]

    def clean_offered_from(self) -> date | None:
        """A date somebody means: in this century, and not years ahead."""
        day: date | None = self.cleaned_data["offered_from"]
        if day and not EARLIEST <= day <= timezone.localdate() + FURTHEST_AHEAD:
            raise forms.ValidationError(
                "Choose a date from the year 2000 on, and at most a year ahead."
            )
        return day

    def clean(self) -> None:
        """Nothing is older than no date."""
        super().clean()
        if self.cleaned_data.get("mark_older") and not self.cleaned_data.get("offered_from"):
            self.cleaned_data["mark_older"] = False


class LinkExistingForm(forms.Form):
    """Which document in the package is ours."""

    # As it is copied from the browser; the id alone will do.
    remote_id = forms.CharField(max_length=500)
    # The id of what was shown to differ, once the person has seen how.
    differs = forms.CharField(max_length=100, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, package: Package, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["remote_id"].label = f"Its address in {package.label}"
        self._where = where_addresses_stand(package)

    def clean_remote_id(self) -> str:
        """The id of the document whose address was given."""
        given: str = self.cleaned_data["remote_id"]
        found = id_in(given) or given
        if "/" in found or len(found) > LONGEST_ID:
            raise forms.ValidationError(f"That is no document's address. {self._where}")
        return found


def where_addresses_stand(package: Package) -> str:
    """Where a person finds a document's address."""
    return (
        f"Open the document in {package.label}, and copy its address from the top of the browser."
    )


def id_in(address: str) -> str:
    """What stands at the end of a document's address, which is its id in most packages."""
    found = re.search(r"[/=]([\w-]{8,100})$", address.split("#")[0].rstrip("/"))
    return found[1] if found else ""
