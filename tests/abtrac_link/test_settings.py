"""What the settings make of an environment, good and bad."""

import os
import runpy
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from connectors import registry
from tests.commands import ROOT, manage

KEY = urlsafe_b64encode(b"thirty-two-bytes-for-these-tests").decode()
SERVER = {
    "DATABASE_URL": "postgres://link:s%2Fcret@db.example:5433/abtrac",
    "REDIS_URL": "redis://:secret@redis.example:6379/2",
    "SECRET_KEY": "$ecret-and-long-enough-for-anybody-to-be-content-with-it",
    "CREDENTIAL_KEYS": KEY,
    "SITE_URL": "https://link.example.co.nz",
}

Settings = Callable[..., dict[str, Any]]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Reads the settings under exactly the environment given."""

    def loaded(**environment: str) -> dict[str, Any]:
        for name in os.environ:
            if name != "PATH":
                monkeypatch.delenv(name)
        monkeypatch.setenv("VAR_DIR", str(tmp_path / "var"))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "abtrac_link" / "settings.py"))

    return loaded


def run(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a management command under exactly the environment given."""
    return manage({"PATH": os.environ["PATH"], **environment}, *command)


def test_with_nothing_set_the_product_is_embedded(load: Settings, tmp_path: Path) -> None:
    settings = load()
    assert settings["EMBEDDED"]
    assert settings["DATABASES"]["default"]["NAME"] == tmp_path / "var" / "abtrac-link.sqlite3"
    assert settings["CELERY_BROKER_URL"] == "memory://localhost"
    assert not settings["DEBUG"]
    assert not settings["REQUIRE_TOTP"]
    assert not settings["SESSION_COOKIE_SECURE"]


def test_embedded_secrets_are_made_once_and_kept_to_the_owner(
    load: Settings, tmp_path: Path
) -> None:
    first, second = load(), load()
    assert first["SECRET_KEY"] == second["SECRET_KEY"]
    assert first["CREDENTIAL_KEYS"] == second["CREDENTIAL_KEYS"]
    assert {one.stat().st_mode & 0o777 for one in (tmp_path / "var").iterdir()} == {0o600}


def test_both_addresses_make_the_server_shape(load: Settings) -> None:
    settings = load(**SERVER)
    database = settings["DATABASES"]["default"]
    assert not settings["EMBEDDED"]
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["USER"], database["PASSWORD"]) == ("link", "s/cret")
    assert (database["HOST"], database["PORT"]) == ("db.example", 5433)
    assert settings["CELERY_BROKER_URL"] == SERVER["REDIS_URL"]
    assert settings["SECRET_KEY"] == SERVER["SECRET_KEY"]
    assert settings["REQUIRE_TOTP"]


def test_the_server_shape_makes_no_folder(load: Settings, tmp_path: Path) -> None:
    load(**SERVER)
    assert not (tmp_path / "var").exists()


def test_a_https_site_is_told_only_over_https(load: Settings) -> None:
    settings = load(**SERVER)
    assert settings["SESSION_COOKIE_SECURE"]
    assert settings["CSRF_COOKIE_SECURE"]
    assert settings["SECURE_HSTS_SECONDS"] >= 31536000
    assert settings["SECURE_SSL_REDIRECT"]
    assert settings["CSRF_TRUSTED_ORIGINS"] == ["https://link.example.co.nz"]
    assert settings["ALLOWED_HOSTS"] == ["link.example.co.nz", "localhost", "127.0.0.1"]


def test_a_http_site_promises_no_https(load: Settings) -> None:
    settings = load(**SERVER | {"SITE_URL": "http://link.internal"})
    assert settings["SECURE_HSTS_SECONDS"] == 0
    assert not settings["SECURE_SSL_REDIRECT"]
    assert settings["SECURE_PROXY_SSL_HEADER"] is None


def test_the_machine_may_always_ask_for_its_own_health(load: Settings) -> None:
    settings = load(ALLOWED_HOSTS="one.example, two.example")
    assert settings["ALLOWED_HOSTS"] == ["one.example", "two.example", "localhost", "127.0.0.1"]


def test_an_empty_variable_counts_as_not_set(load: Settings) -> None:
    settings = load(DATABASE_URL="", REDIS_URL=" ", SITE_URL="", UPLOAD_LEASE_SECONDS="")
    assert settings["EMBEDDED"]
    assert settings["SITE_URL"] == "http://localhost:8000"
    assert settings["UPLOAD_LEASE_SECONDS"] == 60


def test_numbers_and_times_are_read(load: Settings) -> None:
    settings = load(
        UPLOAD_LEASE_SECONDS="90",
        UPLOAD_RETRY_SECONDS="0.5, 2",
        UPLOAD_SETTLE_SECONDS="0",
        DEBUG="Yes",
    )
    assert settings["UPLOAD_LEASE_SECONDS"] == 90
    assert settings["UPLOAD_RETRY_SECONDS"] == [0.5, 2]
    assert settings["UPLOAD_SETTLE_SECONDS"] == 0
    assert settings["DEBUG"] is True


@pytest.mark.parametrize("name", ["SECRET_KEY", "CREDENTIAL_KEYS"])
def test_a_server_without_a_secret_names_it(load: Settings, name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^{name} is not set"):
        load(**{other: value for other, value in SERVER.items() if other != name})


@pytest.mark.parametrize(
    ("given", "missing"), [("DATABASE_URL", "REDIS_URL"), ("REDIS_URL", "DATABASE_URL")]
)
def test_half_a_server_names_the_other_half(load: Settings, given: str, missing: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^{missing} is not set"):
        load(**{given: SERVER[given]})


WRONG = [
    ("DATABASE_URL", "db.example"),
    ("DATABASE_URL", "mysql://u:hush@db.example/abtrac"),
    ("DATABASE_URL", "sqlite:///hush.sqlite3"),
    ("DATABASE_URL", "postgres://u:hush@db.example"),
    ("DATABASE_URL", "postgres://u:hush@db.example:port/abtrac"),
    ("REDIS_URL", "redis.example:6379"),
    ("REDIS_URL", "http://:hush@redis.example"),
    ("REDIS_URL", "redis://:hush@redis.example:port"),
    ("REDIS_URL", "redis://:hush@redis.example/first"),
    ("CREDENTIAL_KEYS", "hush"),
    ("CREDENTIAL_KEYS", f"{KEY},hush"),
    ("CREDENTIAL_KEYS", ","),
    ("SITE_URL", "link.example.co.nz"),
    ("SITE_URL", "ftp://link.example.co.nz"),
    ("SITE_URL", "https://"),
    ("SITE_URL", "https://link.example.co.nz/abtrac"),
    ("SITE_URL", "https://u:hush@link.example.co.nz"),
    ("SITE_URL", "https://link.example.co.nz:port"),
    ("DEBUG", "perhaps"),
    ("REQUIRE_TOTP", "2"),
    ("UPLOAD_LEASE_SECONDS", "soon"),
    ("UPLOAD_LEASE_SECONDS", "0"),
    ("UPLOAD_TURN_SECONDS", "1.5"),
    ("UPLOAD_GIVE_UP_SECONDS", "-1"),
    ("UPLOAD_LOOKUP_SECONDS", "10,later"),
    ("UPLOAD_RETRY_SECONDS", "1 hour"),
    ("UPLOAD_SETTLE_SECONDS", "inf"),
    ("BREAKER_FAILURES", "1e3"),
    ("BREAKER_OPEN_SECONDS", "٣"),
    ("DATABASE_APP_ROLE", "link'; DROP TABLE offices_practice; --"),
    ("LOGIN_FAILED_LIMIT", "ten"),
    ("LOG_LEVEL", "CHATTY"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_refused_by_name_and_not_repeated(
    load: Settings, name: str, value: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^{name}") as refused:
        load(**SERVER | {name: value})
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("{endpoint}_URL", "api.example"),
        ("{endpoint}_URL", "http://api.example"),
        ("{endpoint}_URL", "https://api.example:port"),
        ("READ_TIMEOUT", "0"),
        ("READ_TIMEOUT", "long"),
    ],
)
@pytest.mark.parametrize("key", registry.packages())
def test_a_wrong_setting_of_a_package_is_refused_by_name(
    load: Settings, key: str, variable: str, value: str
) -> None:
    endpoint = next(iter(registry.packages()[key].endpoints), "")
    if "endpoint" in variable and not endpoint:
        return
    name = f"{key}_{variable.format(endpoint=endpoint)}".upper()
    with pytest.raises(ImproperlyConfigured, match=f"^{name}"):
        load(**{name: value})


@pytest.mark.parametrize("key", registry.packages())
def test_a_package_may_be_rehearsed_on_this_machine(load: Settings, key: str) -> None:
    for endpoint in registry.packages()[key].endpoints:
        settings = load(**{f"{key}_{endpoint}_URL".upper(): "http://127.0.0.1:8100/"})
        assert settings["PACKAGE_APPS"][key]["endpoints"][endpoint] == "http://127.0.0.1:8100"


@pytest.mark.parametrize(
    ("shape", "given", "url"),
    [
        ({}, {}, "http://localhost:4710"),
        ({}, {"REHEARSAL_URL": "off"}, ""),
        ({}, {"REHEARSAL_URL": "http://127.0.0.1:9/"}, "http://127.0.0.1:9"),
        (SERVER, {}, ""),
        (SERVER, {"REHEARSAL_URL": "https://rehearse.example"}, "https://rehearse.example"),
    ],
)
def test_rehearsals_are_where_the_settings_say(
    load: Settings, shape: dict[str, str], given: dict[str, str], url: str
) -> None:
    settings = load(**shape | given)
    assert settings["REHEARSAL_URL"] == url
    allowed = settings["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]["form-action"]
    assert (url in allowed) is bool(url)
    assert "" not in allowed
    inside = load(**shape | given, REHEARSAL_INTERNAL_URL="http://rehearsals:4710")
    assert inside["REHEARSAL_INTERNAL_URL"] == "http://rehearsals:4710"


@pytest.mark.parametrize(
    "address", ["http://rehearse.example", "rehearse.example", "https://rehearse.example/path"]
)
def test_rehearsals_where_they_cannot_be_are_refused_by_name(load: Settings, address: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^REHEARSAL_URL"):
        load(REHEARSAL_URL=address)


def test_the_folder_is_made_although_the_secrets_are_given(load: Settings, tmp_path: Path) -> None:
    load(SECRET_KEY="x" * 50, CREDENTIAL_KEYS=KEY)
    assert (tmp_path / "var").is_dir()


def test_a_folder_that_cannot_be_used_names_the_variable(load: Settings, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("in the way")
    with pytest.raises(ImproperlyConfigured, match="VAR_DIR"):
        load()


@pytest.mark.parametrize("spoilt", [b"", b"\xff\xfe"])
def test_a_spoilt_secret_is_named_and_left_alone(
    load: Settings, tmp_path: Path, spoilt: bytes
) -> None:
    kept = tmp_path / "var" / "secret-key"
    kept.parent.mkdir()
    kept.write_bytes(spoilt)
    with pytest.raises(ImproperlyConfigured, match="secret-key"):
        load()
    assert kept.read_bytes() == spoilt


def test_a_command_tells_a_wrong_setting_in_one_line() -> None:
    done = run("migrate", **SERVER | {"DATABASE_URL": "mysql://u:hush@db.example/abtrac"})
    assert done.returncode == 1
    assert done.stderr.startswith("Settings: DATABASE_URL must be")
    assert done.stderr.count("\n") == 1
    assert "hush" not in done.stderr + done.stdout


def test_a_command_tells_an_absent_database_in_one_line() -> None:
    absent = "postgres://u:hush@127.0.0.1:1/abtrac"
    done = run("migrate", **SERVER | {"DATABASE_URL": absent})
    assert done.returncode == 1
    assert done.stderr.startswith("The database cannot be used: ")
    assert done.stderr.count("\n") == 1
    assert "hush" not in done.stderr + done.stdout


def test_the_server_shape_passes_the_deployment_check() -> None:
    done = run("check", "--deploy", "--fail-level", "WARNING", **SERVER)
    assert done.returncode == 0, done.stderr
