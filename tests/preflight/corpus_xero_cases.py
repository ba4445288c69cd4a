"""What Xero's stand-in refuses or makes otherwise, each beside a neighbour that it takes.

Written from Xero's published description and what integrators report. The documents are approved
on arrival unless a case says otherwise, since Xero asks most of those.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.base.documents import SalesInvoice
from tests.connectors.samples import Terms, contact, credit_note, invoice, line
from tests.preflight.corpus_cases import Case, Document, Outcome
from tests.preflight.corpus_xero_books import (
    AUSTRALIAN,
    account,
    all_of,
    archived_account,
    archived_category,
    archived_client,
    archived_job,
    forbidden,
    full_category,
    known,
    locked,
    merged_client,
    paid,
    plan,
    tax_rate,
    their_credit_note,
    theirs,
    voided,
    without_category,
)
from tests.preflight.corpus_xero_samples import (
    APPROVED,
    AU,
    DAY,
    DRAFT,
    GOOD,
    ISSUED,
    NZ,
    OTHER_CLIENT,
    SUBMITTED,
    TEN_MEGABYTES,
    TRACKED,
    UNKNOWN_ID,
    UNTAXED,
    credit_set,
    job_coded,
    located,
    pdf_file,
    priced,
)

# What is said of several cases alike.
Named = dict[str, Any]


def case(
    name: str,
    wrong: Document,
    right: Document,
    *before: Document,
    settings: Any = None,
    **rest: Any,
) -> Case:
    """A case of one document, or of several of which the last is at fault."""
    return Case(
        name=name,
        documents=(*before, wrong),
        neighbour=right,
        settings=APPROVED if settings is None else settings,
        **rest,
    )


def of_line(
    name: str,
    wrong: dict[str, Any],
    right: dict[str, Any] | None = None,
    *,
    terms: Terms = NZ,
    make: Callable[..., SalesInvoice] = invoice,
    **rest: Any,
) -> Case:
    """A case in which the second of two lines is at fault, by the changes of a good line."""

    def document(changes: dict[str, Any]) -> SalesInvoice:
        second = line(terms, "100.00", quantity="1", unit_price="100.00", **changes)
        return make(terms, line(terms), second)

    rest.setdefault("line", 2)
    if terms is AU:
        rest["company_file"] = AUSTRALIAN
    return case(name, document(wrong), document(right or {}), **rest)


def of_client(name: str, wrong: dict[str, Any], right: dict[str, Any], **rest: Any) -> Case:
    """A case of a client whom Xero does not have yet."""
    rest.setdefault("field", "contact")
    rest.setdefault("code", "contact")
    new = contact("C2001", "Point Chevalier Marina")
    return case(name, replace(new, **wrong), replace(new, **right), **rest)


def numbers() -> Iterable[Case]:
    """Numbers."""
    taken: Named = {"field": "number", "code": "number_taken", "words": "must be unique"}
    wrong: Named = {"field": "number", "code": "number"}
    long: Named = {"field": "number", "code": "number_too_long", "words": "255"}
    other, note = invoice(NZ, number="ABT-1002"), credit_note(NZ)
    yield case("number of 256 characters", *_numbered("A" * 256, "A" * 255), **long)
    yield case(
        "credit note number of 256 characters",
        credit_note(NZ, number="A" * 256),
        credit_note(NZ, number="A" * 255),
        **long,
    )
    for name, arrange in {
        "number of another's invoice": theirs("ABT-1001"),
        "number of another's invoice in other capitals": theirs("abt-1001"),
        "number of another's draft": theirs("ABT-1001", status="DRAFT"),
        "number of another's paid invoice": paid("ABT-1001"),
        "number of a voided invoice": voided("ABT-1001"),
    }.items():
        yield case(name, GOOD, other, arrange=arrange, **taken)
    yield case("number twice in one batch", replace(GOOD, key="again"), other, GOOD, **taken)
    yield case(
        "credit note number of another's credit note",
        note,
        credit_note(NZ, number="ABT-2002"),
        arrange=their_credit_note("ABT-2001", unique=True),
        **taken,
    )
    yield case("no number", *_numbered("", "1"), outcome=Outcome.ALTERED, **wrong)
    yield case(
        "spaces after the number", *_numbered("AB 1 ", "AB 1"), outcome=Outcome.LOST, **wrong
    )
    yield case(
        "credit note number with a double quote",
        credit_note(NZ, number='CR-"1"'),
        credit_note(NZ, number="CR-'1'"),
        outcome=Outcome.LOST,
        **wrong,
    )


def _numbered(wrong: str, right: str) -> tuple[SalesInvoice, SalesInvoice]:
    return invoice(NZ, number=wrong), invoice(NZ, number=right)


def accounts() -> Iterable[Case]:
    """Account codes."""
    missing: Named = {
        "field": "account_code",
        "code": "account_missing",
        "words": "must be specified",
    }
    archived: Named = {
        "field": "account_code",
        "code": "account_archived",
        "words": "has been archived",
    }
    unknown: Named = {
        "field": "account_code",
        "code": "account_unknown",
        "words": "is not a valid code",
    }
    yield of_line("no account", {"account_code": ""}, **missing)
    yield of_line(
        "no account, to be approved by others", {"account_code": ""}, settings=SUBMITTED, **missing
    )
    yield of_line("archived account", {"account_code": "218"}, **archived)
    yield of_line(
        "account archived meanwhile",
        {"account_code": "210"},
        arrange=archived_account("210"),
        **archived,
    )
    yield of_line(
        "deleted account",
        {"account_code": "230"},
        arrange=account("230", status="DELETED"),
        **archived,
    )
    for name, code in {
        "unknown account": "999",
        "account by its name": "Fees",
        "bank account": "090",
        "accounts receivable": "610",
        "accounts payable": "800",
        "account of the tax itself": "820",
        "retained earnings": "960",
    }.items():
        yield of_line(name, {"account_code": code}, **unknown)
    yield of_line(
        "account that lost its zero",
        {"account_code": "45"},
        {"account_code": "045"},
        arrange=account("045"),
        **unknown,
    )
    yield of_line("unknown account on a draft", {"account_code": "999"}, settings=DRAFT, **unknown)
    yield of_line(
        "unknown account on a credit note", {"account_code": "999"}, make=credit_note, **unknown
    )
    yield of_line(
        "archived account on a credit note", {"account_code": "218"}, make=credit_note, **archived
    )
    yield of_line("unknown account in Australia", {"account_code": "999"}, terms=AU, **unknown)


def taxes() -> Iterable[Case]:
    """Tax codes, and tax that they do not come to."""
    unknown: Named = {
        "field": "tax_code",
        "code": "tax_unknown",
        "words": "does not exist or cannot be",
    }
    unfit: Named = {
        "field": "tax_code",
        "code": "tax_not_for_account",
        "words": "cannot be used with",
    }
    missing: Named = {
        "field": "tax_code",
        "code": "tax_missing",
        "words": "TaxType field is mandatory",
    }
    for name, code in {
        "unknown tax code": "TAX999",
        "tax code by its name": "15% GST on Income",
        "tax code of the old rate": "OUTPUT",
        "tax code in small letters": "output2",
    }.items():
        yield of_line(name, {"tax_code": code}, **unknown)
    for status in ("DELETED", "ARCHIVED", "PENDING"):
        yield of_line(
            f"tax code that is {status.lower()}",
            {"tax_code": "TAX001"},
            {"tax_code": "TAX002"},
            arrange=all_of(tax_rate("TAX001", status=status), tax_rate("TAX002")),
            **unknown,
        )
    yield of_line("tax on expenses with fees", {"tax_code": "INPUT2"}, **unfit)
    yield of_line("tax on imports with fees", {"tax_code": "GSTONIMPORTS", **UNTAXED}, **unfit)
    yield of_line(
        "tax on income with an expense account",
        {"account_code": "320"},
        {"account_code": "320", "tax_code": "INPUT2"},
        **unfit,
    )
    yield of_line(
        "no tax code, nor has the account one",
        {"account_code": "299", "tax_code": ""},
        {"account_code": "299"},
        arrange=account("299", tax_type=""),
        **missing,
    )
    yield of_line("unknown tax on a credit note", {"tax_code": "X"}, make=credit_note, **unknown)
    yield of_line(
        "tax on expenses on a credit note", {"tax_code": "INPUT2"}, make=credit_note, **unfit
    )
    yield of_line("unknown tax on a draft", {"tax_code": "TAX999"}, settings=DRAFT, **unknown)
    yield of_line("New Zealand's tax in Australia", {"tax_code": "OUTPUT2"}, terms=AU, **unknown)
    yield of_line("capital tax with fees", {"tax_code": "CAPEXINPUT"}, terms=AU, **unfit)
    yield of_line(
        "tax-free expenses with fees", {"tax_code": "EXEMPTEXPENSES", **UNTAXED}, terms=AU, **unfit
    )
    yield of_line(
        "tax withdrawn in Australia, which becomes another",
        {"tax_code": "NONE", **UNTAXED},
        {"tax_code": "BASEXCLUDED", **UNTAXED},
        terms=AU,
        outcome=Outcome.ALTERED,
        field="tax_code",
        code="tax_unknown",
    )
    differs: Named = {
        "field": "tax_code",
        "code": "tax_differs",
        "outcome": Outcome.ALTERED,
    }
    yield of_line("taxed code on a line without tax", {"tax": Decimal(0)}, **differs)
    yield of_line("tax of the old rate", {"tax": Decimal("12.50")}, **differs)
    yield of_line(
        "tax on a zero-rated line",
        {"tax_code": "ZERORATED", "tax_rate": Decimal(0)},
        {"tax_code": "ZERORATED", **UNTAXED},
        **differs,
    )
    yield of_line("tax of the old rate credited", {"tax": Decimal(12)}, make=credit_note, **differs)
    yield of_line(
        "tax of a total, a cent away from its lines'",
        {"tax": Decimal("15.01")},
        blocks=False,
        **differs,
    )


def dates() -> Iterable[Case]:
    """Lock dates."""
    locks: Named = {"field": "issued", "code": "period_locked"}
    period: Named = {**locks, "words": "the period lock date"}
    year: Named = {**locks, "words": "the end of year lock date"}
    after = replace(GOOD, issued=ISSUED + DAY)
    yield case("date of the period lock", GOOD, after, arrange=locked(ISSUED), **period)
    yield case(
        "date before the period lock",
        replace(GOOD, issued=date(2026, 10, 31)),
        after,
        arrange=locked(ISSUED),
        **period,
    )
    yield case(
        "date of the year lock", GOOD, after, arrange=locked(ISSUED, end_of_year=True), **year
    )
    yield case(
        "date before the year lock",
        replace(GOOD, issued=date(2025, 2, 28)),
        GOOD,
        arrange=locked(date(2026, 3, 31), end_of_year=True),
        **year,
    )
    yield case(
        "date after the period lock and before the year lock",
        GOOD,
        replace(GOOD, issued=date(2026, 12, 1)),
        arrange=all_of(locked(date(2026, 6, 30)), locked(date(2026, 11, 30), end_of_year=True)),
        **year,
    )
    yield case(
        "date after the year lock and before the period lock",
        GOOD,
        replace(GOOD, issued=date(2026, 12, 1)),
        arrange=all_of(locked(date(2026, 11, 30)), locked(date(2026, 3, 31), end_of_year=True)),
        **period,
    )
    yield case(
        "draft in a locked period", GOOD, after, arrange=locked(ISSUED), settings=DRAFT, **period
    )
    note = credit_note(NZ)
    yield case(
        "credit note in a locked period",
        note,
        replace(note, issued=ISSUED + DAY),
        arrange=locked(ISSUED),
        **period,
    )


def currencies() -> Iterable[Case]:
    """Currencies."""
    foreign: Named = {
        "field": "currency",
        "code": "currency_not_enabled",
        "words": "not subscribed to currency",
    }
    note = credit_note(NZ)
    yield case(
        "currency not subscribed to",
        replace(GOOD, currency="GBP"),
        replace(GOOD, currency="AUD"),
        **foreign,
    )
    yield case(
        "currency of a credit note not subscribed to",
        replace(note, currency="GBP"),
        replace(note, currency="USD"),
        **foreign,
    )
    yield case(
        "currency of a draft not subscribed to",
        replace(GOOD, currency="EUR"),
        GOOD,
        settings=DRAFT,
        **foreign,
    )
    yield case("currency in small letters", replace(GOOD, currency="nzd"), GOOD, **foreign)


def clients_of_documents() -> Iterable[Case]:
    """Clients whom Xero has, of invoices and credit notes."""
    archived: Named = {"field": "contact", "code": "contact_archived", "words": "is archived"}
    other = replace(GOOD, contact=OTHER_CLIENT)
    note = credit_note(NZ)
    yield case("archived client", GOOD, other, arrange=archived_client, **archived)
    yield case("client merged into another", GOOD, other, arrange=merged_client, **archived)
    yield case(
        "archived client credited",
        note,
        replace(note, contact=OTHER_CLIENT),
        arrange=archived_client,
        **archived,
    )
    yield case(
        "archived client on a draft",
        GOOD,
        other,
        arrange=archived_client,
        settings=DRAFT,
        **archived,
    )
    yield case(
        "client that is gone",
        replace(GOOD, contact_id=UNKNOWN_ID),
        GOOD,
        field="contact",
        code="contact_gone",
        words="HTTP 404",
    )


def new_clients() -> Iterable[Case]:
    """Clients whom Xero does not have yet."""
    named: Named = {"words": "must be specified"}
    spaces: Named = {"words": "leading, trailing or repeated spaces"}
    brackets: Named = {"words": "must not contain < or >"}
    taken: Named = {"code": "name_taken", "words": "already assigned to another contact"}
    email: Named = {"field": "email", "code": "email", "words": "Email address"}
    free: Named = {"blocks": False, "code": "shortened", "words": "exceeds"}
    yield of_client("client without a name", {"name": ""}, {"name": "Q"}, **named)
    yield of_client("client named with <", {"name": "A < B"}, {"name": "A « B"}, **brackets)
    yield of_client("client named with >", {"name": "A > B"}, {"name": "A » B"}, **brackets)
    yield of_client("client named with two spaces", {"name": "A  B"}, {"name": "A B"}, **spaces)
    yield of_client("client named with a space before", {"name": " A"}, {"name": "A"}, **spaces)
    yield of_client("client named with a space after", {"name": "A "}, {"name": "A"}, **spaces)
    for name, part, length in (
        ("name", "name", 255),
        ("ID", "number", 50),
        ("tax number", "tax_number", 50),
        ("phone number", "phone", 50),
    ):
        yield of_client(
            f"client {name} of {length + 1} characters",
            {part: "9" * (length + 1)},
            {part: "9" * length},
            words=f"exceeds the maximum length of {length}",
        )
    yield of_client(
        "name of another client",
        {"name": "Quay Trust"},
        {"name": "Quay Trust 2"},
        arrange=known("Quay Trust", "Q-1"),
        **taken,
    )
    yield of_client(
        "name of another client but for case and accents",
        {"name": "CAFE OTAKOU"},
        {"name": "Cafe Otakou 2"},
        arrange=known("Café Ōtākou", "Q-1"),
        **taken,
    )
    yield of_client(
        "ID of an archived client",
        {},
        {"number": "C2002"},
        arrange=known("Old Marina", "C2001", archived=True),
        code="contact_archived",
        words="archived contact",
    )
    for name, address in {
        "e-mail without @": "accounts.example",
        "e-mail with an umlaut": "müller@quay.example",
        "e-mail without a domain": "accounts@",
        "two e-mails in one": "a@quay.example; b@quay.example",
        "e-mail in brackets": "Quay <a@quay.example>",
    }.items():
        yield of_client(name, {"email": address}, {"email": "a.b+c@quay.example"}, **email)
    yield of_client(
        "e-mail of 256 characters",
        {"email": f"{'a' * 243}@quay.example"},
        {"email": f"{'a' * 242}@quay.example"},
        **email | {"words": "EmailAddress exceeds"},
    )
    for part in ("first_name", "last_name"):
        yield of_client(f"{part} of 256 characters", {part: "a" * 256}, {part: "a" * 255}, **free)
    for name, wrong, right in (
        ("address line of 501 characters", {"lines": ("a" * 501,)}, {"lines": ("a" * 500,)}),
        ("city of 256 characters", {"city": "a" * 256}, {"city": "a" * 255}),
        ("region of 256 characters", {"region": "a" * 256}, {"region": "a" * 255}),
        ("attention of 256 characters", {"attention": "a" * 256}, {"attention": "a" * 255}),
    ):
        yield of_client(name, located(**wrong), located(**right), **free)
    for name, wrong, right, words in (
        ("postal code of 51", {"postal_code": "1" * 51}, {"postal_code": "1" * 50}, "exceeds"),
        ("country of 51 letters", {"country": "a" * 51}, {"country": "a" * 50}, "exceeds"),
        ("country with dots", {"country": "N.Z."}, {"country": "New Zealand"}, "letters only"),
        ("country with digits", {"country": "NZ 1010"}, {"country": "NZ"}, "letters only"),
    ):
        yield of_client(name, located(**wrong), located(**right), words=words)


def texts_and_amounts() -> Iterable[Case]:
    """Lines, texts and amounts."""
    yield case(
        "no lines",
        replace(GOOD, lines=()),
        GOOD,
        field="lines",
        code="no_lines",
        words="line items must be specified",
    )
    nothing: Named = {
        "field": "description",
        "code": "description_missing",
        "words": "Description must be specified",
        "blocks": False,
    }
    yield of_line("line without a text", {"description": ""}, {"description": "."}, **nothing)
    yield of_line("line of spaces", {"description": "  "}, {"description": "."}, **nothing)
    yield of_line(
        "line of 4,001 characters",
        {"description": "a" * 4001},
        {"description": "a" * 4000},
        field="description",
        code="description_too_long",
        words="exceeds the maximum length of 4000",
        blocks=False,
    )
    yield case(
        "reference of 256 characters",
        replace(GOOD, reference="a" * 256),
        replace(GOOD, reference="a" * 255),
        field="reference",
        code="reference_too_long",
        words="Reference exceeds",
        blocks=False,
    )
    most = "9999999999.99"
    yield case(
        "line of ten thousand millions",
        invoice(NZ, priced("10000000000.00", **UNTAXED, tax_code="ZERORATED")),
        invoice(NZ, priced(most, **UNTAXED, tax_code="ZERORATED")),
        field="net",
        code="line_too_large",
        line=1,
        words="cannot exceed",
    )
    negative: Named = {"field": "total", "code": "negative", "words": "must not be negative"}
    debit = line(NZ, "-2000.00", quantity="-1", unit_price="2000.00")
    less = line(NZ, "-200.00", quantity="-1", unit_price="200.00")
    yield case(
        "invoice of less than nothing",
        invoice(NZ, line(NZ), debit),
        invoice(NZ, line(NZ), less),
        **negative,
    )
    yield case(
        "credit note of less than nothing",
        credit_note(NZ, line(NZ), debit),
        credit_note(NZ, line(NZ), less),
        **negative,
    )
    computed: Named = {
        "field": "net",
        "code": "amount_differs",
        "outcome": Outcome.ALTERED,
        "blocks": False,
    }
    yield case(
        "a price agreed otherwise",
        invoice(NZ, line(NZ, "1000.00")),
        invoice(NZ, priced("1000.00")),
        line=1,
        **computed,
    )
    yield case(
        "a price of six decimals",
        invoice(NZ, line(NZ, "1234.57", quantity="10000", unit_price="0.123457")),
        invoice(NZ, line(NZ, "1234.00", quantity="10000", unit_price="0.123400")),
        line=1,
        **computed,
    )
    yield case(
        "a quantity of six decimals",
        invoice(NZ, line(NZ, "3333.33", quantity="0.333333", unit_price="10000")),
        invoice(NZ, line(NZ, "3333.00", quantity="0.333300", unit_price="10000")),
        line=1,
        **computed,
    )


def plans_and_roles() -> Iterable[Case]:
    """What the organisation's plan or the person's role does not allow."""
    limit: Named = {"field": "", "code": "plan_limit", "words": "reached the limit"}
    december = replace(GOOD, issued=date(2026, 12, 1))
    yield case(
        "more than the plan approves in a month",
        GOOD,
        december,
        arrange=all_of(plan(1), theirs("A", issued=date(2026, 11, 1))),
        **limit,
    )
    yield case(
        "more than the plan approves, paid ones counted",
        GOOD,
        december,
        arrange=all_of(plan(1), paid("A")),
        **limit,
    )
    yield case(
        "more than the plan approves within one batch",
        invoice(NZ, number="ABT-1002"),
        invoice(NZ, number="ABT-1002", issued=date(2026, 12, 1)),
        GOOD,
        arrange=plan(1),
        **limit,
    )
    yield case(
        "a person who may not approve",
        GOOD,
        GOOD,
        arrange=forbidden("CreateApprovedInvoice"),
        neighbour_settings=SUBMITTED,
        field="delivery_status",
        code="not_allowed",
        words="HTTP 403",
    )


def jobs() -> Iterable[Case]:
    """Jobs, as options of a tracking category."""
    lost: Named = {
        "field": "job",
        "outcome": Outcome.ALTERED,
        "settings": TRACKED,
        "neighbour_settings": APPROVED,
        "line": 1,
    }
    tracked = invoice(NZ, line(NZ, job_code="J1234"))
    for name, arrange, code in (
        ("job without its tracking category", without_category, "no_category"),
        ("job of an archived tracking category", archived_category, "no_category"),
        ("job that is archived", archived_job, "job_archived"),
    ):
        yield case(name, tracked, tracked, arrange=arrange, code=code, **lost)
    refused: Named = {"field": "job", "settings": TRACKED}
    other = job_coded("J2001")
    yield case("job without a code", job_coded(""), other, code="job_code", words="Name", **refused)
    yield case(
        "job code of 101 characters",
        job_coded("J" * 101),
        job_coded("J" * 100),
        code="job_code",
        words="1 to 100 characters",
        **refused,
    )
    yield case(
        "new job of an archived one's name",
        job_coded("J1234"),
        other,
        arrange=archived_job,
        code="job_archived",
        words="already in use",
        **refused,
    )
    yield case(
        "more jobs than the category holds",
        job_coded("J2002"),
        tracked,
        other,
        arrange=full_category,
        code="category_full",
        words="at most 100 active options",
        **refused,
    )


def files() -> Iterable[Case]:
    """PDFs."""
    pdf: Named = {"field": "pdf", "blocks": False}
    good = pdf_file("ABT-1001.pdf")
    yield case(
        "PDF of a byte over ten megabytes",
        pdf_file(content=bytes(TEN_MEGABYTES + 1)),
        pdf_file(content=bytes(TEN_MEGABYTES)),
        GOOD,
        code="too_large",
        words="HTTP 413",
        **pdf,
    )
    yield case(
        "PDF of nothing", pdf_file(content=b""), good, GOOD, code="pdf", words="have content", **pdf
    )
    for name, sign in {
        "a space": " ",
        "a slash": "/",
        "a backslash": "\\",
        "a colon": ":",
        "a question mark": "?",
        "a number sign": "#",
        "a plus": "+",
        "an asterisk": "*",
        "a double quote": '"',
        "a bar": "|",
        "<": "<",
    }.items():
        yield case(
            f"PDF named with {name}",
            pdf_file(f"ABT{sign}1001.pdf"),
            good,
            GOOD,
            code="file_name",
            words="characters not allowed",
            **pdf,
        )
    yield case(
        "an eleventh file",
        pdf_file("10.pdf"),
        pdf_file("9.pdf"),
        GOOD,
        *(pdf_file(f"{place}.pdf") for place in range(10)),
        code="too_many_files",
        words="at most 10",
        **pdf,
    )


def credits_set() -> Iterable[Case]:
    """Credit notes set against the invoices they credit, after both have arrived."""
    unset: Named = {"field": "credits", "blocks": False}
    note, all_of_it = credit_note(NZ, credits=GOOD.number), credit_set("1595.63")
    yield case(
        "credit set against a draft",
        all_of_it,
        all_of_it,
        GOOD,
        note,
        settings=DRAFT,
        neighbour_settings=APPROVED,
        code="not_approved",
        words="is DRAFT",
        **unset,
    )
    yield case(
        "more credit than is due",
        credit_set("1595.64"),
        all_of_it,
        GOOD,
        note,
        code="credit_used",
        words="within the remaining credit",
        **unset,
    )
    yield case(
        "credit set in a locked period",
        credit_set("10.00", ISSUED - DAY),
        credit_set("10.00"),
        GOOD,
        note,
        arrange=locked(ISSUED - DAY),
        code="period_locked",
        words="the period lock date",
        **unset,
    )
    # The credit note is the odd one here: it may stand, but nothing of it can be set there.
    for name, changes, words in (
        ("credit for another client", {"contact": OTHER_CLIENT}, "different contacts"),
        ("credit in another currency", {"currency": "AUD"}, "different currencies"),
    ):
        yield case(
            name,
            credit_set("10.00"),
            GOOD,
            invoice(NZ, number="ABT-1002"),
            replace(note, **changes),
            code="credits_other",
            words=words,
            **unset,
        )


CASES: tuple[Case, ...] = tuple(
    one
    for group in (
        numbers,
        accounts,
        taxes,
        dates,
        currencies,
        clients_of_documents,
        new_clients,
        texts_and_amounts,
        plans_and_roles,
        jobs,
        files,
        credits_set,
    )
    for one in group()
)
