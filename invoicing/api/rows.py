"""The rows Abtrac sends, field by field, and what is wrong with one whatever else is stored.

A row is whole: what it leaves out is empty. Names that are not of the row are refused, so that
nothing is thought to be set that is not.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, cast

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from connectors.base.documents import LineKind, TaxBasis
from invoicing import totals
from invoicing.api.fields import (
    Choice,
    Day,
    Email,
    Identity,
    InOurWords,
    InvoiceId,
    Money,
    Pattern,
    Price,
    Quantity,
    Rows,
    Text,
    Texts,
    Whole,
    Words,
)

MAX_LINES = 1000
UNKNOWN = "There is no such field here."

# (field, code, message) of what does not fit together.
Found = Iterator[tuple[str, str, str]]


def no_address() -> dict[str, Any]:
    """An address with nothing in it."""
    return {
        "attention": "",
        "lines": [],
        "city": "",
        "region": "",
        "postal_code": "",
        "country": "",
    }


class Row(InOurWords, serializers.Serializer[Any]):
    """An object of exactly these fields."""

    default_error_messages = {"invalid": "Give an object with the fields of this row."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self.fail("invalid")
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for field in self._writable_fields:
            name = str(field.field_name)
            try:
                values[name] = field.run_validation(field.get_value(data))
            except ValidationError as error:
                errors[name] = error.detail
        for name in data.keys() - self.fields.keys():
            errors[name] = [ErrorDetail(UNKNOWN, code="unknown_field")]
        for name, code, message in self.disagreements(values, data):
            errors.setdefault(name, [])
            if isinstance(errors[name], list):
                errors[name].append(ErrorDetail(message, code=code))
        if errors:
            raise ValidationError(errors)
        return values

    def child_of(self, name: str) -> "Row":
        """What each element of that list is read by."""
        return cast(Row, cast(serializers.ListSerializer[Any], self.fields[name]).child)

    def disagreements(self, values: Mapping[str, Any], data: Mapping[str, Any]) -> Found:
        """What does not fit together among the fields that could be read."""
        yield from ()


def many(row: type[Row], *, least: int = 0, most: int) -> Rows:
    """A list of so many such rows."""
    return Rows(child=row(), min_length=least, max_length=most)


class AddressRow(Row):
    """A postal or street address."""

    attention = Text(max_length=255, optional=True)
    lines = Texts(child=Text(max_length=255), required=False, default=list, max_length=4)
    city = Text(max_length=255, optional=True)
    region = Text(max_length=255, optional=True)
    postal_code = Text(max_length=50, optional=True)
    country = Text(max_length=50, optional=True)


class InvoiceSettingRow(Row):
    """Numbering, terms and tax of a set of offices."""

    abtrac_id = Identity(max_length=40)
    name = Text(max_length=100)
    prefix = Text(max_length=20, optional=True)
    next_number = Whole(min_value=0, max_value=2**31 - 1, required=False, default=1)
    terms_days = Whole(min_value=0, max_value=2**15 - 1, required=False, default=20)
    terms_text = Text(max_length=200, optional=True)
    tax_name = Text(max_length=20, required=False, default="GST")
    tax_number = Text(max_length=50, optional=True)


class OfficeRow(Row):
    """A branch of the practice, and the invoice setting it uses."""

    abtrac_id = Identity(max_length=40)
    name = Text(max_length=100)
    invoice_setting = Identity(max_length=40, help_text="The invoice setting's `abtrac_id`.")
    phone = Text(max_length=50, optional=True)
    email = Email()
    postal_address = Words(max_length=1000, optional=True)
    street_address = Words(max_length=1000, optional=True)


class ClientRow(Row):
    """The practice's customer."""

    abtrac_id = Identity(max_length=40, help_text="Abtrac's client ID.")
    name = Text(max_length=255)
    abbreviation = Text(max_length=40, optional=True)
    contact_first_name = Text(max_length=100, optional=True)
    contact_last_name = Text(max_length=100, optional=True)
    email = Email()
    phone = Text(max_length=50, optional=True)
    tax_number = Text(max_length=50, optional=True)
    postal_address = AddressRow(required=False, default=no_address)
    street_address = AddressRow(required=False, default=no_address)


class JobRow(Row):
    """A job (project) of one client."""

    abtrac_id = Identity(max_length=40, help_text="Abtrac's job ID.")
    code = Text(max_length=40)
    client = Identity(max_length=40, help_text="The client's `abtrac_id`.")
    description = Text(max_length=255, optional=True)
    job_type = Text(max_length=100, optional=True)
    department = Text(max_length=100, optional=True)
    client_reference = Text(max_length=100, optional=True)


class LineRow(Row):
    """One line of an invoice. `net` and `tax` are its amounts whatever the tax basis."""

    position = Whole(min_value=1, max_value=2**31 - 1)
    description = Words(max_length=4000)
    kind = Choice(choices=[kind.value for kind in LineKind])
    quantity = Quantity()
    unit_price = Price()
    net = Money()
    tax = Money()
    tax_code = Text(max_length=50, optional=True)
    account_code = Text(max_length=50, optional=True)
    job = Identity(max_length=40, optional=True, help_text="The job's `abtrac_id`.")
    task = Text(max_length=100, optional=True)
    disbursement_type = Text(max_length=100, optional=True)


class InvoiceRow(Row):
    """An invoice with its lines; a credit note when its total is negative."""

    abtrac_id = InvoiceId(help_text="Abtrac's invoice ID, which never changes.")
    number = Identity(max_length=255)
    office = Identity(max_length=40, help_text="The office's `abtrac_id`.")
    invoice_setting = Identity(
        max_length=40,
        optional=True,
        help_text="The invoice setting's `abtrac_id`; left out, the one its office uses.",
    )
    client = Identity(max_length=40, help_text="The client's `abtrac_id`.")
    job = Identity(max_length=40, optional=True, help_text="The job's `abtrac_id`.")
    credits = Identity(
        max_length=40,
        optional=True,
        help_text="For a credit note: the `abtrac_id` of the invoice it credits.",
    )
    name_on_invoice = Text(max_length=255)
    recipient = Text(max_length=255, optional=True)
    issued = Day()
    due = Day()
    order_number = Text(max_length=100, optional=True)
    claim_number = Text(max_length=40, optional=True)
    tax_basis = Choice(
        choices=[basis.value for basis in TaxBasis],
        help_text="Whether unit prices hold the tax.",
    )
    currency = Pattern(
        r"^[A-Z]{3}$", error_messages={"invalid": "Give three capital letters, such as NZD."}
    )
    tax_code = Text(max_length=50, optional=True)
    net = Money()
    tax = Money()
    total = Money()
    lines = many(LineRow, least=1, most=MAX_LINES)

    def disagreements(self, values: Mapping[str, Any], data: Mapping[str, Any]) -> Found:
        yield from self._dates(values)
        yield from self._credited(values)
        if values.keys() >= {"net", "tax", "total"}:
            for one in totals.check_total(**_amounts(values, "net", "tax", "total")):
                yield one.field, "totals_disagree", one.message
        if values.keys() >= {"net", "tax", "lines"}:
            sums = [(line["net"], line["tax"]) for line in values["lines"]]
            for one in totals.check_sums(**_amounts(values, "net", "tax"), lines=sums):
                yield one.field, "totals_disagree", one.message
        yield from self._of_lines(values, data)

    def _dates(self, values: Mapping[str, Any]) -> Found:
        if values.keys() >= {"issued", "due"} and values["due"] < values["issued"]:
            message = f"Due {values['due']} is before the invoice date {values['issued']}."
            yield "due", "due_before_issued", message

    def _credited(self, values: Mapping[str, Any]) -> Found:
        if values.get("credits") and values.get("total", -1) >= 0:
            message = "Only a credit note, whose total is negative, names what it credits."
            yield "credits", "not_a_credit_note", message

    def _of_lines(self, values: Mapping[str, Any], data: Mapping[str, Any]) -> Found:
        positions: set[int] = set()
        for index, line in self._readable_lines(values, data):
            if line["position"] in positions:
                message = f"Position {line['position']} stands twice in this invoice."
                yield f"lines[{index}].position", "duplicate_position", message
            positions.add(line["position"])
            if "tax_basis" not in values:
                continue
            amounts = _amounts(line, "quantity", "unit_price", "net", "tax")
            for one in totals.check_line(**amounts, basis=TaxBasis(values["tax_basis"])):
                yield f"lines[{index}].{one.field}", "line_disagrees", one.message

    def _readable_lines(
        self, values: Mapping[str, Any], data: Mapping[str, Any]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """The lines that could be read, although others of the invoice could not."""
        if "lines" in values:
            yield from enumerate(values["lines"])
        elif isinstance(data.get("lines"), list) and len(data["lines"]) <= MAX_LINES:
            for index, raw in enumerate(data["lines"]):
                with suppress(ValidationError):
                    yield index, self.child_of("lines").run_validation(raw)


def _amounts(values: Mapping[str, Any], *names: str) -> dict[str, Decimal]:
    return {name: values[name] for name in names}
