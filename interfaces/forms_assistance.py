"""What people type about set-ups that Abtrac's support does."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from connectors.base.protocol import Package, Setting
from interfaces import copying
from interfaces.assistance import LEAVE_DAYS
from interfaces.forms import NAME_TAKEN, field_for
from interfaces.models import AccountingInterface
from interfaces.set_up_questions import questions_of

NOTES = "notes"
UNANSWERED = ("", "Choose…")


class AnswersForm(forms.Form):
    """The checklist of a package. What is left out can be given later, so nothing is required."""

    def __init__(
        self, *args: Any, package: Package, answers: Mapping[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._keys = [one.key for one in questions_of(package)]
        for question in questions_of(package):
            known = answers.get(question.key, question.default)
            self.fields[f"ask_{question.key}"] = field_for(_asked(question), known)
        self.fields[f"ask_{NOTES}"] = forms.CharField(
            label="Anything else we should know",
            max_length=2000,
            required=False,
            widget=forms.Textarea(attrs={"rows": 3}),
            initial=answers.get(NOTES, ""),
        )
        self._keys.append(NOTES)

    @property
    def checklist(self) -> list[BoundField]:
        """The questions, in their order."""
        return [self[f"ask_{key}"] for key in self._keys]

    def answers(self) -> dict[str, Any]:
        """What was answered, by question."""
        return {key: self.cleaned_data[f"ask_{key}"] for key in self._keys}


class LeaveField(forms.TypedChoiceField):
    """For how long support may work in the practice."""

    def __init__(self, **kwargs: Any) -> None:
        choices = [(str(days), f"{days} days") for days in LEAVE_DAYS]
        required = {"required": "Choose how long our team may work in your practice."}
        super().__init__(
            choices=choices,
            coerce=int,
            widget=forms.RadioSelect,
            error_messages=required,
            **kwargs,
        )


class LeaveForm(forms.Form):
    """Leave for support, given anew."""

    days = LeaveField(label="From today, for")


class AskForm(AnswersForm):
    """A set-up by support, asked for: its name, the checklist, and the leave."""

    name = forms.CharField(
        label="Display name",
        max_length=100,
        help_text="How you will know it, for example “MYOB Wellington”.",
    )

    def __init__(self, *args: Any, package: Package, practice_name: str, **kwargs: Any) -> None:
        super().__init__(*args, package=package, **kwargs)
        self.fields["name"].initial = package.label
        others = copying.candidates(package.key)
        self.fields["copy_from"] = forms.ModelChoiceField(
            queryset=others,
            required=False,
            label="Take the settings over from",
            empty_label="None",
            help_text="Its preferences, also below where you change nothing. Its codes can be taken"
            " over under Preferences once your lists are here; its sign-in never is.",
        )
        if not others:
            del self.fields["copy_from"]
        self.fields["days"] = LeaveField(label=f"Let Abtrac's support work in {practice_name} for")
        self._settings = [one.key for one in package.settings]

    def answers(self) -> dict[str, Any]:
        """What was answered; a setting left at its default is as it is where it is taken from."""
        answers, source = super().answers(), self.cleaned_data.get("copy_from")
        if source is not None:
            untouched = {key for key in answers if f"ask_{key}" not in self.changed_data}
            answers |= {key: source.preference(key) for key in untouched & set(self._settings)}
        return answers

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if AccountingInterface.objects.filter(name=name).exists():
            raise forms.ValidationError(NAME_TAKEN)
        return name


class CopyForm(forms.Form):
    """Which interface's settings are taken over."""

    def __init__(self, *args: Any, interface: AccountingInterface, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["copy_from"] = forms.ModelChoiceField(
            queryset=copying.candidates(interface.package_key, but=interface),
            label="Take the settings over from",
            empty_label="Choose…",
        )


class QuoteForm(forms.Form):
    """What a set-up costs."""

    fee = forms.DecimalField(
        min_value=0,
        max_digits=9,
        decimal_places=2,
        error_messages={"required": "Give the fee in dollars, without GST; 0 for none."},
    )


def _asked(question: Setting) -> Setting:
    """The question as it is put: never required, and a choice may be left open."""
    open_choice = question.kind == "choice" and question.default == ""
    choices = (UNANSWERED, *question.choices) if open_choice else question.choices
    return replace(question, choices=choices, required=False)
