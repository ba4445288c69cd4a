"""The pages of Interface Settings: each page in each state, for each role."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connectors import registry
from connectors.base.errors import RetryLater
from interfaces import charges
from interfaces.forms import AddForm, PreferencesForm
from interfaces.forms_codes import DEFAULTS
from interfaces.models import AccountCode, AccountingInterface, CodeRule, Credential, TaxCode
from interfaces.preferences import save_preferences, settings_for
from invoicing.models import InvoiceSetting
from offices.models import AuditEntry, Practice, Role, User
from offices.people import grant_support
from offices.tenancy import acting_for
from tests.factories import make_interface, make_member, make_practice, make_setting, make_user
from tests.interfaces.conftest import credential_of, reload
from tests.interfaces.ledger import CODES, FILES, LedgerConnector, LedgerServer

pytestmark = pytest.mark.django_db

State = AccountingInterface.State
ROLES = list(Role)


@pytest.fixture
def browser(admin: User) -> Client:
    """An admin's browser."""
    client = Client()
    client.force_login(admin)
    return client


@pytest.fixture
def browser_of(practice: Practice) -> Callable[[Role], Client]:
    """The browser of a person of that role."""

    def make(role: Role) -> Client:
        client = Client()
        client.force_login(make_member(practice, role))
        return client

    return make


def at(name: str, of: AccountingInterface | Practice) -> str:
    """The address of a page of an interface, or of a practice."""
    if isinstance(of, Practice):
        return reverse(f"interfaces:{name}", kwargs={"practice_slug": of.slug})
    kwargs = {"practice_slug": of.practice.slug, "interface_id": of.pk}
    return reverse(f"interfaces:{name}", kwargs=kwargs)


def text(answer: Any) -> str:
    """What the page says, without the marks a template escapes."""
    assert answer.status_code == 200, answer
    page: str = answer.content.decode()
    return page.replace("&#x27;", "'").replace("&quot;", '"')


def set_fields(interface: AccountingInterface, **fields: Any) -> None:
    with acting_for(interface.practice_id):
        AccountingInterface.objects.filter(pk=interface.pk).update(**fields)


def actions_of(practice: Practice) -> list[str]:
    with acting_for(practice.pk):
        return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


# --- Who may what -----


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("state", list(State))
def test_everybody_of_the_practice_reads_and_only_admins_change(
    interface: AccountingInterface,
    browser_of: Callable[[Role], Client],
    server: LedgerServer,
    role: Role,
    state: State,
) -> None:
    set_fields(interface, state=state)
    client, practice = browser_of(role), interface.practice
    admin = role == Role.ADMIN
    for name, of in (("list", practice), ("detail", interface), ("codes", interface)):
        assert "Ledger Auckland" in text(client.get(at(name, of)))
    for name, of in (("add", practice), ("preferences", interface)):
        assert client.get(at(name, of)).status_code == (200 if admin else 403)
    choosing = 200 if state == State.CHOOSE_COMPANY_FILE else 302
    assert client.get(at("choose", interface)).status_code == (choosing if admin else 403)
    if not admin:
        for name in ("save_codes", "refresh", "preferences", "connect", "choose", "disconnect"):
            assert client.post(at(name, interface)).status_code == 403
        assert client.post(at("add", practice), {"name": "x"}).status_code == 403
        assert reload(interface).state == state
        assert server.calls == []


@pytest.mark.parametrize(
    ("state", "shown", "hidden"),
    [
        (State.NOT_CONNECTED, "is not connected yet", "Disconnect"),
        (State.CHOOSE_COMPANY_FILE, "Choose organisation</a>", "Reconnect"),
        (State.CONNECTED, "Sign in to Ledger again", "Reconnect"),
        (State.NEEDS_CONSENT, "Reconnect to Ledger", "Sign in to Ledger again"),
        (State.PAUSED, "is paused", "Sign in to Ledger again"),
        (State.DISCONNECTED, "is disconnected", "Disconnect</button>"),
    ],
)
def test_each_state_says_what_it_is_and_offers_the_next_step(
    interface: AccountingInterface, browser: Client, state: State, shown: str, hidden: str
) -> None:
    set_fields(interface, state=state)
    page = text(browser.get(at("detail", interface)))
    assert f">{state.label}<" in page
    assert shown in page
    assert hidden not in page


def test_only_what_was_connected_once_has_a_state_since_a_time(
    interface: AccountingInterface, unconnected: AccountingInterface, browser: Client
) -> None:
    assert "Connected since" in text(browser.get(at("detail", interface)))
    page = text(browser.get(at("detail", unconnected)))
    assert "Not connected" in page
    assert "since" not in page


def test_a_page_for_a_reader_offers_no_button(
    interface: AccountingInterface, browser_of: Callable[[Role], Client]
) -> None:
    for role in ROLES[1:]:
        for name in ("detail", "codes"):
            page = text(browser_of(role).get(at(name, interface)))
            # The one form left is that of the log-out button.
            forms = page.count("<form") - page.count(reverse("account_logout"))
            assert forms == (1 if name == "codes" else 0)
            assert 'type="submit">Save' not in page
        assert "Add interface" not in text(browser_of(role).get(at("list", interface.practice)))


def test_why_a_sign_in_was_lost_is_told_and_escaped(
    interface: AccountingInterface, browser: Client
) -> None:
    set_fields(
        interface, state=State.NEEDS_CONSENT, state_reason="<script>alert(1)</script> signed out"
    )
    page = browser.get(at("detail", interface)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; signed out" in page
    assert "<script>alert" not in page
    assert "nothing is lost" in page


def test_whatever_a_package_or_a_person_wrote_is_escaped_everywhere(
    interface: AccountingInterface, browser: Client
) -> None:
    bad = '"><img src=x onerror=alert(1)>{{ settings.SECRET_KEY }}'
    set_fields(interface, name=bad, company_file_name=bad, codes_error=bad, currency="")
    with acting_for(interface.practice_id):
        AccountCode.objects.update(name=bad, kind=bad[:50], vanished_at=timezone.now())
        TaxCode.objects.update(name=bad, vanished_at=timezone.now())
        make_setting(interface, name=bad)
    for name in ("detail", "codes", "preferences"):
        assert "<img" not in text(browser.get(at(name, interface)))
    assert "<img" not in text(browser.get(at("list", interface.practice)))


def test_an_interface_that_is_none_is_not_there(
    interface: AccountingInterface, browser: Client
) -> None:
    base = at("list", interface.practice)
    for number in ("0", "999999", "9" * 30):
        assert browser.get(f"{base}{number}/").status_code == 404
        assert browser.post(f"{base}{number}/disconnect/").status_code == 404


# --- The list -----


def test_the_list_shows_the_packages_where_there_is_no_interface_yet(
    practice: Practice, server: LedgerServer, browser_of: Callable[[Role], Client]
) -> None:
    page = text(browser_of(Role.ADMIN).get(at("list", practice)))
    assert "Choose the package your firm keeps its accounts in" in page
    assert "Connect Ledger" in page
    assert "An admin can add one" in text(browser_of(Role.VIEWER).get(at("list", practice)))


def test_the_list_tells_what_each_interface_costs(
    interface: AccountingInterface, unconnected: AccountingInterface, browser: Client
) -> None:
    with acting_for(interface.practice_id):
        second = make_interface(package_key="ledger", name="Ledger Napier")
        for one in (interface, second):
            charges.begin(one)
    page = text(browser.get(at("list", interface.practice)))
    assert page.index("$15.00") < page.index("Included")
    assert "The links cost $15.00 a month, without GST." in page


def test_the_list_tells_of_each_interface(
    interface: AccountingInterface, unconnected: AccountingInterface, browser: Client
) -> None:
    with acting_for(interface.practice_id):
        make_setting(interface, name="Auckland invoices")
    page = text(browser.get(at("list", interface.practice)))
    for words in ("Ledger Auckland", "Harbour Ltd", "Auckland invoices", "Not connected"):
        assert words in page
    assert page.index("Ledger Auckland") < page.index("New")


def test_pages_take_as_many_queries_for_many_rows_as_for_few(
    interface: AccountingInterface, browser: Client
) -> None:
    counts: dict[str, list[int]] = {}
    for more in (1, 15):
        with acting_for(interface.practice_id):
            for _ in range(more):
                made = make_interface(package_key="ledger")
                make_setting(made)
                Credential.objects.create(
                    interface=made, sealed="", expires_at=timezone.now(), connected_by=make_user()
                )
                AccountCode.objects.create(interface=interface, code=f"new {made.pk}", name="x")
                TaxCode.objects.create(interface=interface, code=f"new {made.pk}", name="x", rate=1)
                make_setting(interface)
        for name, of in (
            ("list", interface.practice),
            ("detail", interface),
            ("codes", interface),
            ("preferences", interface),
            ("add", interface.practice),
        ):
            with CaptureQueriesContext(connection) as queries:
                assert browser.get(at(name, of)).status_code == 200
            own = ("SELECT set_config", "BEGIN", "SAVEPOINT", "RELEASE", "COMMIT")
            counts.setdefault(name, []).append(
                len([one for one in queries if not one["sql"].startswith(own)])
            )
    for name, (few, many) in counts.items():
        assert few == many, name
        assert many <= (19 if name == "detail" else 15), name


# --- Adding -----


def test_a_tile_says_what_the_package_declares_of_itself(
    practice: Practice, server: LedgerServer, browser: Client
) -> None:
    page = text(browser.get(at("add", practice)))
    for words in ("Ledger", "You can do this yourself", "$15.00 a month", "Connect Ledger"):
        assert words in page
    for ability in ("Invoices", "Payments back"):
        claimed = f"<li>{ability}</li>" in page
        word = {"Invoices": "invoices", "Payments back": "payments"}[ability]
        assert claimed == (word in registry.package("ledger").capabilities())


@pytest.mark.parametrize("name", ["", " Ledger Napier "])
def test_an_interface_is_added_and_led_to_the_sign_in_at_once(
    practice: Practice, server: LedgerServer, browser: Client, name: str
) -> None:
    sent = {"package_key": "ledger", "name": name, "state": "connected"}
    answer = browser.post(at("add", practice), sent)
    assert answer["Location"].startswith(server.url)
    with acting_for(practice.pk):
        made = AccountingInterface.objects.get()
    assert (made.name, made.package_key, made.state, made.is_live) == (
        name.strip() or "Ledger",
        "ledger",
        State.NOT_CONNECTED,
        False,
    )
    assert actions_of(practice) == ["interface.added", "interface.consent_begun"]
    browser.post(at("add", practice), {"package_key": "ledger", "name": "Ledger Timaru"})
    with acting_for(practice.pk):
        assert AccountingInterface.objects.filter(name="Ledger Timaru").exists()


def test_the_tile_goes_on_with_an_interface_whose_sign_in_was_broken_off(
    practice: Practice, server: LedgerServer, browser: Client
) -> None:
    with acting_for(practice.pk):
        make_interface(package_key="ledger", name="Connected", live_since=None)
        make_interface(package_key="xero", name="Ledger Xero", connected=False, company_file_id="")
        rehearsal = {"name": "Rehearsal", "rehearsal_token": "t", "company_file_id": ""}
        make_interface(package_key="ledger", connected=False, **rehearsal)
        make_interface(package_key="ledger", name="Of a file", connected=False)
    for _ in range(3):
        answer = browser.post(at("add", practice), {"package_key": "ledger"})
        assert answer["Location"].startswith(server.url)
    with acting_for(practice.pk):
        names = set(AccountingInterface.objects.values_list("name", flat=True))
    assert names == {"Connected", "Ledger Xero", "Rehearsal", "Of a file", "Ledger"}
    assert actions_of(practice).count("interface.added") == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Ledger Auckland"}, "Another interface has this name"),
        ({"name": "x" * 101}, "at most 100"),
        ({"package_key": "abacus"}, "There is no such package here."),
        ({"package_key": ""}, "Choose a package first."),
    ],
)
def test_an_interface_asked_for_wrongly_is_explained(
    interface: AccountingInterface, browser: Client, change: dict[str, str], words: str
) -> None:
    sent = {"package_key": "ledger", "name": "Ledger Napier"} | change
    assert words in text(browser.post(at("add", interface.practice), sent))
    with acting_for(interface.practice_id):
        assert AccountingInterface.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Xero\u202eoreX", "a character that cannot be seen, U+202E"),
        ("Xe\u200bro", "a character that cannot be seen, U+200B"),
        ("Xero\u3164", "a character that cannot be seen, U+3164"),
        ("Xe\tro", "a control character"),
        ("Xe\u2028ro", "a control character"),
    ],
)
def test_a_name_with_characters_that_cannot_be_seen_is_refused(
    interface: AccountingInterface, browser: Client, name: str, words: str
) -> None:
    sent = {"package_key": "ledger", "name": name}
    assert words in text(browser.post(at("add", interface.practice), sent))
    sent = {"name": name, "set_status": "draft", "set_port": "1"}
    assert words in text(browser.post(at("preferences", interface), sent))
    sent = {"other_scope": "task", "other_subject": name}
    assert words in text(browser.post(at("rules", interface), sent))
    with acting_for(interface.practice_id):
        assert AccountingInterface.objects.get().name == "Ledger Auckland"
        assert not CodeRule.objects.exists()


def test_two_people_who_choose_one_name_at_once_are_told(
    interface: AccountingInterface, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking whether a name is free and taking it, somebody else took it."""
    for form in (AddForm, PreferencesForm):
        monkeypatch.setattr(form, "clean_name", lambda self: self.cleaned_data["name"])
    with acting_for(interface.practice_id):
        make_interface(package_key="ledger", name="Taken")
    sent = {"package_key": "ledger", "name": "Taken"}
    assert "has this name" in text(browser.post(at("add", interface.practice), sent))
    sent = {"name": "Taken", "set_status": "draft", "set_port": "1"}
    assert "has this name" in text(browser.post(at("preferences", interface), sent))
    assert reload(interface).name == "Ledger Auckland"


# --- Codes and defaults -----


def test_codes_are_shown_with_their_state_and_defaults_with_their_names(
    interface: AccountingInterface, browser: Client
) -> None:
    with acting_for(interface.practice_id):
        AccountCode.objects.filter(code="260").update(vanished_at=timezone.now())
        AccountCode.objects.filter(code="210").update(active=False)
    page = text(browser.get(at("codes", interface)))
    assert "No longer in the list" in page
    assert "Archived" in page
    assert "15% GST on Income (OUTPUT2, 15 %)" in page
    # The archived one is the default for disbursements: it stays chosen, and says why it is wrong.
    assert "210 Recoveries (is archived)" in page
    assert "260 Other revenue (" not in page


def test_defaults_and_offers_are_saved(interface: AccountingInterface, browser: Client) -> None:
    with acting_for(interface.practice_id):
        account = {one.code: one.pk for one in AccountCode.objects.all()}
        tax = {one.code: one.pk for one in TaxCode.objects.all()}
    sent = {
        "revenue_account": account["260"],
        "tax_free_account": account["200"],
        "disbursement_account": "",
        "revenue_tax": tax["OUTPUT2"],
        "tax_free_tax": "",
        "account": [account["200"], account["260"], "x", "-1", "9" * 40, "²"],
        "tax": [tax["OUTPUT2"]],
        "state": "disconnected",
    }
    page = text(browser.post(at("save_codes", interface), sent, follow=True))
    assert "Codes and defaults are saved." in page
    assert "disbursement account, tax code for tax-free revenue" in page
    after = reload(interface)
    assert (after.revenue_account_id, after.tax_free_account_id, after.disbursement_account_id) == (
        account["260"],
        account["200"],
        None,
    )
    assert (after.revenue_tax_id, after.tax_free_tax_id) == (tax["OUTPUT2"], None)
    assert after.state == State.CONNECTED
    with acting_for(interface.practice_id):
        offered = AccountCode.objects.filter(available=True).values_list("code", flat=True)
        assert set(offered) == {"200", "260"}
        entry = AuditEntry.objects.get()
    assert entry.action == "interface.codes_set"
    assert entry.detail["before"]["revenue_account"] == "200 Sales"
    assert entry.detail["after"]["revenue_account"] == "260 Other revenue"
    assert entry.detail["after"]["disbursement_account"] == ""
    assert entry.detail["withdrawn"] == ["210 Recoveries", "ZERORATED Zero Rated"]


def test_a_code_that_may_not_be_used_or_is_another_interfaces_is_no_default(
    interface: AccountingInterface, browser: Client
) -> None:
    with acting_for(interface.practice_id):
        other = make_interface(package_key="ledger")
        theirs = other.accounts.get(code="200").pk
        archived = AccountCode.objects.create(
            interface=interface, code="1", name="x", active=False
        ).pk
        hidden = AccountCode.objects.create(
            interface=interface, code="2", name="x", available=False
        ).pk
    empty = dict.fromkeys(DEFAULTS, "")
    for wrong in (theirs, archived, hidden, "x", "9" * 40):
        answer = browser.post(at("save_codes", interface), empty | {"revenue_account": wrong})
        assert "is-invalid" in text(answer)
    assert reload(interface).revenue_account_id == interface.revenue_account_id


def test_a_default_is_not_taken_out_of_what_is_offered(
    interface: AccountingInterface, browser: Client
) -> None:
    with acting_for(interface.practice_id):
        account = {one.code: one.pk for one in AccountCode.objects.all()}
        tax = {one.code: one.pk for one in TaxCode.objects.all()}
    sent = dict.fromkeys(DEFAULTS, "") | {
        "revenue_account": account["200"],
        "revenue_tax": tax["OUTPUT2"],
        "account": [account["260"]],
        "tax": [],
    }
    page = browser.post(at("save_codes", interface), sent)
    told = text(page)
    assert "200 Sales is chosen here, so its “Offer” box below must stay ticked." in told
    assert "15% GST on Income is chosen here" in told
    # What was ticked is still ticked.
    assert [one.code for one in page.context["accounts"] if one.available] == ["260"]
    with acting_for(interface.practice_id):
        assert AccountCode.objects.get(code="200").available
        assert not AuditEntry.objects.exists()
        # One that was not offered before may stay: nothing is taken away.
        AccountCode.objects.filter(code="200").update(available=False)
    page = browser.post(at("save_codes", interface), sent | {"tax": [tax["OUTPUT2"]]}, follow=True)
    assert "Codes and defaults are saved." in text(page)


def test_codes_are_read_when_asked_for_and_a_failure_is_told(
    interface: AccountingInterface, browser: Client, server: LedgerServer
) -> None:
    page = text(browser.post(at("refresh", interface), follow=True))
    assert "The codes were read from Ledger." in page
    assert "GST on income (GST, 15 %)" in page
    server.down = True
    page = text(browser.post(at("refresh", interface), follow=True))
    assert "The codes could not be read. Ledger is not available." in page
    assert "could not be read last time" in page
    assert "CANARY" not in page


def test_a_reader_cannot_slip_a_default_in(
    interface: AccountingInterface, browser_of: Callable[[Role], Client]
) -> None:
    sent = {"revenue_account": ""}
    assert browser_of(Role.ACCOUNTS).post(at("codes", interface), sent).status_code == 405
    assert reload(interface).revenue_account_id == interface.revenue_account_id


# --- Preferences -----


def test_preferences_are_saved_and_a_secret_is_never_shown(
    interface: AccountingInterface, browser: Client
) -> None:
    sent = {
        "name": "Ledger Head Office",
        "set_status": "approved",
        "set_port": "9000",
        "set_password": "CANARY sesame",
        "set_unknown": "x",
        "company_file_id": "f2",
    }
    page = text(browser.post(at("preferences", interface), sent, follow=True))
    assert "Preferences are saved." in page
    assert "CANARY" not in page
    after = reload(interface)
    assert (after.name, after.company_file_id) == ("Ledger Head Office", "f1")
    with acting_for(interface.practice_id):
        assert settings_for(after) == {
            "status": "approved",
            "add_clients": False,
            "port": 9000,
            "password": "CANARY sesame",
            "reference": "",
        }
        entry = AuditEntry.objects.get()
    assert "CANARY" not in repr(entry.detail)
    assert entry.detail["secrets_replaced"] == ["Password"]
    page = text(browser.get(at("preferences", interface)))
    assert "CANARY" not in page
    assert "One is kept; leave empty to go on with it" in page


def test_a_secret_left_empty_is_kept(interface: AccountingInterface, browser: Client) -> None:
    with acting_for(interface.practice_id):
        save_preferences(interface, {"password": "sesame"})
    sent = {"name": "Ledger", "set_status": "draft", "set_port": "1", "set_password": ""}
    browser.post(at("preferences", interface), sent)
    assert settings_for(reload(interface))["password"] == "sesame"


@pytest.mark.parametrize(
    "change", [{"name": ""}, {"set_status": "posted"}, {"set_port": "many"}, {"name": "New"}]
)
def test_a_preference_that_cannot_be_is_explained(
    interface: AccountingInterface,
    unconnected: AccountingInterface,
    browser: Client,
    change: dict[str, str],
) -> None:
    sent = {"name": "Ledger", "set_status": "draft", "set_port": "1"} | change
    assert "is-invalid" in text(browser.post(at("preferences", interface), sent))
    assert reload(interface).name == "Ledger Auckland"


def test_a_preference_another_one_needs_cannot_be_left_out(
    practice: Practice, browser: Client
) -> None:
    with acting_for(practice.pk):
        xero = make_interface(name="Xero Auckland")
    sent = {"name": "Xero Auckland", "set_jobs": "tracking", "set_tracking_category": " "}
    sent |= {
        f"set_{one.key}": one.default
        for one in xero.package.settings
        if one.kind in ("choice", "integer") and one.key != "jobs"
    }
    refused = text(browser.post(at("preferences", xero), sent))
    assert "Needed while “Jobs” is “As a tracking category”." in refused
    assert reload(xero).preference("jobs") == "none"
    for change in ({"set_tracking_category": "Job"}, {"set_jobs": "none"}):
        page = text(browser.post(at("preferences", xero), sent | change, follow=True))
        assert "Preferences are saved." in page
    after = reload(xero)
    assert (after.preference("jobs"), after.preference("tracking_category")) == ("none", "")


# --- Connecting -----


def sign_in(browser: Client, interface: AccountingInterface, server: LedgerServer) -> Any:
    """Press Connect, sign in there, and come back."""
    there = browser.post(at("connect", interface))
    assert there["Location"].startswith(f"{server.url}/authorize?")
    return browser.get("/oauth/ledger/callback", server.consent(there["Location"]))


def test_connecting_leads_there_and_back_and_reads_the_codes(
    unconnected: AccountingInterface, browser: Client, server: LedgerServer
) -> None:
    server.files = FILES[:1]
    answer = sign_in(browser, unconnected, server)
    # The set-up goes on with the next step.
    page = browser.get(answer["Location"], follow=True)
    assert page.redirect_chain[-1][0].endswith("/invoice-settings/")
    assert "New is connected to Harbour Ltd." in text(page)
    after = reload(unconnected)
    assert after.state == State.CONNECTED
    assert after.codes_read_at is not None
    assert actions_of(unconnected.practice) == ["interface.consent_begun", "interface.connected"]


def test_the_only_company_file_is_not_taken_unasked_where_another_interface_uses_it(
    unconnected: AccountingInterface,
    interface: AccountingInterface,
    browser: Client,
    server: LedgerServer,
) -> None:
    server.files = FILES[:1]
    answer = sign_in(browser, unconnected, server)
    assert answer["Location"] == at("choose", unconnected)
    page = text(browser.get(answer["Location"]))
    assert "Already used by Ledger Auckland" in page
    assert reload(unconnected).company_file_id == ""
    browser.post(answer["Location"], {"company_file": "f1"})
    assert reload(unconnected).company_file_id == "f1"


def test_several_company_files_are_chosen_from(
    unconnected: AccountingInterface,
    interface: AccountingInterface,
    browser: Client,
    server: LedgerServer,
) -> None:
    answer = sign_in(browser, unconnected, server)
    assert answer["Location"] == at("choose", unconnected)
    page = text(browser.get(answer["Location"]))
    assert "Choose the organisation for New" in page
    assert "Other Ltd" in page
    assert "Already used by Ledger Auckland" in page
    assert "Choose one first" in text(browser.post(answer["Location"], {"next": ""}))
    assert "is not one of" in text(browser.post(answer["Location"], {"company_file": "f9"}))
    page = text(browser.post(answer["Location"], {"company_file": "f2"}, follow=True))
    assert "New is connected to Other Ltd." in page
    assert reload(unconnected).company_file_id == "f2"
    assert actions_of(unconnected.practice) == [
        "interface.consent_begun",
        "interface.consent_given",
        "interface.connected",
    ]


def test_a_package_that_is_down_at_the_choice_is_told(
    unconnected: AccountingInterface, browser: Client, server: LedgerServer
) -> None:
    there = sign_in(browser, unconnected, server)["Location"]
    server.down = True
    page = text(browser.get(there, follow=True))
    assert "Ledger is not available." in page
    assert reload(unconnected).state == State.CHOOSE_COMPANY_FILE


def test_codes_that_cannot_be_read_yet_do_not_undo_the_connection(
    unconnected: AccountingInterface,
    browser: Client,
    server: LedgerServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: Any) -> Any:
        raise RetryLater("Ledger is not available.")

    monkeypatch.setattr(LedgerConnector, "read_codes", fail)
    server.files = FILES[:1]
    page = text(browser.get(sign_in(browser, unconnected, server)["Location"], follow=True))
    assert "New is connected to Harbour Ltd." in page
    assert "Its codes could not be read yet. Ledger is not available." in page


def test_after_connecting_one_goes_on_where_one_was(
    interface: AccountingInterface, browser: Client, server: LedgerServer
) -> None:
    for given, there in [
        ("/back/here/?a=1", "/back/here/?a=1"),
        ("https://elsewhere.example/", at("detail", interface)),
        ("//elsewhere.example/", at("detail", interface)),
        ("/\\elsewhere.example", at("detail", interface)),
        ("javascript:alert(1)", at("detail", interface)),
        ("back", at("detail", interface)),
        ("", at("detail", interface)),
    ]:
        began = browser.post(at("connect", interface), {"next": given})
        answer = browser.get("/oauth/ledger/callback", server.consent(began["Location"]))
        assert answer["Location"] == there, given


def test_a_refusal_is_a_page_that_says_so(
    unconnected: AccountingInterface, browser: Client, server: LedgerServer
) -> None:
    began = browser.post(at("connect", unconnected))
    state = server.consent(began["Location"])["state"]
    answer = browser.get(
        "/oauth/ledger/callback", {"state": state, "error": "access_denied", "code": "CANARY-x"}
    )
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "access was not allowed there" in page
    assert "CANARY" not in page
    assert state not in page
    assert f'href="{at("detail", unconnected)}">Back to the interface<' in page


def test_a_way_back_nobody_began_changes_nothing(
    interface: AccountingInterface, browser: Client, server: LedgerServer
) -> None:
    for query in ({}, {"state": "x" * 43, "code": "y"}, {"code": "y"}, {"state": "x" * 9000}):
        answer = browser.get("/oauth/ledger/callback", query)
        assert answer.status_code == 400
        assert "was not begun here" in answer.content.decode()
        assert 'href="/">Back to your practice<' in answer.content.decode()
    assert browser.post("/oauth/ledger/callback", {"code": "y"}).status_code == 405
    assert browser.get("/oauth/abacus/callback").status_code == 404
    assert server.calls == []


def test_without_a_log_in_the_code_is_dropped(
    unconnected: AccountingInterface, browser: Client, server: LedgerServer
) -> None:
    answer = server.consent(browser.post(at("connect", unconnected))["Location"])
    back = Client().get("/oauth/ledger/callback", answer)
    assert back["Location"] == "/accounts/login/?next=/"
    assert server.calls == []


def test_another_admins_browser_cannot_end_the_trip(
    unconnected: AccountingInterface,
    browser: Client,
    browser_of: Callable[[Role], Client],
    server: LedgerServer,
) -> None:
    answer = server.consent(browser.post(at("connect", unconnected))["Location"])
    assert browser_of(Role.ADMIN).get("/oauth/ledger/callback", answer).status_code == 400
    assert reload(unconnected).state == State.NOT_CONNECTED


def test_whoever_is_no_admin_any_more_cannot_end_the_trip(
    unconnected: AccountingInterface, admin: User, browser: Client, server: LedgerServer
) -> None:
    answer = server.consent(browser.post(at("connect", unconnected))["Location"])
    admin.memberships.update(role=Role.ACCOUNTS)
    refused = browser.get("/oauth/ledger/callback", answer)
    assert refused.status_code == 400
    assert "Back to the interface" not in refused.content.decode()
    admin.memberships.all().delete()
    assert browser.get("/oauth/ledger/callback", answer).status_code == 400
    assert server.calls == []
    assert reload(unconnected).state == State.NOT_CONNECTED


def test_where_codes_are_required_the_way_back_needs_one_too(
    unconnected: AccountingInterface, browser: Client, server: LedgerServer, settings: Any
) -> None:
    answer = server.consent(browser.post(at("connect", unconnected))["Location"])
    settings.REQUIRE_TOTP = True
    assert browser.get("/oauth/ledger/callback", answer).status_code == 400
    assert server.calls == []


def test_support_connects_under_its_own_name(
    unconnected: AccountingInterface, admin: User, server: LedgerServer
) -> None:
    practice, support, client = unconnected.practice, make_user(is_support=True), Client()
    grant_support(
        practice=practice,
        user=support,
        granted_by=admin,
        reason="Set up",
        ends_at=timezone.now() + timedelta(hours=1),
    )
    client.force_login(support)
    server.files = FILES[:1]
    assert sign_in(client, unconnected, server).status_code == 302
    with acting_for(practice.pk):
        entries = AuditEntry.objects.filter(action__startswith="interface.")
        assert {(one.actor_id, one.as_support) for one in entries} == {(support.pk, True)}
    assert credential_of(unconnected).connected_by == support


def test_a_server_without_its_app_details_says_which_variable(
    unconnected: AccountingInterface, browser: Client, settings: Any
) -> None:
    settings.PACKAGE_APPS["ledger"]["client_secret"] = ""
    page = text(browser.post(at("connect", unconnected), follow=True))
    assert "LEDGER_CLIENT_SECRET is not set on this server" in page
    assert actions_of(unconnected.practice) == []


def test_connecting_takes_the_press_of_a_button_on_our_own_page(
    interface: AccountingInterface, admin: User
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    for name in ("connect", "disconnect", "refresh", "save_codes", "preferences"):
        assert client.post(at(name, interface)).status_code == 403
        if name not in {"preferences"}:
            assert client.get(at(name, interface)).status_code == 405


# --- Disconnecting -----


def test_disconnecting_says_what_became_of_it(
    interface: AccountingInterface, browser: Client, server: LedgerServer
) -> None:
    page = text(browser.post(at("disconnect", interface), follow=True))
    assert "is disconnected and its sign-in erased here. Ledger has been told." in page
    assert "Reconnect to Ledger" in page
    assert reload(interface).state == State.DISCONNECTED
    assert actions_of(interface.practice) == ["interface.disconnected"]
    # Reconnecting goes back to the same company file, and to no other.
    server.files = FILES[1:]
    assert "belongs to Harbour Ltd" in sign_in(browser, interface, server).content.decode()
    server.files = FILES
    assert sign_in(browser, interface, server)["Location"] == at("detail", interface)
    assert reload(interface).state == State.CONNECTED


# --- Linking invoice settings -----


def test_invoice_settings_are_linked_and_moved_only_when_asked(
    interface: AccountingInterface, unconnected: AccountingInterface, browser: Client
) -> None:
    address = reverse(
        "invoicing:link_settings",
        kwargs={"practice_slug": interface.practice.slug, "interface_id": interface.pk},
    )
    with acting_for(interface.practice_id):
        free, taken = make_setting(name="Free"), make_setting(unconnected, name="Taken")
    page = text(browser.post(address, {"setting": [free.pk, taken.pk]}))
    assert "Taken is linked to New." in page
    sent = {"setting": [free.pk, taken.pk, "9" * 40, "x"], "move": [taken.pk, "9" * 40]}
    assert "Invoice settings are saved." in text(browser.post(address, sent, follow=True))
    with acting_for(interface.practice_id):
        assert InvoiceSetting.objects.filter(interface=interface).count() == 2


def test_another_practices_admin_finds_none_of_it(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    other, client = make_practice("Ridge"), Client()
    client.force_login(make_member(other))
    for name in ("detail", "codes", "preferences"):
        assert client.get(at(name, interface)).status_code == 404
    assert "Ledger Auckland" not in text(client.get(at("list", other)))


def test_a_company_file_of_many_codes_is_still_one_page(
    interface: AccountingInterface, browser: Client, server: LedgerServer
) -> None:
    server.codes = replace(
        CODES,
        accounts=tuple(
            replace(CODES.accounts[0], code=f"{number:04}", name=f"Account {number}")
            for number in range(400)
        ),
    )
    browser.post(at("refresh", interface))
    page = text(browser.get(at("codes", interface)))
    assert page.count('name="account"') == 403
