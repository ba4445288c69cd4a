"""What people type about prices."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

from django import forms
from django.utils import timezone

from connectors import registry
from interfaces.models import PriceBook
from interfaces.price_books import type_of
from offices.once import OnceForm

# Steps of the scale that can be typed; two more than there are.
_MORE_TIERS = 2


def _dollars(label: str, **more: Any) -> forms.DecimalField:
    return forms.DecimalField(label=label, min_value=0, max_digits=9, decimal_places=2, **more)


class CalculatorForm(forms.Form):
    """What somebody would take."""

    users = forms.IntegerField(
        label="Employees who use Abtrac", min_value=1, max_value=100_000, initial=5
    )
    packages = forms.MultipleChoiceField(
        label="Accounts links", required=False, widget=forms.CheckboxSelectMultiple
    )
    debtor_module = forms.BooleanField(label="Debtor module", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        packages: Any = self.fields["packages"]
        packages.choices = registry.choices()


class PriceBookForm(OnceForm):
    """A new price book, beginning with what holds at present."""

    from_day = forms.DateField(
        label="From",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="A month is priced by what holds on its first day. Books that begin later stay"
        " as they are.",
    )
    base = _dollars("Base, a month")
    debtor_module = _dollars("Debtor module, a month")
    link = _dollars("Each accounts link, a month")
    set_up_fee = _dollars(
        "Set-up by our team, once",
        required=False,
        help_text="Empty: quoted before any work.",
    )
    note = forms.CharField(
        max_length=200, help_text="Why, for whoever reads the list of prices later."
    )

    def __init__(self, *args: Any, present: PriceBook, **kwargs: Any) -> None:
        """`present` is the book that holds now."""
        kwargs["initial"] = {
            "from_day": timezone.localdate(),
            "base": present.base,
            "debtor_module": present.debtor_module,
            "link": present.link,
            "set_up_fee": present.set_up_fee,
        }
        super().__init__(*args, **kwargs)
        self._present = present
        self._steps = range(1, len(present.tiers) + _MORE_TIERS + 1)
        for step in self._steps:
            last, each = present.tiers[step - 1] if step <= len(present.tiers) else (None, None)
            self.fields[f"up_to_{step}"] = forms.IntegerField(
                label=f"Step {step}: up to",
                min_value=1,
                max_value=100_000,
                initial=last,
                required=False,
            )
            self.fields[f"each_{step}"] = _dollars(
                f"Step {step}: each, a month", initial=each, required=False
            )
        for key, label in registry.choices():
            self.fields[f"charged_as_{key}"] = forms.ChoiceField(
                label=f"{label} is charged as",
                choices=registry.choices(),
                initial=type_of(present, key),
            )
            self.fields[f"set_up_fee_{key}"] = _dollars(
                f"Set-up of {label}, once",
                required=False,
                initial=present.packages.get(key, {}).get("set_up_fee"),
                help_text="Empty: as for all packages.",
            )

    def steps(self) -> list[tuple[Any, Any]]:
        """The fields of each step of the scale."""
        return [(self[f"up_to_{step}"], self[f"each_{step}"]) for step in self._steps]

    def packages(self) -> list[tuple[Any, Any]]:
        """The fields of each package."""
        return [
            (self[f"charged_as_{key}"], self[f"set_up_fee_{key}"]) for key in registry.packages()
        ]

    def clean(self) -> None:
        """Refuse a scale with holes, and a type that is itself charged as another one."""
        super().clean()
        given = [
            (step, self.cleaned_data[f"up_to_{step}"]) for step in self._steps if self._both(step)
        ]
        if not given and not self.errors:
            self.add_error("up_to_1", "Give at least one step.")
        for (_, lower), (step, higher) in pairwise(given):
            if higher <= lower:
                self.add_error(f"up_to_{step}", "Each step goes up to more than the one before.")
        for key, label in registry.choices():
            kind = self.cleaned_data.get(f"charged_as_{key}", key)
            if self.cleaned_data.get(f"charged_as_{kind}", kind) != kind:
                as_label = registry.label_of(kind)
                message = f"{as_label} is charged as another package, so {label} cannot be charged"
                self.add_error(f"charged_as_{key}", f"{message} as {as_label}.")

    def prices(self) -> dict[str, Any]:
        """All prices as they were typed, as a price book keeps them."""
        plain = ("from_day", "base", "debtor_module", "link", "set_up_fee", "note")
        return {
            **{name: self.cleaned_data[name] for name in plain},
            "tiers": [
                [self.cleaned_data[f"up_to_{step}"], f"{self.cleaned_data[f'each_{step}']:.2f}"]
                for step in self._steps
                if self.cleaned_data[f"up_to_{step}"]
            ],
            "packages": self._packages(),
        }

    def _both(self, step: int) -> bool:
        up_to, each = (self.cleaned_data.get(f"{name}_{step}") for name in ("up_to", "each"))
        broken = {f"up_to_{step}", f"each_{step}"} & set(self.errors)
        if (up_to is None) != (each is None) and not broken:
            missing = f"up_to_{step}" if up_to is None else f"each_{step}"
            self.add_error(missing, "A step needs both; empty both to leave it out.")
        return up_to is not None and each is not None

    def _packages(self) -> dict[str, dict[str, str]]:
        """Where packages differ; what is kept of packages that are not here now goes on."""
        known = registry.packages()
        kept = {key: one for key, one in self._present.packages.items() if key not in known}
        for key in known:
            own: dict[str, str] = {}
            if (kind := self.cleaned_data[f"charged_as_{key}"]) != key:
                own["charged_as"] = kind
            fee: Decimal | None = self.cleaned_data[f"set_up_fee_{key}"]
            if fee is not None:
                own["set_up_fee"] = f"{fee:.2f}"
            if own:
                kept[key] = own
        return kept
