"""What people type about uploads."""

from django import forms


class ParkForm(forms.Form):
    """Why invoices are taken off the list without being sent."""

    reason = forms.CharField(
        max_length=200,
        help_text="Kept with the invoice, for example “Sent by hand in October”.",
    )


class LinkExistingForm(forms.Form):
    """Which document in the package is ours."""

    remote_id = forms.CharField(max_length=100, label="Its id in the package")
    # The id of what was shown to differ, once the person has seen how.
    differs = forms.CharField(max_length=100, required=False, widget=forms.HiddenInput)
