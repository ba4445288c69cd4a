"""Documents that are odd, but right: Xero's stand-in takes each as it is sent."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.base.documents import Address, TaxBasis
from tests.connectors.samples import contact, credit_note, invoice, line
from tests.preflight.corpus_cases import Arrange, Document, Valid, as_they_are
from tests.preflight.corpus_xero_books import (
    AUSTRALIAN,
    account,
    all_of,
    forbidden,
    known,
    locked,
    plan,
    tax_rate,
    theirs,
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
    TRACKED,
    UNTAXED,
    credit_set,
    job_coded,
    located,
    pdf_file,
    priced,
)


def valid(
    name: str,
    *documents: Document,
    arrange: Arrange = as_they_are,
    settings: Any = None,
    company_file: str = "",
) -> Valid:
    """Documents that arrive approved unless it is said otherwise."""
    return Valid(
        name=name,
        documents=documents,
        arrange=arrange,
        settings=APPROVED if settings is None else settings,
        company_file=company_file,
    )


def _each(changes: dict[str, dict[str, Any]]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Changes of a good document, by what is special about it then."""
    return changes.items()


def valid_texts() -> Iterable[Valid]:
    """Numbers, references and texts."""
    for name, changes in _each(
        {
            "number of digits alone": {"number": "1001"},
            "number of one character": {"number": "7"},
            "number with spaces, slashes and commas": {"number": "ABT 1001/A, claim 3"},
            "number with a macron": {"number": "Ō-1001"},
            "number of 255 characters": {"number": "N" * 255},
            "number like a formula": {"number": "=1001"},
            "no reference": {"reference": ""},
            "reference of 255 characters": {"reference": "r" * 255},
            "reference in quotes": {"reference": "“J1234” \"Harbour\" 'House' \\ & <b>"},
        }
    ):
        yield valid(name, replace(GOOD, **changes))
    for name, text in {
        "letters of all kinds": "Ōtākou: façade & “roof”, 5 < 6 > 4",
        "other scripts": "設計 проект تصميم עיצוב",
        "signs beyond the first plane": "Roof 🏠🏗️ 𠀀",
        "several lines and a tab": "Concept\nand\tdeveloped design\r\nas agreed",
        "text like a formula": "=SUM(A1:A9)",
        "text like markup": "<script>alert('x')</script> &amp; {{ 7 }}",
        "text of 4,000 characters": "d" * 4000,
        "text of one character": ".",
        "spaces around the text": "  Concept design  ",
    }.items():
        yield valid(name, invoice(NZ, line(NZ, description=text)))


def valid_amounts() -> Iterable[Valid]:
    """Amounts and how they are reckoned."""
    inclusive = {"tax_basis": TaxBasis.INCLUSIVE}
    for name, document in {
        "a hundred lines": invoice(
            NZ, *(priced(f"{place}.07", description=f"Item {place}") for place in range(1, 101))
        ),
        "the same line twice": invoice(NZ, line(NZ), line(NZ)),
        "price of four decimals": invoice(
            NZ, line(NZ, "411.36", quantity="3.25", unit_price="126.5725")
        ),
        "quantity of four decimals": invoice(
            NZ, line(NZ, "3333.00", quantity="0.3333", unit_price="10000")
        ),
        "smallest quantity": invoice(NZ, line(NZ, "1.00", quantity="0.0001", unit_price="10000")),
        "one cent without tax to the cent": invoice(NZ, priced("0.01", tax="0.00")),
        "tax of half a cent": invoice(NZ, priced("0.10", tax="0.02")),
        "amount of half a cent": invoice(
            NZ, line(NZ, "42.38", quantity="1", unit_price="42.375", tax="6.36")
        ),
        "tax of each line rounded down": invoice(
            NZ, *(priced(net) for net in ("25.06", "25.61", "25.63"))
        ),
        "largest line": invoice(NZ, priced("9999999999.99", tax="1500000000.00")),
        "line of nothing": invoice(NZ, line(NZ), priced("0.00")),
        "negative quantity": invoice(
            NZ, line(NZ), line(NZ, "-87.50", quantity="-1", unit_price="87.50")
        ),
        "negative price": invoice(
            NZ, line(NZ), line(NZ, "-87.50", quantity="1", unit_price="-87.50")
        ),
        "tax inside the prices": invoice(
            NZ, line(NZ, "100.00", quantity="2", unit_price="57.50"), **inclusive
        ),
        "tax inside, rounded on each line": invoice(
            NZ,
            *(line(NZ, "8.69", quantity="1", unit_price="9.99", tax="1.30") for _ in range(3)),
            **inclusive,
        ),
        "tax inside, and a line without": invoice(
            NZ,
            line(NZ, "100.00", quantity="1", unit_price="115.00"),
            priced("80.00", **UNTAXED, tax_code="ZERORATED"),
            **inclusive,
        ),
    }.items():
        yield valid(name, document)


def valid_codes() -> Iterable[Valid]:
    """Account and tax codes."""
    zero = {"tax_code": "ZERORATED", **UNTAXED}
    for name, changes in {
        "zero-rated": zero,
        "overseas fees": {"account_code": "205", **zero},
        "no tax": {"tax_code": "NONE", **UNTAXED},
        "disbursement out of an expense account": {"account_code": "320", "tax_code": "INPUT2"},
        "disbursement out of a liability account": {"account_code": "810"},
        "expense account without tax": {"account_code": "320", "tax_code": "NONE", **UNTAXED},
        "rounding account": {"account_code": "860", "tax_code": "NONE", **UNTAXED},
        "other income": {"account_code": "260"},
    }.items():
        yield valid(name, invoice(NZ, line(NZ), priced("100.00", **changes)))
    yield valid(
        "tax of the practice's own",
        invoice(NZ, priced("100.00", tax_code="TAX001", tax_rate=Decimal("2.5"), tax="2.50")),
        arrange=tax_rate("TAX001", "2.5"),
    )
    for code in ("045", "FEES-26/A.", "Āpōro"):
        yield valid(
            f"account code {code}",
            invoice(NZ, line(NZ, account_code=code)),
            arrange=account(code),
        )
    for code in ("EXEMPTOUTPUT", "EXEMPTEXPORT", "BASEXCLUDED", "INPUTTAXED"):
        free = line(AU, "80.00", quantity="1", unit_price="80.00", tax_code=code, **UNTAXED)
        yield valid(
            f"Australian fees and {code}", invoice(AU, line(AU), free), company_file=AUSTRALIAN
        )


def valid_terms() -> Iterable[Valid]:
    """Dates, clients, currencies, statuses and plans."""
    for name, changes in _each(
        {
            "due on the day": {"due": ISSUED},
            "due in five years": {"due": date(2031, 11, 20)},
            "dated years ago": {"issued": date(2019, 4, 1)},
            "dated next year": {"issued": date(2027, 12, 31), "due": date(2028, 1, 20)},
            "dated on a leap day": {"issued": date(2028, 2, 29), "due": date(2028, 3, 31)},
            "a foreign currency": {"currency": "USD"},
            "another contact": {"contact": OTHER_CLIENT},
        }
    ):
        yield valid(name, replace(GOOD, **changes))
    yield valid(
        "the day after both locks",
        GOOD,
        arrange=all_of(locked(ISSUED - DAY), locked(ISSUED - DAY, end_of_year=True)),
    )
    yield valid("draft", GOOD, settings=DRAFT)
    yield valid("submitted", GOOD, settings=SUBMITTED)
    yield valid(
        "the last that the plan approves",
        GOOD,
        arrange=all_of(plan(20), *(theirs(f"A{place}") for place in range(19))),
    )
    yield valid(
        "a plan used up in another month",
        GOOD,
        arrange=all_of(plan(1), theirs("A", issued=date(2026, 10, 31))),
    )
    yield valid(
        "drafts do not use a plan up", GOOD, arrange=all_of(plan(1), theirs("A", status="DRAFT"))
    )
    yield valid(
        "a draft beyond the plan", GOOD, arrange=all_of(plan(1), theirs("A")), settings=DRAFT
    )
    yield valid("an archived namesake", GOOD, arrange=known(GOOD.contact.name, archived=True))
    yield valid(
        "a draft by one who may not approve",
        GOOD,
        arrange=forbidden("CreateApprovedInvoice"),
        settings=DRAFT,
    )


def valid_credit_notes() -> Iterable[Valid]:
    """Credit notes."""
    mixed = (line(NZ), line(NZ, "-87.50", quantity="-1", unit_price="87.50"))
    yield valid("credit note", credit_note(NZ, credits="ABT-1001"))
    yield valid("credit note of mixed signs", credit_note(NZ, *mixed))
    yield valid("credit note of drafts", credit_note(NZ), settings=DRAFT)
    yield valid("credit note beyond the plan", credit_note(NZ), arrange=plan(0))
    yield valid("credit note in a foreign currency", credit_note(NZ, currency="AUD"))
    yield valid("credit note due before its date", credit_note(NZ, due=date(2026, 1, 1)))
    yield valid(
        "credit note with the number of an invoice",
        credit_note(NZ, number="ABT-1001"),
        arrange=theirs("ABT-1001"),
    )
    yield valid(
        "credit note with tax inside",
        credit_note(
            NZ,
            line(NZ, "100.00", quantity="2", unit_price="57.50"),
            tax_basis=TaxBasis.INCLUSIVE,
        ),
    )
    yield valid("invoice and its credit note", GOOD, credit_note(NZ, credits=GOOD.number))
    yield valid("credit note set against its invoice", GOOD, credit_note(NZ), credit_set("1595.63"))
    yield valid("Australian credit note", credit_note(AU), company_file=AUSTRALIAN)


def valid_others() -> Iterable[Valid]:
    """Clients, jobs and PDFs."""
    new = contact("C2001", "Point Chevalier Marina")
    for name, changes in _each(
        {
            "client": {},
            "client with nothing but a name": {
                "number": "",
                "first_name": "",
                "last_name": "",
                "email": "",
                "phone": "",
                "tax_number": "",
                "postal": Address(),
                "street": Address(),
            },
            "client named in 255 letters": {"name": "Q" * 255},
            "client named in quotes": {"name": "The \"Quay\" & O'Neill's, Ltd. (1/2) #3"},
            "client named with macrons": {"name": "Ngāti Whātua Ōrākei"},
            "client named in another script": {"name": "北海建設"},
            "client ID of 50 characters": {"number": "C" * 50},
            "client ID with spaces and slashes": {"number": "C 20/01"},
            "client in a country of many words": located(country="United States of America"),
            "client with an unusual e-mail": {"email": "o'neill+ap_1@sub.quay.co.nz"},
        }
    ):
        yield valid(name, replace(new, **changes))
    yield valid("name of an archived client", new, arrange=known(new.name, archived=True))
    yield valid("client and an invoice for it", new, replace(GOOD, contact=new))
    yield valid("job", job_coded("J2001"), settings=TRACKED)
    yield valid("job of 100 letters", job_coded("Ō" * 100), settings=TRACKED)
    yield valid("line with its job", invoice(NZ, line(NZ, job_code="J1234")), settings=TRACKED)
    yield valid(
        "job and a line of it",
        job_coded("J2001"),
        invoice(NZ, line(NZ, job_code="J2001"), line(NZ, job_code="J1234"), line(NZ)),
        settings=TRACKED,
    )
    yield valid(
        "job that is not sent", invoice(NZ, line(NZ, job_code="J404")), arrange=without_category
    )
    yield valid("PDF of a few bytes", GOOD, pdf_file(content=b"%PDF"))
    yield valid("PDF on a credit note", credit_note(NZ), replace(pdf_file(), of_credit_note=True))


VALID: tuple[Valid, ...] = tuple(
    one
    for group in (
        valid_texts,
        valid_amounts,
        valid_codes,
        valid_terms,
        valid_credit_notes,
        valid_others,
    )
    for one in group()
)
