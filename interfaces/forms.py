"""What people type about interfaces."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Q

from connectors import registry
from connectors.base.documents import CompanyFile
from connectors.base.protocol import Setting, SetUpBy
from interfaces import preferences
from interfaces.models import AccountCode, AccountingInterface, PackageCode, TaxCode

NAME_TAKEN = "Another interface has this name. Choose a different one."

if TYPE_CHECKING:
    _ModelChoiceField = forms.ModelChoiceField[Any]
else:
    _ModelChoiceField = forms.ModelChoiceField


class AddForm(forms.Form):
    """Which package, and what to call the interface."""

    package_key = forms.ChoiceField(label="Accounting package", widget=forms.RadioSelect)
    name = forms.CharField(
        label="Display name",
        max_length=100,
        help_text="How you will know it, for example “Xero Auckland”.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        packages: Any = self.fields["package_key"]
        packages.choices = [(one.key, _described(one)) for one in registry.packages().values()]
        if len(packages.choices) == 1:
            packages.initial = packages.choices[0][0]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if AccountingInterface.objects.filter(name=name).exists():
            raise forms.ValidationError(NAME_TAKEN)
        return name


def _described(package: Any) -> str:
    if package.set_up_by is SetUpBy.SUPPORT:
        return f"{package.label} (set up together with our support team)"
    return str(package.label)


class ChooseForm(forms.Form):
    """One of the company files the sign-in reaches."""

    company_file = forms.ChoiceField(widget=forms.RadioSelect)

    def __init__(self, *args: Any, files: list[CompanyFile], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["company_file"]
        field.choices = [(one.id, one.name) for one in files]
        field.error_messages["required"] = "Choose one first."


class CodeField(_ModelChoiceField):
    """A code by its code and name, saying so when it may not be used."""

    def label_from_instance(self, obj: Any) -> str:
        code: PackageCode = obj
        return str(code) if code.can_be_used else f"{code} ({code.why_not})"


class TaxField(CodeField):
    """A tax code by the name people know it by."""

    def label_from_instance(self, obj: Any) -> str:
        tax: TaxCode = obj
        text = f"{tax.name} ({tax.code}, {tax.percent})"
        return text if tax.can_be_used else f"{text} ({tax.why_not})"


class DefaultsForm(forms.Form):
    """The codes of lines that set none of their own."""

    # Field, label, help: accounts first, then tax codes.
    ACCOUNTS = [
        ("revenue_account", "Account for revenue", ""),
        ("tax_free_account", "Account for tax-free revenue", "Empty: the account for revenue."),
        ("disbursement_account", "Account for disbursements", ""),
    ]
    TAXES = [
        ("revenue_tax", "Tax code for taxed lines", ""),
        ("tax_free_tax", "Tax code for tax-free lines", ""),
    ]

    def __init__(
        self,
        *args: Any,
        interface: AccountingInterface,
        accounts: Collection[int] = (),
        taxes: Collection[int] = (),
        **kwargs: Any,
    ) -> None:
        """`accounts` and `taxes` are the codes about to be offered, by row id."""
        super().__init__(*args, **kwargs)
        self._interface = interface
        self._ticked = {AccountCode: accounts, TaxCode: taxes}
        for fields, kind, model in (
            (self.ACCOUNTS, CodeField, AccountCode),
            (self.TAXES, TaxField, TaxCode),
        ):
            for name, label, help_text in fields:
                chosen = getattr(interface, f"{name}_id")
                self.fields[name] = kind(
                    queryset=_offered(model, interface, chosen),
                    label=label,
                    help_text=help_text,
                    required=False,
                    initial=chosen,
                    empty_label="Not set",
                )

    def clean(self) -> None:
        """Refuse a default that would be offered no more; one that was not stays as it was."""
        super().clean()
        for name, code in list(self.cleaned_data.items()):
            if code and code.available and code.pk not in self._ticked[type(code)]:
                self.add_error(
                    name,
                    f"{code} is chosen here, so its “Offer” box below must stay ticked."
                    " Tick it, or choose another here.",
                )

    def save(self) -> None:
        """Keep the defaults. Needs a scope."""
        for name, chosen in self.cleaned_data.items():
            setattr(self._interface, name, chosen)
        self._interface.save(update_fields=list(self.cleaned_data))


def _offered(model: Any, interface: AccountingInterface, chosen: int | None) -> Any:
    """What the admin made available and the package takes, and what is chosen already."""
    usable = Q(available=True, active=True, usable_for_sales=True, vanished_at__isnull=True)
    return model.objects.filter(usable | Q(pk=chosen), interface=interface).order_by("code")


class PreferencesForm(forms.Form):
    """The package's own settings, made from what it declares, and the display name."""

    name = forms.CharField(label="Display name", max_length=100)

    def __init__(self, *args: Any, interface: AccountingInterface, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._interface = interface
        self.fields["name"].initial = interface.name
        for setting in interface.package.settings:
            self.fields[f"set_{setting.key}"] = _field_for(setting, interface)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = AccountingInterface.objects.exclude(pk=self._interface.pk)
        if others.filter(name=name).exists():
            raise forms.ValidationError(NAME_TAKEN)
        return name

    def clean(self) -> None:
        """Refuse to leave out what another setting makes necessary."""
        super().clean()
        settings = {one.key: one for one in self._interface.package.settings}
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

    def save(self) -> None:
        """Keep name and preferences. Needs a scope."""
        self._interface.name = self.cleaned_data["name"]
        self._interface.save(update_fields=["name"])
        values = {
            setting.key: self.cleaned_data[f"set_{setting.key}"]
            for setting in self._interface.package.settings
        }
        preferences.save_preferences(self._interface, values)


def _field_for(setting: Setting, interface: AccountingInterface) -> forms.Field:
    common: dict[str, Any] = {
        "label": setting.label,
        "help_text": setting.help,
        "required": setting.required,
        "initial": interface.preference(setting.key),
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
