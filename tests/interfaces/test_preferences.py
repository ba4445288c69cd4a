"""Preferences of an interface; those nobody may read back are kept sealed."""

import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command

from connectors import registry
from interfaces import registration, selectors
from interfaces.models import AccountingInterface, Lane
from interfaces.preferences import reseal_preferences, save_preferences, settings_for
from interfaces.sealing import Unreadable
from offices.models import Practice
from tests.interfaces.ledger import PACKAGE, LedgerServer

SECRET = "CANARY open sesame"


@pytest.fixture
def made(acting: Practice, server: LedgerServer) -> AccountingInterface:
    """A new interface, in the practice acted for."""
    return registration.create_interface(package_key="ledger", name="  Ledger Auckland ")


def test_a_new_interface_has_its_lane_and_the_packages_defaults(
    made: AccountingInterface, acting: Practice
) -> None:
    assert (made.name, made.practice_id) == ("Ledger Auckland", acting.pk)
    assert made.state == AccountingInterface.State.NOT_CONNECTED
    assert Lane.objects.get(interface=made).practice_id == acting.pk
    assert made.preferences == PACKAGE.default_settings()


def test_an_unknown_package_is_refused_by_name(acting: Practice, server: LedgerServer) -> None:
    with pytest.raises(KeyError, match="no accounting package 'abacus'"):
        registration.create_interface(package_key="abacus", name="Abacus")
    assert not AccountingInterface.objects.exists()


def test_what_was_not_set_is_as_the_package_has_it(made: AccountingInterface) -> None:
    made.preferences = {"status": "approved"}
    assert made.preference("status") == "approved"
    assert made.preference("port") == 8080
    assert made.preference("unknown") is None


def test_saving_some_leaves_the_others(made: AccountingInterface) -> None:
    save_preferences(made, {"status": "approved"})
    save_preferences(made, {"port": 9})
    assert settings_for(made) == {
        "status": "approved",
        "add_clients": True,
        "port": 9,
        "password": "",
    }


def test_a_secret_is_sealed_in_the_database_and_opened_for_the_connector_alone(
    made: AccountingInterface,
) -> None:
    save_preferences(made, {"password": SECRET})
    made.refresh_from_db()
    assert SECRET not in repr(made.preferences)
    assert settings_for(made)["password"] == SECRET
    assert ("Password", "Kept") in selectors.preferences_in_words(made)


def test_a_secret_left_empty_stays_as_it_was(made: AccountingInterface) -> None:
    save_preferences(made, {"password": SECRET})
    save_preferences(made, {"password": "", "status": "draft"})
    assert settings_for(made)["password"] == SECRET


def test_a_page_opened_a_while_ago_brings_no_older_secret_back(made: AccountingInterface) -> None:
    opened = AccountingInterface.objects.get(pk=made.pk)
    save_preferences(made, {"password": SECRET})
    save_preferences(opened, {"status": "approved"})
    made.refresh_from_db()
    assert settings_for(made)["password"] == SECRET
    assert made.preferences["status"] == "approved"


def test_a_secret_no_key_opens_asks_to_connect_again(
    made: AccountingInterface, settings: Any
) -> None:
    save_preferences(made, {"password": SECRET})
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(Unreadable, match="CREDENTIAL_KEYS"):
        settings_for(made)
    assert reseal_preferences(made) is False


def test_an_interface_without_secrets_has_nothing_to_seal_anew(made: AccountingInterface) -> None:
    assert reseal_preferences(made) is None


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("status", "approved", ("Delivery status", "Approved")),
        ("status", "odd", ("Delivery status", "odd")),
        ("add_clients", False, ("Add clients", "No")),
        ("port", 0, ("Port", "0")),
        ("port", None, ("Port", "Not set")),
        ("port", 8080, ("Port", "8080")),
    ],
)
def test_preferences_are_told_as_a_person_reads_them(
    made: AccountingInterface, key: str, value: Any, words: tuple[str, str]
) -> None:
    save_preferences(made, {key: value})
    told = selectors.preferences_in_words(made)
    assert words in told
    own = ["Delivery status", "Add clients", "Port", "Password"]
    assert [label for label, _ in told] == [*own, "Reference or memo"]
    assert ("Password", "Not set") in told


# --- The commands -----


def test_packages_are_listed_with_what_they_can(
    server: LedgerServer, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("packages")
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["key", "label", "link", "set", "up", "by", "can"]
    assert row.split(maxsplit=4) == [
        "ledger",
        "Ledger",
        "api",
        "admin",
        "company files, codes, disconnect",
    ]


def test_packages_are_listed_for_machines(
    server: LedgerServer, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("packages", "--json")
    assert json.loads(capsys.readouterr().out) == [
        {
            "key": "ledger",
            "label": "Ledger",
            "link": "api",
            "set_up_by": "admin",
            "capabilities": ["company files", "codes", "disconnect"],
        }
    ]


def test_packages_can_be_listed_when_there_are_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "packages", dict)
    call_command("packages")
    assert capsys.readouterr().out.startswith("key")
