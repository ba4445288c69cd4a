"""The books of Xero's stand-in, arranged so that something happens in them."""

from datetime import date
from decimal import Decimal
from typing import Any

from connectors.xero.standin_charts import AUSTRALIA, NEW_ZEALAND
from connectors.xero.standin_ledger import Organisation, TaxRate
from tests.connectors.samples import contact
from tests.preflight.corpus_cases import Arrange, Case, Valid
from tests.preflight.corpus_xero_samples import ISSUED, OTHER_CLIENT

AUSTRALIAN = "Harbour Surveying Pty Ltd"
OTHERS = "Somebody Else Ltd"


def open_books(case: Case | Valid) -> Organisation:
    """New books with two clients and a job in them, arranged for the case."""
    if case.company_file == AUSTRALIAN:
        books = Organisation(AUSTRALIAN, country=AUSTRALIA, currencies=["NZD"])
    else:
        books = Organisation(
            "Harbour Architects Ltd", country=NEW_ZEALAND, currencies=["AUD", "USD"]
        )
    for client in (contact(), OTHER_CLIENT):
        books.add_contact(name=client.name, number=client.number)
    books.add_tracking_option("J1234")
    case.arrange(books)
    return books


def all_of(*arrangements: Arrange) -> Arrange:
    """One arrangement after the other."""

    def arrange(books: Organisation) -> None:
        for one in arrangements:
            one(books)

    return arrange


def theirs(number: str, *, status: str = "AUTHORISED", issued: date = ISSUED) -> Arrange:
    """Somebody else's invoice of that number."""

    def arrange(books: Organisation) -> None:
        books.add_invoice(number, OTHERS, issued=issued, status=status)

    return arrange


def voided(number: str) -> Arrange:
    """Somebody else's invoice, voided since."""

    def arrange(books: Organisation) -> None:
        books.add_invoice(number, OTHERS, issued=ISSUED)
        books.void_invoice(number)

    return arrange


def paid(number: str) -> Arrange:
    """Somebody else's invoice, paid in full."""

    def arrange(books: Organisation) -> None:
        books.add_invoice(number, OTHERS, issued=ISSUED)
        books.pay_invoice(number, "115.00", ISSUED)

    return arrange


def their_credit_note(number: str, *, unique: bool) -> Arrange:
    """Somebody else's credit note; whether Xero holds its numbers unique is not certain."""

    def arrange(books: Organisation) -> None:
        books.credit_note_numbers_are_unique = unique
        books.add_credit_note(number, OTHERS, issued=ISSUED)

    return arrange


def account(code: str, **facts: Any) -> Arrange:
    """One more account."""

    def arrange(books: Organisation) -> None:
        books.add_account(code, f"Account {code}", **facts)

    return arrange


def archived_account(code: str) -> Arrange:
    """An account that was in use until now."""
    return lambda books: books.archive_account(code)


def tax_rate(code: str, percentage: str = "15", *, status: str = "ACTIVE") -> Arrange:
    """A tax rate of the organisation's own."""

    def arrange(books: Organisation) -> None:
        made = TaxRate(code, f"Own {code}", Decimal(percentage), "LR", "OUTPUT", status)
        books.tax_rates.append(made)

    return arrange


def locked(day: date, *, end_of_year: bool = False) -> Arrange:
    """The books are closed up to and including the day."""
    return lambda books: books.set_lock_date(day, end_of_year=end_of_year)


def plan(limit: int) -> Arrange:
    """A plan that lets so many invoices of a month be approved."""

    def arrange(books: Organisation) -> None:
        books.plan_limit = limit

    return arrange


def forbidden(action: str) -> Arrange:
    """The person who signed in may not do this."""
    return lambda books: books.forbidden.add(action)


def archived_client(books: Organisation) -> None:
    """The client of the documents is archived."""
    books.archive_contact(contact().name)


def merged_client(books: Organisation) -> None:
    """The client of the documents went into another."""
    books.merge_contacts(contact().name, into=OTHER_CLIENT.name)


def known(name: str, number: str = "", *, archived: bool = False) -> Arrange:
    """One more contact in the books."""

    def arrange(books: Organisation) -> None:
        books.add_contact(name=name, number=number, archived=archived)

    return arrange


def without_category(books: Organisation) -> None:
    """There is no tracking category."""
    books.tracking_categories.clear()


def archived_category(books: Organisation) -> None:
    """The tracking category of jobs is archived."""
    books.tracking_categories[0].status = "ARCHIVED"


def archived_job(books: Organisation) -> None:
    """The job of the documents is archived."""
    books.tracking_categories[0].options[0].status = "ARCHIVED"


def full_category(books: Organisation) -> None:
    """As many jobs as the category holds but one."""
    for place in range(books.option_limit - 2):
        books.add_tracking_option(f"OLD-{place}")
