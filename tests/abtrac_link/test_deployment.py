"""The files that put the product on a server say what the product needs.

Nothing is built or started here: that takes a container engine.
"""

import os
import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ["web", "worker", "scheduler", "rehearsals", "migrate"]
SERVICES = [*PRODUCT, "postgres", "redis"]
GIVEN = re.compile(r"(?<!\$)\$\{(\w+)([^}]*)\}")
LINE = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file as a compose tool reads it."""
    loaded: dict[str, Any] = yaml.safe_load(read("docker-compose.yml"))
    return loaded


def settings_read() -> set[str]:
    """Every variable that the settings read, but those named after a package."""
    source = read("abtrac_link/settings.py")
    named = re.findall(r"(?:environment\.\w+|required_secret)\(\s*\"([A-Z_]+)\"", source)
    return set(named)


def test_the_compose_file_has_every_part_of_the_server_shape(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == set(SERVICES)
    assert set(compose) == {"name", "services", "volumes", "networks", "x-product", "x-ready"}


@pytest.mark.parametrize("service", SERVICES)
def test_no_container_runs_as_root_or_can_become_it(compose: dict[str, Any], service: str) -> None:
    part = compose["services"][service]
    assert part["user"].split(":")[0] not in {"", "0", "root"}
    assert part["cap_drop"] == ["ALL"]
    assert part["security_opt"] == ["no-new-privileges:true"]
    assert not part.get("privileged")


@pytest.mark.parametrize("service", [one for one in SERVICES if one != "migrate"])
def test_every_lasting_container_is_asked_for_its_health(
    compose: dict[str, Any], service: str
) -> None:
    part = compose["services"][service]
    asked = part["healthcheck"]
    assert asked["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries"} <= set(asked)
    assert part["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", ["web", "worker", "scheduler"])
def test_the_product_waits_for_its_services_and_its_migration(
    compose: dict[str, Any], service: str
) -> None:
    assert compose["services"][service]["depends_on"] == {
        "postgres": {"condition": "service_healthy"},
        "redis": {"condition": "service_healthy"},
        "migrate": {"condition": "service_completed_successfully"},
    }


def test_the_migration_runs_once(compose: dict[str, Any]) -> None:
    migrate = compose["services"]["migrate"]
    assert migrate["restart"] == "no"
    assert migrate["command"] == ["python", "manage.py", "migrate", "--noinput"]
    assert migrate["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_only_pages_are_reached_from_outside_and_only_from_this_machine(
    compose: dict[str, Any],
) -> None:
    published = {name: one["ports"] for name, one in compose["services"].items() if "ports" in one}
    assert published == {
        "web": ["127.0.0.1:8000:8000"],
        "rehearsals": ["127.0.0.1:4710:4710"],
    }
    # They hold nothing that the database is needed for, and cannot reach it.
    assert compose["services"]["rehearsals"]["networks"] == ["outside"]
    assert compose["services"]["rehearsals"]["profiles"] == ["rehearsals"]
    for service in ("postgres", "redis"):
        assert compose["services"][service]["networks"] == ["inside"]
    assert compose["networks"]["inside"]["internal"] is True


def test_every_volume_and_network_used_is_declared(compose: dict[str, Any]) -> None:
    for part in compose["services"].values():
        for volume in part.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (ROOT / source).is_file()
        assert set(part["networks"]) <= set(compose["networks"])


def test_passwords_have_no_default_and_are_documented() -> None:
    asked = GIVEN.findall(read("docker-compose.yml"))
    assert asked
    assert all(rest.startswith(":?") for _, rest in asked)
    documented = dict(LINE.findall(read("deploy/compose.example.env")))
    assert {name for name, _ in asked} == set(documented)
    assert not any(documented.values())


def test_the_superusers_password_never_reaches_the_product(compose: dict[str, Any]) -> None:
    for service in PRODUCT:
        assert "POSTGRES_PASSWORD" not in str(compose["services"][service])
        assert compose["services"][service]["env_file"] == "link.env"


def test_every_setting_is_documented() -> None:
    told = set(re.findall(r"`([A-Z_]+)`", read("docs/deploy.md")))
    assert settings_read() <= told


def test_the_example_of_the_settings_holds_no_secret_and_nothing_unknown() -> None:
    example = dict(LINE.findall(read("deploy/link.example.env")))
    assert [name for name, value in example.items() if value] == ["TRUSTED_PROXY_COUNT"]
    assert set(example) <= settings_read() | {"XERO_CLIENT_ID", "XERO_CLIENT_SECRET"}
    assert {"SECRET_KEY", "CREDENTIAL_KEYS", "SITE_URL"} <= set(example)


def test_on_one_computer_the_service_manager_starts_it_again_whatever_ended_it() -> None:
    unit = ConfigParser()
    unit.read_string(read("deploy/abtrac-link.service"))
    service = unit["Service"]
    tree = service["WorkingDirectory"]
    assert service["ExecStart"] == f"{tree}/.venv/bin/python manage.py serve"
    # As on a server: a file of secrets that never gets into the tree.
    assert service["EnvironmentFile"] == f"{tree}/link.env"
    assert service["KillMode"] == "mixed"
    assert service["Restart"] == "always"
    # Longer apart than the 5 starts in 10 s after which systemd gives up.
    assert int(service["RestartSec"]) * 5 > 10
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_secrets_are_kept_out_of_the_tree() -> None:
    ignored = read(".gitignore").splitlines()
    assert {".env", "link.env", "var/"} <= set(ignored)


def test_the_image_holds_every_package_and_only_what_runs() -> None:
    allowed = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    packages = {one.parent.name for one in ROOT.glob("*/__init__.py")} - {"tests"}
    assert allowed == packages | {"static", "templates", "manage.py", "requirements/runtime.txt"}


def test_the_image_is_installed_by_hash_and_runs_as_nobody_special() -> None:
    lines = [line for line in read("Dockerfile").splitlines() if not line.startswith("#")]
    final = lines[max(n for n, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "--require-hashes" in read("Dockerfile")
    users = [line for line in final if line.startswith("USER ")]
    assert users == ["USER 10001:10001"]
    assert final.index(users[-1]) < next(
        n for n, line in enumerate(final) if line.startswith("CMD ")
    )
    assert any(line.startswith("HEALTHCHECK ") for line in final)


def test_the_database_script_can_be_run() -> None:
    assert os.access(ROOT / "deploy" / "database.sh", os.X_OK)
