"""A package's own list of codes as a file: however it was saved, read whole or refused whole."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from connectors import registry
from connectors.base.documents import Tax
from interfaces import codes
from interfaces.code_lists import CodeList, Kind, ListRefused, compare, decode, parse
from interfaces.models import AccountCode, AccountingInterface, TaxCode
from offices.models import AuditEntry, User
from offices.tenancy import acting_for
from tests.interfaces.conftest import reload
from tests.interfaces.ledger import PACKAGE, LedgerServer
from tests.invoicing.pages import text_of

ACCOUNTS = 'Code,Name,Type\n200,Sales,Income\n210,"Recoveries, other",Income\n'

NO_HEADER = "No header was found: the first line has to name the columns “code”, “name”."
NO_TEXT_FILE = "This is not a text file. Save the list as CSV first, and choose that."
NO_TEXT = "The file cannot be read as text. Save the list as CSV in UTF-8."
TOO_MANY = "code,name\n" + "\n".join(f"{one},x" for one in range(5001))


def read(content: bytes | str, kind: Kind = Kind.ACCOUNTS) -> CodeList:
    text, encoding = decode(content.encode() if isinstance(content, str) else content)
    return parse(text, kind=kind, encoding=encoding)


def refused(content: bytes | str, kind: Kind = Kind.ACCOUNTS) -> list[str]:
    with pytest.raises(ListRefused) as told:
        read(content, kind)
    return told.value.faults


# --- However it was saved -----


@pytest.mark.parametrize(
    ("content", "read_as"),
    [
        (ACCOUNTS.encode(), "comma-separated, UTF-8"),
        (ACCOUNTS.encode("utf-8-sig"), "comma-separated, UTF-8"),
        (ACCOUNTS.encode("utf-16"), "comma-separated, UTF-16"),
        (b"\xfe\xff" + ACCOUNTS.encode("utf-16-be"), "comma-separated, UTF-16"),
        (ACCOUNTS.replace("\n", "\r\n").encode(), "comma-separated, UTF-8"),
        (
            b'sep=;\r\nCODE;Description\r\n200;Sales\r\n210;"Recoveries, other"',
            "semicolon-separated, UTF-8",
        ),
        (b"Account Number\tAccount\n200\tSales\n210\tRecoveries, other", "tab-separated, UTF-8"),
        (b"Chart of accounts, 2026\n\nNo.,Account name\n200,Sales\n210,Recoveries\\, other", ""),
    ],
)
def test_a_list_is_read_however_it_was_saved_and_it_is_said_how(
    content: bytes, read_as: str
) -> None:
    if not read_as:
        content = content.replace(b"Recoveries\\, other", b'"Recoveries, other"')
    found = read(content)
    assert [(one.code, one.name) for one in found.listed] == [
        ("200", "Sales"),
        ("210", "Recoveries, other"),
    ]
    assert found.read_as == (read_as or "comma-separated, UTF-8")


def test_windows_letters_are_read_where_the_file_is_not_utf_8() -> None:
    found = read("code;name\n1;Café".encode("cp1252"))
    assert found.listed[0].name == "Café"
    assert found.read_as == "semicolon-separated, Windows-1252"


def test_what_looks_like_a_formula_is_kept_as_text() -> None:
    [one] = read('code,name\n=1+1,"=HYPERLINK(""x"")"').listed
    assert (one.code, one.name) == ("=1+1", '=HYPERLINK("x")')


@pytest.mark.parametrize(
    ("header", "value", "active"),
    [
        ("active", "Yes", True),
        ("Active?", "N", False),
        ("Status", "Archived", False),
        ("Status", "ACTIVE", True),
        ("Inactive Account", "Y", False),
        ("inactive", "", True),
        ("inactive", "Inactive", False),
        ("archived", "no", True),
    ],
)
def test_whether_a_code_is_in_use_is_read_from_what_the_column_is_called(
    header: str, value: str, active: bool
) -> None:
    [one] = read(f"code,name,{header}\n1,x,{value}").listed
    assert one.active is active


@pytest.mark.parametrize(
    ("text", "rate"), [("15", "15"), ("15.00 %", "15"), ("12,5", "12.5"), ("0.5%", "0.5")]
)
def test_a_rate_is_a_percentage_however_it_is_written(text: str, rate: str) -> None:
    [one] = read(f"Tax code;Description;Rate\nGST;x;{text}", Kind.TAXES).listed
    assert isinstance(one, Tax)
    assert one.rate == Decimal(rate)


# --- What is refused -----


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        ("", [NO_HEADER]),
        ("1,2\n3,4", [NO_HEADER]),
        ("code,x\n1,2", ["No column is called “name”. The first line has to name the columns."]),
        ("code,name\n", ["The list is empty: there is nothing below its header."]),
        ("code,name\n1,x\n\n1,y", ["Line 4, column “code”: 1 stands on line 2 already."]),
        ("code,name\n,x", ["Line 2, column “code”: is empty."]),
        ("code,name\n1", ["Line 2, column “name”: is empty."]),
        (
            f"code,name\n{'9' * 51},{'n' * 201}",
            [
                "Line 2, column “code”: has 51 characters, and at most 50 are taken.",
                "Line 2, column “name”: has 201 characters, and at most 200 are taken.",
            ],
        ),
        ("code,name,active\n1,x,so", ["Line 2, column “active”: “so” is neither yes nor no."]),
        ('code,name\n1,x\n2,"y', ["Line 3 cannot be read: its quotation marks do not pair."]),
        (b"PK\x03\x04rest", [NO_TEXT_FILE]),
        ("code,name\n1,x".encode("utf-16-le"), [NO_TEXT]),
        (b"x" * (1024 * 1024 + 1), ["The file is larger than 1 MB."]),
        (TOO_MANY, ["The list has more than 5000 rows."]),
    ],
)
def test_a_list_that_cannot_be_taken_is_refused_with_line_and_column(
    content: bytes | str, faults: list[str]
) -> None:
    assert refused(content) == faults


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"),
        ("none", "“none” is not a rate"),
        ("-1", "“-1” is not between 0 and 100 %"),
        ("NaN", "“NaN” is not between 0 and 100 %"),
        ("1e9", "“1e9” is not between 0 and 100 %"),
        ("0.15", "“0.15” is not a percentage: write 15 for 15 %"),
        ("15.00001", "“15.00001” has more than four decimals"),
    ],
)
def test_a_rate_that_is_none_is_refused_and_never_guessed(text: str, what: str) -> None:
    assert refused(f"code,name,rate\nGST,x,{text}", Kind.TAXES) == [
        f"Line 2, column “rate”: {what}."
    ]


def test_all_faults_are_told_at_once_and_many_are_counted() -> None:
    faults = refused("code,name\n" + "\n".join(",x" for _ in range(30)))
    assert len(faults) == 21
    assert faults[-1] == "And 10 more."


def test_what_would_change_is_told_before_it_does() -> None:
    known = [
        AccountCode(code="200", name="Sales", kind="Income"),
        AccountCode(code="210", name="Recoveries", kind="Income"),
        AccountCode(code="220", name="Gone", kind="Income"),
    ]
    changes = compare(read(ACCOUNTS + "230,New,Income"), known)
    assert (changes.new, changes.changed, changes.gone) == (
        ["230 New"],
        ["210 Recoveries, other"],
        ["220 Gone"],
    )


# --- The page -----


@pytest.fixture
def unreadable(interface: AccountingInterface, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The interface, to a package that cannot be read."""
    package = replace(PACKAGE, connector=object)
    monkeypatch.setattr(registry, "packages", lambda: {"ledger": package})
    return interface


@pytest.fixture
def browser(admin: User) -> Client:
    """An admin's browser."""
    client = Client()
    client.force_login(admin)
    return client


def at(interface: AccountingInterface, name: str = "import_codes") -> str:
    return reverse(f"interfaces:{name}", args=[interface.practice.slug, interface.pk])


def bring(browser: Client, interface: AccountingInterface, content: str, kind: str) -> Any:
    file = SimpleUploadedFile("list.csv", content.encode("utf-8-sig"))
    return browser.post(at(interface), {"kind": kind, "file": file})


def known(interface: AccountingInterface, model: Any) -> dict[str, Any]:
    with acting_for(interface.practice_id):
        return {one.code: one for one in model.objects.filter(interface=interface)}


@pytest.mark.django_db
def test_a_list_is_looked_at_then_taken_and_what_is_gone_is_flagged(
    unreadable: AccountingInterface, browser: Client
) -> None:
    assert "Import a list of codes" in browser.get(at(unreadable, "codes")).content.decode()
    page = bring(browser, unreadable, 'Code;Name\n200;Sales\n300;"<b>=1+1"', "accounts")
    told = page.content.decode()
    assert "2 account codes, read as semicolon-separated, UTF-8. Nothing is changed yet." in told
    assert "300 &lt;b&gt;=1+1" in told
    assert set(known(unreadable, AccountCode)) == {"200", "210", "260"}
    sent = {"list": page.context["carried"]}
    page = browser.post(at(unreadable), sent, follow=True)
    [message] = [str(one) for one in page.context["messages"]]
    assert message == (
        "The list of account codes is in: 1 new, 1 changed, 2 no longer in the list."
    )
    accounts = known(unreadable, AccountCode)
    assert accounts["300"].name == "<b>=1+1"
    assert accounts["300"].available
    assert [code for code, one in accounts.items() if one.vanished_at] == ["210", "260"]
    assert reload(unreadable).disbursement_account_id == accounts["210"].pk
    # The other list stays as it was.
    assert not any(one.vanished_at for one in known(unreadable, TaxCode).values())
    with acting_for(unreadable.practice_id):
        entry = AuditEntry.objects.get()
    assert entry.action == "interface.codes_imported"
    assert entry.detail["before"] == {"200": "Sales, REVENUE, in use"}
    assert entry.detail["after"] == {"200": "Sales, in use"}
    assert entry.detail["new"] == ["300 <b>=1+1"]
    assert entry.detail["gone"] == ["210 Recoveries", "260 Other revenue"]


@pytest.mark.django_db
def test_a_list_of_tax_codes_is_taken_with_its_rates(
    unreadable: AccountingInterface, browser: Client
) -> None:
    page = bring(browser, unreadable, "Tax code,Name,Rate\nGST,GST,15%\nFRE,Free,0", "taxes")
    browser.post(at(unreadable), {"list": page.context["carried"]})
    taxes = known(unreadable, TaxCode)
    assert (taxes["GST"].rate, taxes["FRE"].rate) == (15, 0)
    text = (
        "Tax code,Name,Rate,Status\nGST,GST on sales,12.5%,Archived\nFRE,Free,0,\nOUTPUT2,GST,15,"
    )
    page = bring(browser, unreadable, text, "taxes")
    browser.post(at(unreadable), {"list": page.context["carried"]})
    address = f"/{unreadable.practice.slug}/accounting/interfaces/{unreadable.pk}/history/"
    told = text_of(browser.get(address))
    assert "GST: GST, 15 %, in use → GST on sales, 12.5 %, archived" in told
    assert "OUTPUT2: 15% GST on Income, 15 %, no longer in the list → GST, 15 %, in use" in told
    assert "FRE: " not in told
    assert not any(one.vanished_at for one in known(unreadable, AccountCode).values())


@pytest.mark.django_db
def test_a_list_that_is_refused_changes_nothing_and_says_why(
    unreadable: AccountingInterface, browser: Client
) -> None:
    before = known(unreadable, AccountCode)
    told = bring(browser, unreadable, "code,name\n1,x\n1,<b>y", "accounts").content.decode()
    assert "The list was not taken, and nothing is changed." in told
    assert "Line 3, column “code”: 1 stands on line 2 already." in told
    assert "This field is required" in browser.post(at(unreadable), {"kind": "x"}).content.decode()
    for wrong in ("", "x", "x:y:z"):
        page = browser.post(at(unreadable), {"list": wrong}, follow=True)
        assert "Nothing was done: too much time went by." in page.content.decode()
    assert known(unreadable, AccountCode) == before
    with acting_for(unreadable.practice_id):
        assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_a_list_looked_at_for_one_interface_is_not_taken_for_another(
    unreadable: AccountingInterface, unconnected: AccountingInterface, browser: Client
) -> None:
    page = bring(browser, unreadable, ACCOUNTS, "accounts")
    browser.post(at(unconnected), {"list": page.context["carried"]})
    assert set(known(unconnected, AccountCode)) == {"200", "210", "260"}
    assert not any(one.vanished_at for one in known(unconnected, AccountCode).values())


@pytest.mark.django_db
def test_a_package_that_can_be_read_needs_no_list(
    interface: AccountingInterface, server: LedgerServer, browser: Client
) -> None:
    page = browser.get(at(interface), follow=True)
    assert "No list is needed: the codes are read from Ledger." in page.content.decode()
    assert "Import a list of codes" not in page.content.decode()


# --- A chart without an account -----


@pytest.mark.django_db
def test_an_empty_chart_is_said_and_leaves_every_code_as_it_was(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    before = known(interface, AccountCode), known(interface, TaxCode)
    server.codes = replace(server.codes, accounts=())
    ids = {"practice_id": interface.practice_id, "interface_id": interface.pk}
    why = codes.refresh_quietly(**ids)
    assert why.startswith("Ledger lists no account at all for Harbour Ltd, so the codes were left")
    assert reload(interface).codes_error == why
    assert (known(interface, AccountCode), known(interface, TaxCode)) == before
    assert not any(one.vanished_at for rows in before for one in rows.values())
