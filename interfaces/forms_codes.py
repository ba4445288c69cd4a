"""What people choose of codes: the defaults, what stands for Abtrac's codes, and code rules."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict

from interfaces.models import (
    AccountCode,
    AccountingInterface,
    AccountMapping,
    CodeRule,
    PackageCode,
    TaxCode,
    TaxMapping,
)
from interfaces.pairs import (
    DEFAULT_PAIRS,
    account_of,
    no_account_for,
    nothing_to_go_with,
    refused_together,
)
from interfaces.selectors import CodesOf
from interfaces.suggestions import Chart, CodesInUse, InUse, Suggestion
from interfaces.typed_names import check_name

# Field, label, what is said where it is empty.
DEFAULT_ACCOUNTS = [
    ("revenue_account", "Account for revenue", "Not set"),
    ("tax_free_account", "Account for tax-free revenue", "As for revenue"),
    ("disbursement_account", "Account for disbursements", "Not set"),
]
DEFAULT_TAXES = [
    ("revenue_tax", "Tax code for taxed lines", "Not set"),
    ("tax_free_tax", "Tax code for tax-free lines", "Not set"),
]
TAX_FIELDS = [name for name, _, _ in DEFAULT_TAXES]
DEFAULTS = [name for name, _, _ in (*DEFAULT_ACCOUNTS, *DEFAULT_TAXES)]
MAPPED = {"map_account_": AccountCode, "map_tax_": TaxCode}
LONGEST_CODE = 50


class CodeChoice(forms.TypedChoiceField):
    """One of the codes given, which are in memory already."""

    def __init__(self, *, codes: Iterable[PackageCode], empty: str, **kwargs: Any) -> None:
        self.codes: Mapping[int, PackageCode] = {one.pk: one for one in codes}
        choices = [("", empty), *((pk, in_words(one)) for pk, one in self.codes.items())]
        super().__init__(
            choices=choices,
            coerce=lambda value: self.codes[int(value)],
            empty_value=None,
            required=False,
            **kwargs,
        )


def in_words(code: PackageCode) -> str:
    """The code as it is chosen: a tax code by the name people know it by."""
    text = str(code)
    if isinstance(code, TaxCode):
        text = f"{code.name} ({code.code}, {code.percent})"
    return text if code.can_be_used else f"{text} ({code.why_not})"


@dataclass(frozen=True, kw_only=True)
class Need:
    """A row of the page: a default or a code in use, what is chosen for it, what is suggested."""

    field: forms.BoundField
    label: str
    note: str
    suggestion: Suggestion | None
    ticked: bool
    # Why there is nothing to choose from, where the package has such codes.
    why_none: str

    @property
    def accepts(self) -> str:
        """What its tick posts."""
        code = self.suggestion.code.pk if self.suggestion else ""
        return f"{self.field.name}={code}"


class NeedsForm(forms.Form):
    """A code for each default, and for each code on the invoices that have yet to go.

    A suggestion is taken by its tick (`accept`); those that are exact (`exact`) also all at once,
    by the button `accept_exact`. A tick never takes back what was chosen otherwise.
    """

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        interface: AccountingInterface,
        codes: CodesOf,
        in_use: CodesInUse,
        accounts: Collection[int] = (),
        taxes: Collection[int] = (),
    ) -> None:
        """`accounts` and `taxes` are the codes about to be offered, by row id."""
        super().__init__(data)
        self._interface = interface
        self._codes = codes
        self._in_use = in_use
        self._ticked = {AccountCode: accounts, TaxCode: taxes}
        self._chosen: dict[str, Any] = codes.defaults(interface)
        self._label = interface.package.label
        for defaults, rows in ((DEFAULT_ACCOUNTS, codes.accounts), (DEFAULT_TAXES, codes.taxes)):
            for name, label, empty in defaults:
                self._add(name, label, rows, empty)
        self._used: dict[str, InUse] = {}
        self._add_mappings("map_account_", "Account code", in_use.accounts, codes.accounts)
        self._add_mappings("map_tax_", "Tax code", in_use.taxes, codes.taxes)

    def _add(self, name: str, label: str, rows: Iterable[PackageCode], empty: str) -> None:
        chosen = self._chosen.get(name)
        offered = [one for one in rows if (one.available and one.can_be_used) or one is chosen]
        self.fields[name] = CodeChoice(
            codes=offered,
            empty=empty,
            label=label,
            initial=chosen.pk if chosen else None,
            widget=forms.Select(attrs={"class": "form-select"}),
        )

    def _add_mappings(
        self, prefix: str, word: str, in_use: Iterable[InUse], rows: Iterable[PackageCode]
    ) -> None:
        """A field for each code in use, each that is mapped, and each the person was shown."""
        known = {one.code: one for one in rows}
        accounts = prefix == "map_account_"
        mapped: Mapping[str, PackageCode] = (
            self._codes.account_mappings if accounts else self._codes.tax_mappings
        )
        used = {one.code: one for one in in_use}
        for code in dict.fromkeys([*used, *sorted(mapped), *_shown(self.data, prefix)]):
            name = f"{prefix}{code.encode().hex()}"
            self._used[name] = used.get(code, InUse(code=code, lines=0))
            if code in mapped:
                self._chosen[name] = mapped[code]
            same = known.get(code)
            usable = same is not None and same.can_be_used
            empty = f"Same code: {in_words(same)}" if usable and same else "Not set"
            self._add(name, f"{word} {code}", rows, empty)

    def needs(self) -> Iterator[Need]:
        """The rows, each with its suggestion where it has no code that can be used."""
        chart = Chart(
            label=self._label,
            accounts=self._codes.accounts,
            taxes=self._codes.taxes,
            usual_kinds=self._interface.package.usual_kinds,
            chosen={name: self._chosen[name] for name in DEFAULTS},
            in_use=self._in_use,
        )
        for name in self.fields:
            if self.errors.get(name):
                self.fields[name].widget.attrs["class"] = "form-select is-invalid"
            suggestion = self._suggested(name, chart)
            accepts = f"{name}={suggestion.code.pk}" if suggestion else ""
            yield Need(
                field=self[name],
                label=str(self.fields[name].label),
                note=self._note(name),
                suggestion=suggestion,
                ticked=accepts in self._posted("accept"),
                why_none=self._why_none(name),
            )

    def _why_none(self, name: str) -> str:
        field = self.fields[name]
        taxes = name in TAX_FIELDS or name.startswith("map_tax_")
        listed = self._codes.taxes if taxes else self._codes.accounts
        if not listed or (isinstance(field, CodeChoice) and field.codes):
            return ""
        heading = "Manage tax codes" if taxes else "Manage GL account codes"
        return f"No code is offered: tick some under “{heading}” below."

    def _suggested(self, name: str, chart: Chart) -> Suggestion | None:
        if name in DEFAULTS:
            return chart.default(name)
        used, chosen = self._used[name], self._chosen.get(name)
        same = self._same_code(name)
        if (chosen and chosen.can_be_used) or (same and same.can_be_used):
            return None
        return chart.account(used) if name.startswith("map_account_") else chart.tax(used)

    def _same_code(self, name: str) -> PackageCode | None:
        rows: Iterable[PackageCode] = (
            self._codes.accounts if name.startswith("map_account_") else self._codes.taxes
        )
        return next((one for one in rows if one.code == self._used[name].code), None)

    def _note(self, name: str) -> str:
        used = self._in_use.taxed if name == "revenue_tax" else self._used.get(name)
        if used is None:
            return ""
        if not used.lines:
            return "on no invoice that has yet to go"
        lines = f"{used.lines} line{'' if used.lines == 1 else 's'}"
        rated = used.percent and not name.startswith("map_account_")
        return f"{lines} at {used.percent}" if rated else lines

    def _posted(self, name: str) -> list[str]:
        return self.data.getlist(name) if isinstance(self.data, QueryDict) else []

    @property
    def is_whole(self) -> bool:
        """Whether what came is this form: what is left out would be taken for emptied."""
        return all(name in self.data for name in DEFAULTS)

    def clean(self) -> None:
        """Take what was ticked; refuse what cannot be, naming what would do."""
        super().clean()
        for name in self._used.keys() - self.data.keys():
            # Somebody else has mapped it since the page was shown.
            self.cleaned_data[name] = self._chosen.get(name)
        self._accept(self._posted("accept"))
        if "accept_exact" in self.data:
            self._accept(self._posted("exact"), only_empty=True)
        for name, code in list(self.cleaned_data.items()):
            if code and code.available and code.pk not in self._ticked[type(code)]:
                self.add_error(
                    name,
                    f"{code} is chosen here, so its “Offer” box below must stay ticked."
                    " Tick it, or choose another here.",
                )
        self._refuse_pairs()

    def _accept(self, values: Iterable[str], *, only_empty: bool = False) -> None:
        for value in values:
            name, _, pk = value.partition("=")
            field = self.fields.get(name)
            if not isinstance(field, CodeChoice) or name not in self.cleaned_data:
                continue
            suggested = field.codes.get(int(pk)) if pk.isdecimal() and len(pk) < 19 else None
            chosen = self.cleaned_data[name]
            if suggested is None:
                self.add_error(name, "What was suggested here cannot be used any more.")
            elif chosen is None or (chosen is self._chosen.get(name) and not only_empty):
                self.cleaned_data[name] = suggested
            elif chosen is not suggested and not only_empty:
                self.add_error(
                    name, f"You chose {chosen} and ticked {suggested}. Leave only one of them."
                )

    def _refuse_pairs(self) -> None:
        """What was not touched stays as it was, whatever the package says of it today."""
        given = {**self._chosen, **self.cleaned_data}
        changed = self._changed()
        for of_account, of_tax in DEFAULT_PAIRS:
            account, tax = account_of(given, of_account), given.get(of_tax)
            by_account = of_account in changed or (
                of_account == "tax_free_account" and "revenue_account" in changed
            )
            if account and tax and (by_account or of_tax in changed):
                why = refused_together(self._label, account, tax, self._codes.taxes)
                where = of_tax if of_tax in changed or not by_account else of_account
                self._refuse(where, why)
        reached = reached_by(given, self._codes, self._in_use)
        for name in changed:
            code = given[name]
            if name in DEFAULTS or code is None:
                continue
            if isinstance(code, AccountCode):
                why = nothing_to_go_with(self._label, code, reached.taxes, self._codes.taxes)
            else:
                why = no_account_for(self._label, code, reached.accounts)
            self._refuse(name, why)

    def _refuse(self, name: str, why: str) -> None:
        if why and why not in self.errors.get(name, ()):
            self.add_error(name, why)

    def other_rates(self) -> list[str]:
        """A sentence for each default tax code whose rate is not that of the lines it is for."""
        taxed, tax_free = (self.cleaned_data[name] for name in TAX_FIELDS)
        seen = self._in_use.taxed
        told = []
        if taxed and seen and seen.net and not seen.fits(taxed.rate):
            is_at = f"{self.fields['revenue_tax'].label} is {taxed.code} at {taxed.percent}"
            told.append(f"{is_at}, but your lines were taxed at {seen.percent}.")
        if tax_free and tax_free.rate:
            is_at = f"{self.fields['tax_free_tax'].label} is {tax_free.code} at {tax_free.percent}"
            told.append(f"{is_at}, but tax-free lines carry no tax.")
        return told

    def _changed(self) -> list[str]:
        return [
            name for name, code in self.cleaned_data.items() if code is not self._chosen.get(name)
        ]

    def save(self) -> tuple[dict[str, str], dict[str, str]]:
        """Keep what was chosen. Answers what changed, before and after. Needs a scope."""
        changed = self._changed()
        before = {self._called(name): str(self._chosen.get(name) or "") for name in changed}
        after = {self._called(name): str(self.cleaned_data[name] or "") for name in changed}
        defaults = [name for name in changed if name in DEFAULTS]
        for name in defaults:
            setattr(self._interface, name, self.cleaned_data[name])
        if defaults:
            self._interface.save(update_fields=defaults)
        self._save_mappings(AccountMapping, "account", "map_account_", changed)
        self._save_mappings(TaxMapping, "tax", "map_tax_", changed)
        return before, after

    def _called(self, name: str) -> str:
        return name if name in DEFAULTS else str(self.fields[name].label)

    def _save_mappings(self, model: Any, column: str, prefix: str, changed: list[str]) -> None:
        chosen = {
            self._used[name].code: self.cleaned_data[name]
            for name in changed
            if name.startswith(prefix)
        }
        gone = [code for code, one in chosen.items() if one is None]
        kept = [
            model(interface=self._interface, code=code, **{column: one})
            for code, one in chosen.items()
            if one is not None
        ]
        if gone:
            model.objects.filter(interface=self._interface, code__in=gone).delete()
        if kept:
            model.objects.bulk_create(
                kept,
                update_conflicts=True,
                unique_fields=["interface", "code"],
                update_fields=[column],
            )


def _shown(data: Mapping[str, Any], prefix: str) -> list[str]:
    """The codes of Abtrac's whose fields were posted; what is no such field is passed over."""
    found = []
    for name in data:
        try:
            code = bytes.fromhex(name.removeprefix(prefix)).decode()
        except ValueError:
            continue
        fit = name.startswith(prefix) and 0 < len(code) <= LONGEST_CODE and code.isprintable()
        if fit and f"{prefix}{code.encode().hex()}" == name:
            found.append(code)
    return found


@dataclass(frozen=True, kw_only=True)
class Reached:
    """The accounts and tax codes that lines here can get."""

    accounts: list[AccountCode]
    taxes: list[TaxCode]


def reached_by(given: Mapping[str, Any], codes: CodesOf, in_use: CodesInUse) -> Reached:
    """By the defaults and mappings given by field, the rules, and the codes of the lines."""
    values = [
        one for name, one in given.items() if name in DEFAULTS or name.startswith(tuple(MAPPED))
    ]
    written = {one.code for one in (*in_use.accounts, *in_use.taxes)}
    return Reached(
        accounts=[
            *(one for one in values if isinstance(one, AccountCode)),
            *(rule.account for rule in codes.rules),
            *(one for one in codes.accounts if one.code in written and one.can_be_used),
        ],
        taxes=[
            *(one for one in values if isinstance(one, TaxCode)),
            *(one for one in codes.taxes if one.code in written and one.can_be_used),
        ],
    )


Subjects = Mapping[str, Iterable[tuple[str, str]]]
# Of these Abtrac sends names, so one may be typed before it is first used.
NAMED = (
    CodeRule.Scope.DISBURSEMENT_TYPE,
    CodeRule.Scope.TASK,
    CodeRule.Scope.JOB_TYPE,
    CodeRule.Scope.DEPARTMENT,
)


class RuleForm(forms.Form):
    """An account code for all lines of an office, a department, a job type and so on."""

    subject = forms.ChoiceField(
        label="Lines of",
        required=False,
        help_text="What Abtrac has sent so far.",
        error_messages={"invalid_choice": "Select a valid choice. That one is not among them."},
    )
    other_scope = forms.ChoiceField(
        label="Or another, of the kind",
        required=False,
        choices=[("", "---------"), *((one.value, one.label) for one in NAMED)],
    )
    other_subject = forms.CharField(
        label="Its name",
        required=False,
        max_length=100,
        validators=[check_name],
        help_text="As it will stand on invoices, for one that no invoice has named so far.",
    )

    def __init__(
        self,
        *args: Any,
        interface: AccountingInterface,
        codes: CodesOf,
        in_use: CodesInUse,
        subjects: Subjects,
        rule: CodeRule | None = None,
        **kwargs: Any,
    ) -> None:
        """With a `rule`, only its account is asked for."""
        super().__init__(*args, **kwargs)
        self._interface = interface
        self._codes = codes
        self._in_use = in_use
        self._rule = rule
        chosen = rule.account if rule else None
        offered = [
            one
            for one in codes.accounts
            if (one.available and one.can_be_used) or (chosen and one.pk == chosen.pk)
        ]
        self.fields["account"] = CodeChoice(
            codes=offered,
            empty="---------",
            label="Account",
            initial=chosen.pk if chosen else None,
        )
        self.fields["account"].required = True
        if rule:
            for name in ("subject", "other_scope", "other_subject"):
                del self.fields[name]
            return
        field: Any = self.fields["subject"]
        field.choices = [("", "---------"), *_grouped(subjects)]

    def clean_account(self) -> AccountCode:
        account: AccountCode = self.cleaned_data["account"]
        if not account.can_be_used:
            raise forms.ValidationError(f"{account} {account.why_not}. Choose another.")
        given = {
            **self._codes.defaults(self._interface),
            **{f"map_tax_{code}": one for code, one in self._codes.tax_mappings.items()},
        }
        why = nothing_to_go_with(
            self._interface.package.label,
            account,
            reached_by(given, self._codes, self._in_use).taxes,
            self._codes.taxes,
        )
        if why:
            raise forms.ValidationError(why)
        return account

    def clean(self) -> None:
        """Exactly one subject, of which there is no rule so far."""
        super().clean()
        if self._rule or self.errors.keys() & {"subject", "other_scope", "other_subject"}:
            return
        chosen = self.cleaned_data.get("subject", "")
        scope, name = (self.cleaned_data[one] for one in ("other_scope", "other_subject"))
        if bool(chosen) == bool(scope or name):
            self.add_error("subject", "Choose one here, or name another below; not both.")
        elif not chosen and not (scope and name):
            self.add_error("other_subject", "Say both what kind it is and how it is named.")
        else:
            of, _, subject = chosen.partition("|") if chosen else (scope, "", name)
            self.cleaned_data["rule"] = (of, subject)
            same = (of, subject.casefold())
            if same in {(one.scope, one.subject.casefold()) for one in self._codes.rules}:
                self.add_error(
                    "subject" if chosen else "other_subject",
                    "There is a rule for it already. Change that one.",
                )


def _grouped(subjects: Subjects) -> Iterator[tuple[str, list[tuple[str, str]]]]:

    for scope, found in subjects.items():
        group = [(f"{scope}|{value}", name) for value, name in found]
        if group:
            yield str(CodeRule.Scope(scope).label), group
