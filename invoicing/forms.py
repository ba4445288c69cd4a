"""What people type about uploads."""

import re
from typing import Any

from django import forms

from connectors.base.protocol import Package

LONGEST_ID = 100


class ParkForm(forms.Form):
    """Why invoices are taken off the list without being sent."""

    reason = forms.CharField(
        max_length=200,
        help_text="Kept with the invoice, for example “Sent by hand in October”.",
    )


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
