"""The form that asks for another code instead of one that no line can go by."""

from collections.abc import Sequence

from django import forms
from django.http import QueryDict

from interfaces.forms_codes import CodeChoice
from interfaces.models import PackageCode


class ReplaceForm(forms.Form):
    """One code, chosen among those that may be used."""

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        choices: Sequence[PackageCode],
        is_tax: bool,
        chosen: PackageCode | None = None,
    ) -> None:
        super().__init__(data, prefix="tax" if is_tax else "account")
        word = "tax code" if is_tax else "account"
        self.fields["code"] = CodeChoice(
            codes=choices,
            empty="---------",
            label=f"{word.capitalize()} to use instead",
            initial=chosen.pk if chosen else None,
        )
        self.fields["code"].required = True
