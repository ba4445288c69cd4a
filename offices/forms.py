"""What people type about people."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from offices.models import Role, User
from offices.once import OnceForm
from offices.selectors import support_people

GRANT_LENGTHS = {"4": "4 hours", "24": "1 day", "72": "3 days", "168": "7 days"}  # in hours


class SupportGrantForm(forms.Form):
    """Whom to let in, why and for how long."""

    user = forms.ModelChoiceField(
        queryset=User.objects.none(), label="Support person", empty_label="Choose…"
    )
    reason = forms.CharField(
        max_length=200, help_text="Kept in your record, for example “Set up Xero with Ana”."
    )
    hours = forms.ChoiceField(choices=list(GRANT_LENGTHS.items()), label="Ends after", initial="24")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people: Any = self.fields["user"]
        people.queryset = support_people()

    def ends_at(self) -> datetime:
        """When the grant asked for is over."""
        return timezone.now() + timedelta(hours=int(self.cleaned_data["hours"]))


class MemberForm(OnceForm):
    """Whom to take in, and as what."""

    email = forms.EmailField(max_length=254, label="E-mail")
    role = forms.ChoiceField(choices=Role.choices, initial=Role.ACCOUNTS)


class RoleForm(forms.Form):
    """What a member is to be."""

    role = forms.ChoiceField(choices=Role.choices)
    sure = forms.BooleanField(required=False, label="I am sure: this is my own role")

    def __init__(self, *args: Any, own: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not own:
            del self.fields["sure"]


class RemoveForm(forms.Form):
    """That somebody is to leave."""

    sure = forms.BooleanField(required=False, label="I am sure: this is myself")


class KeyForm(OnceForm):
    """What a new API key is for."""

    name = forms.CharField(
        max_length=50, help_text="Where it will be used, for example “Abtrac server”."
    )
