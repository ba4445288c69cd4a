"""The rehearsal Xero's organisation, accounts, taxes, tracking, and how it speaks at all."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from tests.connectors.xero.xero_caller import (
    UNKNOWN_ID,
    XeroCaller,
    day_of,
    error_of,
    line,
    moment_of,
    record_of,
    records_of,
    refusals_of,
)

PATHS = ("Organisation", "Accounts", "TaxRates", "Currencies", "BrandingThemes")


@pytest.fixture
def xero() -> Iterator[XeroCaller]:
    with XeroCaller() as caller:
        yield caller


def jobs_of(xero: XeroCaller) -> str:
    [category] = xero.read("TrackingCategories")
    return str(category["TrackingCategoryID"])


def test_every_answer_has_its_envelope(xero: XeroCaller) -> None:
    body = xero.call("GET", "Organisation").json()
    assert body["Status"] == "OK"
    assert {"Id", "ProviderName"} <= body.keys()
    assert moment_of(body["DateTimeUTC"]) == xero.moment


@pytest.mark.parametrize("path", PATHS)
def test_without_asking_for_json_the_answer_is_xml(xero: XeroCaller, path: str) -> None:
    answer = xero.call("GET", path, headers={"Accept": "*/*"})
    assert answer.headers["Content-Type"].startswith("text/xml")
    assert answer.text.startswith("<Response><Id>")


def test_a_refusal_is_xml_as_well_when_json_was_not_asked_for(xero: XeroCaller) -> None:
    answer = xero.call("PUT", "Contacts", headers={"Accept": "*/*"}, json={"Contacts": []})
    assert answer.status_code == 400
    assert answer.text.startswith("<ApiException><ErrorNumber>14</ErrorNumber>")


def test_what_stands_before_the_api_always_answers_json(xero: XeroCaller) -> None:
    answer = xero.call("GET", "Accounts", headers={"Accept": "*/*", "Authorization": "Bearer x"})
    assert answer.json()["Title"] == "Unauthorized"


@pytest.mark.parametrize(
    "path", ["Invoices/ABT-404", f"Contacts/{UNKNOWN_ID}", "Nothing", f"Payments/{UNKNOWN_ID}"]
)
def test_what_is_not_there_is_html_not_json(xero: XeroCaller, path: str) -> None:
    answer = xero.call("GET", path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_wrong_verb_is_not_implemented(xero: XeroCaller) -> None:
    answer = xero.call("DELETE", "Invoices")
    assert error_of(answer) == (501, 20, "ApiMethodNotImplementedException")


def test_the_organisation_tells_country_currency_and_time_zone(xero: XeroCaller) -> None:
    [here] = xero.read("Organisation")
    assert (here["CountryCode"], here["BaseCurrency"]) == ("NZ", "NZD")
    assert here["Timezone"] == "NEWZEALANDSTANDARDTIME"
    xero.tenant = xero.australian.tenant_id
    [there] = xero.read("Organisation")
    assert (there["CountryCode"], there["BaseCurrency"]) == ("AU", "AUD")


def test_lock_dates_are_shown_only_when_set(xero: XeroCaller) -> None:
    [before] = xero.read("Organisation")
    assert {"PeriodLockDate", "EndOfYearLockDate"}.isdisjoint(before)
    xero.books.set_lock_date(date(2026, 10, 31))
    xero.books.set_lock_date(date(2026, 3, 31), end_of_year=True)
    [after] = xero.read("Organisation")
    assert day_of(after["PeriodLockDate"]) == date(2026, 10, 31)
    assert day_of(after["EndOfYearLockDate"]) == date(2026, 3, 31)


def test_actions_name_what_the_person_may_do(xero: XeroCaller) -> None:
    allowed = {one["Name"]: one["Status"] for one in xero.read("Organisation/Actions")}
    assert allowed["CreateApprovedInvoice"] == "ALLOWED"
    assert allowed["ApproveTransactionsBeforePeriodLockDate"] == "NOT-ALLOWED"


@pytest.mark.parametrize("country", ["NZ", "AU"])
def test_the_chart_holds_every_kind_of_account(xero: XeroCaller, country: str) -> None:
    books = xero.books if country == "NZ" else xero.australian
    xero.tenant = books.tenant_id
    accounts = {one["Code"]: one for one in xero.read("Accounts")}
    assert len(accounts) >= 30
    assert accounts["090"]["Type"] == "BANK"
    assert accounts["200"]["Class"] == "REVENUE"
    assert accounts["218"]["Status"] == "ARCHIVED"
    systems = {one["SystemAccount"] for one in accounts.values() if "SystemAccount" in one}
    assert {"DEBTORS", "CREDITORS", "GST", "ROUNDING"} <= systems
    known = {one["TaxType"] for one in xero.read("TaxRates") if one["Status"] == "ACTIVE"}
    assert {one["TaxType"] for one in accounts.values()} <= known


def test_an_archived_account_says_so(xero: XeroCaller) -> None:
    xero.books.archive_account("210")
    [account] = xero.read("Accounts", where='Code=="210"')
    assert account["Status"] == "ARCHIVED"


def test_accounts_can_be_asked_since_a_moment(xero: XeroCaller) -> None:
    xero.pass_time(minutes=5)
    since = f"{xero.moment:%Y-%m-%dT%H:%M:%S}"
    xero.books.archive_account("210")
    answer = xero.call("GET", "Accounts", headers={"If-Modified-Since": since})
    assert [one["Code"] for one in records_of(answer)] == ["210"]


def test_one_tax_code_is_alive_in_australia_and_dead_in_new_zealand(xero: XeroCaller) -> None:
    here = {one["TaxType"]: one for one in xero.read("TaxRates")}
    xero.tenant = xero.australian.tenant_id
    there = {one["TaxType"]: one for one in xero.read("TaxRates")}
    assert (here["OUTPUT"]["Status"], here["OUTPUT"]["EffectiveRate"]) == ("ARCHIVED", 12.5)
    assert (there["OUTPUT"]["Status"], there["OUTPUT"]["EffectiveRate"]) == ("ACTIVE", 10)
    assert here["OUTPUT2"]["EffectiveRate"] == 15
    assert "OUTPUT2" not in there


def test_tax_rates_say_which_accounts_they_suit(xero: XeroCaller) -> None:
    rates = {one["TaxType"]: one for one in xero.read("TaxRates")}
    assert rates["OUTPUT2"]["CanApplyToRevenue"] is True
    assert rates["INPUT2"]["CanApplyToRevenue"] is False
    assert rates["INPUT2"]["CanApplyToExpenses"] is True
    assert [each["Rate"] for each in rates["OUTPUT2"]["TaxComponents"]] == [15]


def test_the_organisation_can_have_a_rate_of_its_own(xero: XeroCaller) -> None:
    xero.books.add_tax_rate("TAX001", "Levy", Decimal("2.5"))
    sent = xero.invoice(LineItems=[line(TaxType="TAX001")])
    assert record_of(xero.put("Invoices", sent))["TotalTax"] == 2.5


def test_currencies_are_those_subscribed_to(xero: XeroCaller) -> None:
    assert [one["Code"] for one in xero.read("Currencies")] == ["NZD", "AUD", "USD"]


def test_there_is_a_branding_theme(xero: XeroCaller) -> None:
    assert [one["Name"] for one in xero.read("BrandingThemes")] == ["Standard"]


def test_a_tracking_option_is_created_once(xero: XeroCaller) -> None:
    path = f"TrackingCategories/{jobs_of(xero)}/Options"
    made = record_of(xero.write("PUT", path, {"Name": "J1234"}))
    assert (made["Name"], made["Status"]) == ("J1234", "ACTIVE")
    assert refusals_of(xero.write("PUT", path, {"Name": "j1234"}))
    [category] = xero.read("TrackingCategories")
    assert [one["Name"] for one in category["Options"]] == ["J1234"]


@pytest.mark.parametrize("name", ["", " ", "x" * 101])
def test_a_tracking_option_needs_a_name_of_up_to_a_hundred(xero: XeroCaller, name: str) -> None:
    answer = xero.write("PUT", f"TrackingCategories/{jobs_of(xero)}/Options", {"Name": name})
    assert refusals_of(answer)


def test_a_category_holds_a_hundred_options(xero: XeroCaller) -> None:
    for place in range(100):
        xero.books.add_tracking_option(f"J{place}")
    answer = xero.write("PUT", f"TrackingCategories/{jobs_of(xero)}/Options", {"Name": "one more"})
    assert "at most 100" in refusals_of(answer)[0]


def test_an_option_for_an_unknown_category_breaks_xero(xero: XeroCaller) -> None:
    answer = xero.write("PUT", f"TrackingCategories/{UNKNOWN_ID}/Options", {"Name": "J1"})
    assert (answer.status_code, answer.text) == (500, "")


def test_two_tracking_categories_can_be_active(xero: XeroCaller) -> None:
    assert record_of(xero.write("PUT", "TrackingCategories", {"Name": "Office"}))
    assert "At most 2" in refusals_of(xero.write("PUT", "TrackingCategories", {"Name": "More"}))[0]


def test_two_organisations_keep_books_apart(xero: XeroCaller) -> None:
    xero.books.add_contact(name="Only here")
    xero.tenant = xero.australian.tenant_id
    assert xero.read("Contacts", page=1) == []


def test_the_same_company_keeps_its_ids_when_the_rehearsal_is_started_again(
    xero: XeroCaller,
) -> None:
    with XeroCaller() as again:
        assert again.tenant == xero.tenant
        first, second = xero.read("Accounts"), again.read("Accounts")
        assert [one["AccountID"] for one in first] == [one["AccountID"] for one in second]
