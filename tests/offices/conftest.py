"""People of a practice, logged in, and the rate limits of log-in counted for one test alone."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client
from django.utils import timezone

from offices.models import Practice, Role, User
from offices.people import grant_support
from tests.factories import PASSWORD, make_member, make_user

LOG_IN = "/accounts/login/"


@pytest.fixture(autouse=True)
def own_cache(settings: Any) -> None:
    """Nobody else's tries are counted, nor are these by anybody else."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": uuid4().hex}}


@pytest.fixture
def admin(practice: Practice) -> User:
    """An admin of the practice."""
    return make_member(practice, Role.ADMIN)


@pytest.fixture
def support(practice: Practice) -> User:
    """A person of Abtrac's support, not let in anywhere."""
    return make_user("sam@abtrac.example", is_support=True)


@pytest.fixture
def logged_in() -> Callable[[User], Client]:
    """A browser in which that person is logged in."""

    def log_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return log_in


def let_in(practice: Practice, support: User, admin: User, *, hours: float = 24) -> Any:
    """Grant the support person access from now on."""
    return grant_support(
        practice=practice,
        user=support,
        granted_by=admin,
        reason="Set up Xero with Ana",
        ends_at=timezone.now() + timedelta(hours=hours),
    )


def type_password(client: Client, user: User, *, next_url: str = "") -> Any:
    """Log in as a person does."""
    return client.post(LOG_IN, {"login": user.email, "password": PASSWORD, "next": next_url})


def token_in(page: Any) -> str:
    """What makes the form on that page act once only."""
    body = page if isinstance(page, str) else page.content.decode()
    found = re.search(r'name="once" value="([\w-]{20,})"', body)
    assert found
    return found[1]


def set_up_app(client: Client) -> str:
    """Set the authenticator app up as a person does; its secret."""
    page = client.get("/accounts/2fa/totp/activate/", follow=True)
    if page.request["PATH_INFO"] != "/accounts/2fa/totp/activate/":
        page = client.post(page.request["PATH_INFO"], {"password": PASSWORD})
        page = client.get("/accounts/2fa/totp/activate/")
    found = re.search(r'<code class="secret[^>]*>([A-Z2-7]+)</code>', page.content.decode())
    assert found
    done = give_code(client, "/accounts/2fa/totp/activate/", found[1])
    assert done.status_code == 302, done.content
    return found[1]


def give_code(client: Client, path: str, secret: str, **more: str) -> Any:
    """Send what the app shows, before it shows something else."""
    with time_machine.travel(timezone.now(), tick=False):
        return client.post(path, {"code": code_now(secret), **more})


def code_now(secret: str) -> str:
    """What the app shows at present."""
    counter = int(timezone.now().timestamp()) // 30
    return str(format_hotp_value(hotp_value(secret, counter)))
