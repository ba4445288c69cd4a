"""What a practice is asked before Abtrac's support sets its link up."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.base.protocol import Package, ReadsCodes, Setting
from interfaces.models import AccountCode, AccountingInterface, TaxCode

COMPANY_FILE = "company_file"
SAMPLE_INVOICE = "sample_invoice"
IMPORTER = "importer"
# What only the practice can give where the package cannot be read, as the queue names it.
LISTS: Mapping[str, Any] = {"List of accounts": AccountCode, "List of tax codes": TaxCode}

# A package that has a setting of the same key asks with that, and the answer is the setting.
EVERYBODY = (
    Setting(
        key="version",
        label="Version or year",
        help="As it says itself, mostly under Help, for example “v19.14” or “2024”.",
        required=True,
    ),
    Setting(
        key="country",
        label="Country of the books",
        kind="choice",
        choices=(("NZ", "New Zealand"), ("AU", "Australia"), ("other", "Another")),
        required=True,
    ),
    Setting(key=COMPANY_FILE, label="Name of the {word}", required=True),
    Setting(
        key="detail",
        label="Lines",
        kind="choice",
        choices=(("lines", "All lines of an invoice"), ("single", "One line per invoice")),
        required=True,
    ),
    Setting(
        key="match_contacts_by",
        label="Match clients by",
        kind="choice",
        choices=(
            ("number", "Client ID"),
            ("name", "Client name"),
            ("name_on_invoice", "Name on Invoice"),
        ),
        help="A name that is spelled differently there makes a second client.",
        required=True,
    ),
    Setting(
        key="jobs",
        label="Jobs",
        kind="choice",
        choices=(("yes", "Send them"), ("no", "Leave them out")),
        required=True,
    ),
    Setting(
        key=SAMPLE_INVOICE,
        label="Sample invoice",
        help="The number, in Abtrac, of an invoice that is typical of yours.",
        required=True,
    ),
    Setting(
        key=IMPORTER,
        label="Who will work with it",
        help="Who imports the invoices day by day, and whom we may ask about the accounts.",
        required=True,
    ),
)


def questions_of(package: Package) -> tuple[Setting, ...]:
    """All that is asked for the package: what everybody is asked, then its own questions."""
    settings = {one.key: one for one in package.settings if one.kind != "secret"}
    own = {one.key: one for one in package.questions}
    everybody = [own.get(one.key) or settings.get(one.key) or one for one in EVERYBODY]
    rest = [one for one in package.questions if one not in everybody]
    word = package.company_file_word
    return tuple(
        replace(one, label=one.label.replace("{word}", word)) for one in [*everybody, *rest]
    )


def settings_among(package: Package, answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers that are settings of the package as well."""
    keys = {one.key for one in package.settings if one.kind != "secret"}
    return {key: value for key, value in answers.items() if key in keys and _given(value)}


def unanswered(package: Package, answers: Mapping[str, Any]) -> list[str]:
    """The questions that must be answered and are not yet, by their labels."""
    return [
        one.label
        for one in questions_of(package)
        if one.required and not _given(answers.get(one.key))
    ]


def lists_missing(interface: AccountingInterface) -> list[str]:
    """The lists that only the practice can give. Needs a scope."""
    if interface.package.can(ReadsCodes):
        return []
    return [
        name
        for name, model in LISTS.items()
        if not model.objects.filter(interface=interface).exists()
    ]


def in_words(package: Package, answers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every question and its answer as a person reads them."""
    return [(one.label, _in_words(one, answers.get(one.key))) for one in questions_of(package)]


def _in_words(question: Setting, value: Any) -> str:
    if question.kind == "boolean":
        return "Yes" if value else "No"
    if not _given(value):
        return "Not answered yet" if question.required else "Not answered"
    return str(dict(question.choices).get(value, value))


def _given(value: Any) -> bool:
    return value is not None and value != ""
