"""What people type about interfaces."""

from typing import Any

from django import forms

from connectors import registry
from connectors.base.documents import CompanyFile
from connectors.base.protocol import Setting
from interfaces import preferences, references
from interfaces.code_lists import Kind
from interfaces.models import AccountingInterface
from interfaces.tiles import free_name
from interfaces.typed_names import check_name

NAME_TAKEN = "Another interface has this name. Choose a different one."


class AddForm(forms.Form):
    """Which package, and what to call the interface: by the package's name, if nothing is said.

    `named`, once it is checked, says whether somebody typed a name.
    """

    named = False

    package_key = forms.ChoiceField(
        error_messages={
            "required": "Choose a package first.",
            "invalid_choice": "There is no such package here.",
        }
    )
    name = forms.CharField(
        label="Display name",
        max_length=100,
        required=False,
        validators=[check_name],
        help_text="How you will know it, for example “Xero Auckland”.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        packages: Any = self.fields["package_key"]
        packages.choices = [(one.key, one.label) for one in registry.packages().values()]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name and AccountingInterface.objects.filter(name=name).exists():
            raise forms.ValidationError(NAME_TAKEN)
        return name

    def clean(self) -> None:
        """Give it a name of its own where none was given."""
        super().clean()
        self.named = bool(self.cleaned_data.get("name"))
        key = self.cleaned_data.get("package_key")
        if key and not self.cleaned_data.get("name") and "name" not in self.errors:
            self.cleaned_data["name"] = free_name(registry.package(key))


class ChooseForm(forms.Form):
    """One of the company files the sign-in reaches."""

    company_file = forms.ChoiceField(widget=forms.RadioSelect)

    def __init__(self, *args: Any, files: list[CompanyFile], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["company_file"]
        field.choices = [(one.id, one.name) for one in files]
        field.error_messages["required"] = "Choose one first."


class PreferencesForm(forms.Form):
    """What can be set, made from what is declared of it, and the display name."""

    name = forms.CharField(label="Display name", max_length=100, validators=[check_name])

    def __init__(self, *args: Any, interface: AccountingInterface, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._interface = interface
        self.fields["name"].initial = interface.name
        for setting in interface.settings:
            initial = interface.preference(setting.key)
            self.fields[f"set_{setting.key}"] = field_for(setting, initial)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = AccountingInterface.objects.exclude(pk=self._interface.pk)
        if others.filter(name=name).exists():
            raise forms.ValidationError(NAME_TAKEN)
        return name

    def clean_set_reference(self) -> str:
        template: str = self.cleaned_data["set_reference"]
        try:
            references.parse(template)
        except references.BadTemplate as error:
            raise forms.ValidationError(str(error)) from None
        return template

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The settings under their headings, in the order in which these are first named."""
        found: dict[str, list[forms.BoundField]] = {}
        for setting in self._interface.settings:
            found.setdefault(setting.group, []).append(self[f"set_{setting.key}"])
        return list(found.items())

    @property
    def reference(self) -> str:
        """The reference as it is typed, or kept; nothing where it could not be filled in."""
        if "set_reference" not in self.fields or "set_reference" in self.errors:
            return ""
        return str(self["set_reference"].value() or "")

    def clean(self) -> None:
        """Refuse to leave out what another setting makes necessary."""
        super().clean()
        settings = {one.key: one for one in self._interface.settings}
        for setting in settings.values():
            if not setting.required_with:
                continue
            other, value = settings[setting.required_with[0]], setting.required_with[1]
            given = self.cleaned_data.get(f"set_{setting.key}")
            if given == "" and self.cleaned_data.get(f"set_{other.key}") == value:
                message = (
                    f"Needed while “{other.label}” is “{dict(other.choices)[value]}”."
                    f" Give it, or choose something else under “{other.label}”."
                )
                self.add_error(f"set_{setting.key}", message)

    def secrets_given(self) -> list[str]:
        """The labels of the secrets that were typed in anew."""
        return [
            setting.label
            for setting in preferences.secrets_of(self._interface.package)
            if self.cleaned_data.get(f"set_{setting.key}")
        ]

    def save(self) -> None:
        """Keep name and preferences. Needs a scope."""
        self._interface.name = self.cleaned_data["name"]
        self._interface.save(update_fields=["name"])
        values = {
            setting.key: self.cleaned_data[f"set_{setting.key}"]
            for setting in self._interface.settings
        }
        preferences.save_preferences(self._interface, values)


def field_for(setting: Setting, initial: Any) -> forms.Field:
    """The field a setting is typed in."""
    common: dict[str, Any] = {
        "label": setting.label,
        "help_text": setting.help,
        "required": setting.required,
        "initial": initial,
    }
    if setting.kind == "choice":
        return forms.ChoiceField(choices=setting.choices, **common)
    if setting.kind == "boolean":
        return forms.BooleanField(**{**common, "required": False})
    if setting.kind == "integer":
        return forms.IntegerField(**common)
    if setting.kind == "secret":
        kept = isinstance(common["initial"], dict)
        common |= {"initial": None, "required": setting.required and not kept}
        if kept:
            common["help_text"] = f"{setting.help} One is kept; leave empty to go on with it."
        return forms.CharField(widget=forms.PasswordInput, **common)
    return forms.CharField(max_length=500, **common)


class CodeListForm(forms.Form):
    """A list of codes as the package exported it."""

    kind = forms.ChoiceField(
        label="What it lists",
        choices=[(Kind.ACCOUNTS.value, "Account codes"), (Kind.TAXES.value, "Tax codes")],
        widget=forms.RadioSelect,
    )
    file = forms.FileField(
        label="The list, as CSV",
        help_text="Its first line names the columns: code and name, for tax codes also rate.",
        error_messages={"empty": "The file is empty."},
    )
