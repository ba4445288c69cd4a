"""The organisation itself: sign-in, limits, codes, and which organisations there are."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.base.documents import CompanyFile
from connectors.base.errors import NeedsReconnect, Rejected, RetryLater
from connectors.base.standin import Answer
from connectors.xero import PACKAGE, organisations
from connectors.xero.standin_charts import CLASSES
from connectors.xero.standin_ledger import Organisation
from tests import specs
from tests.connectors import samples
from tests.connectors.rehearsal import Kept, SignedIn
from tests.connectors.xero.conftest import API
from tests.connectors.xero.rehearsal import Rehearsal


def test_our_requests_can_be_judged() -> None:
    specs.xero_api()
    with pytest.raises(AssertionError):
        specs.validate_xero_request(
            "PUT",
            f"https://api.xero.com{API}/Invoices",
            {"xero-tenant-id": "t", "Content-Type": "application/json"},
            b'{"Invoices": [{"Type": "ACCREC"}]}',
        )


# --- Sign-in -------------------------------------------------------------------------------------


def test_an_expired_token_is_renewed_on_the_way(xero: Rehearsal) -> None:
    connector = xero.connect()
    xero.standin.expire_access_tokens()
    assert connector.read_codes().accounts
    assert xero.tokens.renewals == 1


def test_an_organisation_disconnected_in_xero_asks_for_consent(
    xero: Rehearsal, organisation: Organisation
) -> None:
    [invoice] = xero.ready(samples.invoice(xero.terms))
    connector = xero.connect()
    xero.standin.disconnect(organisation)
    with pytest.raises(NeedsReconnect, match="not connected any more"):
        connector.post_invoices([invoice], call_key="call-1")
    assert xero.tokens.renewals == 0


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("accounting.contacts", "contacts"),
        ("accounting.invoices", "invoices"),
        ("accounting.settings", "organisation settings"),
        ("accounting.payments.read", "payments"),
    ],
)
def test_a_missing_permission_is_named_and_not_renewed_away(
    xero: Rehearsal, missing: str, named: str
) -> None:
    assert PACKAGE.oauth is not None
    scopes = set(PACKAGE.oauth.scopes) - {missing}
    tokens = SignedIn(PACKAGE, xero.standin)
    tokens._held = xero.standin.issue_tokens(scopes=scopes)
    connector = xero.connect(tokens=tokens)
    calls = {
        "contacts": lambda: connector.find_contacts([samples.contact()]),
        "invoices": lambda: connector.find_invoices([samples.invoice(xero.terms)]),
        "organisation settings": connector.read_codes,
        "payments": lambda: connector.read_changes(""),
    }
    with pytest.raises(NeedsReconnect, match=f"permission for {named}"):
        calls[named]()
    assert tokens.renewals == 0


def test_a_role_that_may_not_is_told(xero: Rehearsal) -> None:
    xero.standin.script(path=r".*/Organisation", fault=Answer(403))
    with pytest.raises(NeedsReconnect, match="role in Xero"):
        xero.connect().read_codes()


# --- Limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "headers", "after", "words"),
    [
        ("minute", {"Retry-After": "17"}, timedelta(seconds=17), "a minute"),
        ("day", {"Retry-After": "32400"}, timedelta(hours=9), "today"),
        ("DayLimit", {"Retry-After": "32400"}, timedelta(hours=9), "today"),
        ("concurrent", {}, timedelta(seconds=5), "other calls"),
        ("concurrent", {"Retry-After": "2"}, timedelta(seconds=2), "other calls"),
        ("", {}, None, "a minute"),
    ],
)
def test_each_limit_is_told_apart(
    xero: Rehearsal, problem: str, headers: Mapping[str, str], after: Any, words: str
) -> None:
    fault = Answer(429, b"", {"X-Rate-Limit-Problem": problem, **headers})
    xero.standin.script(path=r".*/Organisation", fault=fault)
    with pytest.raises(RetryLater, match=words) as caught:
        xero.connect().read_codes()
    assert caught.value.congested
    assert caught.value.after == after


class Told:
    """A limiter that keeps what is left."""

    def __init__(self) -> None:
        self.left: list[Mapping[str, int]] = []

    def acquire(self) -> None:
        return None

    def observe(self, remaining: Mapping[str, int]) -> None:
        self.left.append(remaining)


def test_what_is_left_of_every_limit_is_passed_on(xero: Rehearsal) -> None:
    told = Told()
    xero.connect(limiter=told).read_codes()
    assert {limit.name for limit in PACKAGE.limits.rates} == set(told.left[-1])
    assert told.left[-1]["minute"] == told.left[0]["minute"] - len(told.left) + 1


def test_the_limits_stay_below_xeros_own() -> None:
    calls = {limit.name: limit.calls for limit in PACKAGE.limits.rates}
    assert (calls["minute"], calls["day"], calls["appminute"]) == (55, 4900, 9500)
    assert PACKAGE.limits.concurrent < 5


# --- Codes ---------------------------------------------------------------------------------------


def test_accounts_say_what_they_may_be_used_for(
    xero: Rehearsal, organisation: Organisation
) -> None:
    organisation.add_account("399", "Printing", type="EXPENSE", tax_type="INPUT2")
    organisation.archive_account("205")
    organisation.add_tax_rate("TAX001", "Old levy", Decimal(5)).status = "ARCHIVED"
    accounts = {one.code: one for one in xero.connect().read_codes().accounts}
    fees, cost, bank, gone = (accounts[code] for code in ("200", "399", "090", "205"))
    assert (fees.active, fees.usable_for_sales, fees.default_tax_code) == (True, True, "OUTPUT2")
    assert fees.remote_id == organisation.account("200").id
    assert fees.allowed_tax_codes is not None
    assert cost.allowed_tax_codes is not None
    assert "INPUT2" not in fees.allowed_tax_codes
    assert "OUTPUT2" not in cost.allowed_tax_codes
    assert "INPUT2" in cost.allowed_tax_codes
    assert (cost.kind, bank.kind) == ("Expense", "Bank")
    # Tax rates out of use are offered nowhere.
    assert "TAX001" not in fees.allowed_tax_codes
    assert (cost.usable_for_sales, bank.usable_for_sales) == (True, False)
    assert not gone.active
    system = [one for one in organisation.accounts if one.system and one.code]
    assert system
    # Of those only the one for cents of rounding.
    usable = [one.system for one in system if accounts[one.code].usable_for_sales]
    assert usable == ["ROUNDING"]


def test_every_type_of_account_has_its_words(xero: Rehearsal, organisation: Organisation) -> None:
    for type_ in CLASSES:
        organisation.add_account(f"X-{type_}"[:10], f"One of {type_}", type=type_)
    made = [one for one in xero.connect().read_codes().accounts if one.code.startswith("X-")]
    assert len(made) == len(CLASSES)
    assert not {one.kind for one in made} & set(CLASSES)
    words = {one.code: one.kind for one in made}
    assert (words["X-CURRLIAB"], words["X-DIRECTCO"]) == ("Current liability", "Direct costs")


def test_tax_codes_say_what_they_may_be_used_for(xero: Rehearsal) -> None:
    taxes = {one.code: one for one in xero.connect().read_codes().taxes}
    told = {code: (one.rate, one.active, one.usable_for_sales) for code, one in taxes.items()}
    assert told["OUTPUT2"] == (15, True, True)
    assert told["ZERORATED"] == (0, True, True)
    assert told["INPUT2"] == (15, True, True)  # for costs charged on
    assert told["GSTONIMPORTS"][2] is False
    assert told["OUTPUT"][:2] == (Decimal("12.5"), False)
    assert taxes["OUTPUT2"].name == "15% GST on Income"


def test_the_later_lock_date_counts(xero: Rehearsal, organisation: Organisation) -> None:
    connector = xero.connect()
    assert connector.read_codes().lock_date is None
    organisation.set_lock_date(date(2026, 3, 31), end_of_year=True)
    assert connector.read_codes().lock_date == date(2026, 3, 31)
    organisation.set_lock_date(date(2026, 9, 30))
    codes = connector.read_codes()
    assert codes.lock_date == date(2026, 9, 30)
    assert codes.facts["period_lock_date"] == "2026-09-30"
    assert codes.facts["year_lock_date"] == "2026-03-31"


def test_codes_are_read_in_a_call_for_each_list(xero: Rehearsal) -> None:
    xero.connect().read_codes()
    asked = [one.path.rpartition("/")[2] for one in xero.standin.requests]
    assert sorted(asked) == ["Accounts", "Actions", "Currencies", "Organisation", "TaxRates"]


def test_facts_are_texts_and_make_links(xero: Rehearsal, organisation: Organisation) -> None:
    codes = xero.connect().read_codes()
    assert codes.currencies[0] == "NZD"
    assert codes.facts["currency"] == "NZD"
    assert codes.facts["country"] == "NZ"
    connector = xero.connect(facts=codes.facts)
    [invoice] = xero.ready(samples.invoice(xero.terms))
    [posted] = connector.post_invoices([invoice], call_key="call-1")
    assert posted.url == (
        "https://go.xero.com/organisationlogin/default.aspx?shortcode="
        f"{codes.facts['short_code']}&redirecturl=/AccountsReceivable/View.aspx?InvoiceID="
        f"{posted.remote_id}"
    )


@pytest.mark.parametrize("body", ["[]", "{}", '{"Organisations": []}'])
def test_a_list_that_is_none_is_read_later(xero: Rehearsal, body: str) -> None:
    fault = Answer(200, body, {"Content-Type": "application/json"})
    xero.standin.script(path=r".*/Organisation", fault=fault)
    with pytest.raises(RetryLater):
        xero.connect().read_codes()


# --- Organisations -------------------------------------------------------------------------------


def test_organisations_are_listed_with_country_and_currency(xero: Rehearsal) -> None:
    files = xero.connect(company_file="").list_company_files()
    assert [(one.name, one.country, one.currency) for one in files] == [
        ("Harbour Architects Ltd", "NZ", "NZD"),
        ("Harbour Surveying Pty Ltd", "AU", "AUD"),
    ]
    assert all(one.connection_id not in {"", one.id} for one in files)


def test_of_many_organisations_only_the_names_are_asked_for(
    xero: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(organisations, "FEW", 1)
    files = xero.connect(company_file="").list_company_files()
    assert [one.country for one in files] == ["", ""]
    assert [one.path for one in xero.standin.requests] == ["/connections"]


def test_an_organisation_that_cannot_be_asked_is_listed_all_the_same(xero: Rehearsal) -> None:
    xero.standin.script(path=r".*/Organisation", fault=Answer(403))
    first, second = xero.connect(company_file="").list_company_files()
    assert isinstance(first, CompanyFile)
    assert (first.currency, second.currency) == ("", "AUD")


def test_leaving_is_not_recorded_as_a_document_and_a_second_time_is_no_error(
    xero: Rehearsal,
) -> None:
    connector = xero.connect()
    first, second = connector.list_company_files()
    assert connector.disconnect(first.connection_id) is False
    assert connector.disconnect(first.connection_id) is False
    assert connector.disconnect(second.connection_id) is True


def test_a_refused_leaving_is_told(xero: Rehearsal) -> None:
    xero.standin.script("DELETE", fault=Answer(400, {"Detail": "No."}))
    with pytest.raises(Rejected):
        xero.connect().disconnect("some-id")


# --- Wire ----------------------------------------------------------------------------------------


def test_every_call_names_the_organisation_and_asks_for_json(xero: Rehearsal) -> None:
    xero.connect().read_codes()
    for seen in xero.standin.requests:
        headers = {name.lower(): value for name, value in seen.headers.items()}
        assert headers["xero-tenant-id"] == xero.company_file
        assert headers["accept"] == "application/json"


def test_documents_are_only_ever_put(xero: Rehearsal) -> None:
    kept = Kept()
    connector = xero.connect(recorder=kept, **xero.settings_for_jobs())
    [invoice] = xero.ready(samples.invoice(xero.terms))
    connector.post_contacts([samples.contact("C2", "Other Ltd")], call_key="call-0")
    connector.post_invoices([invoice], call_key="call-1")
    connector.post_invoices([invoice], call_key="call-2")
    connector.post_jobs([samples.job()], call_key="call-3")
    assert {one.method for one in kept.requests} == {"PUT"}
    assert [one.idempotency_key for one in kept.requests] == [f"call-{one}" for one in range(4)]
    assert not xero.standin.seen("POST", r"/api.*")


def test_the_query_asks_for_an_answer_each_and_for_four_decimals(xero: Rehearsal) -> None:
    [invoice] = xero.ready(samples.invoice(xero.terms))
    xero.connect().post_invoices([invoice], call_key="call-1")
    [seen] = xero.standin.seen(*xero.creates["invoices"])
    assert dict(seen.query) == {"summarizeErrors": "false", "unitdp": "4"}
