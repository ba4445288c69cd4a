"""What every test may ask for."""

import gc
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import pytest
import redis
from django.conf import settings as product
from django.core.cache import cache
from django.test import TransactionTestCase

from abtrac_link.celery import app as celery_app
from connectors import registry
from offices.models import Practice
from offices.tenancy import acting_for
from tests.as_migrated import AsMigrated
from tests.factories import make_practice
from tests.made_once import copy_test_database
from tests.packages import PLACE, invented

# On a busy machine an example may be slow; and nothing is left behind in the tree.
hypothesis.settings.register_profile("house", deadline=None, database=None)
hypothesis.settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Make both shapes fit for tests, before anything has been read from the settings."""
    # As it lies in the tree: nothing is collected, hashed or compressed first.
    product.STATIC_ROOT = None
    product.WHITENOISE_USE_FINDERS = True
    product.STORAGES["staticfiles"]["BACKEND"] = (
        "django.contrib.staticfiles.storage.StaticFilesStorage"
    )
    if not product.EMBEDDED:
        _use_redis(_redis_of_this_process(config))
    copy_test_database()


def _redis_of_this_process(config: pytest.Config) -> str:
    """A Redis database for each of several processes: their interfaces have the same ids."""
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    address = urlsplit(product.REDIS_URL)
    number = int(address.path.strip("/") or 0) + int(worker.removeprefix("gw") or -1) + 1
    return address._replace(path=f"/{number}").geturl()


def _use_redis(url: str) -> None:
    product.REDIS_URL = product.CELERY_BROKER_URL = url
    product.CACHES["default"]["LOCATION"] = url
    celery_app.conf.update(broker_url=url)
    os.environ["REDIS_URL"] = url  # for the workers that tests start


@pytest.fixture(scope="session", autouse=True)
def redis_of_our_own() -> Iterator[None]:
    """The tests empty the Redis database again and again, so it must be theirs."""
    if product.EMBEDDED:
        yield
        return
    with redis.Redis.from_url(product.REDIS_URL) as server:
        if server.dbsize():
            pytest.exit(
                "The Redis database of REDIS_URL is in use; the tests would empty it. Give them"
                " another, or empty it with: redis-cli -n NUMBER flushdb",
                returncode=2,
            )
        yield
        server.flushdb()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Django's, and after a test that commits only what it has left is taken away."""
    with django_db_blocker.unblock():
        database = AsMigrated()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TransactionTestCase, "_fixture_teardown", lambda _: database.again())
        yield


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """No test finds what another left in the cache, the buckets of calls or the broker."""
    cache.clear()  # with Redis, all three
    if product.EMBEDDED:
        celery_app.control.purge()


@pytest.fixture(autouse=True)
def easy_log_in(settings: Any) -> None:
    """One-time codes are asked for only where a test turns them on, and passwords cost no time."""
    settings.REQUIRE_TOTP = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def nothing_collected() -> Iterator[None]:
    """What Python would tidy up in the depth of a text nested without end finds no room there."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def practice(db: None) -> Practice:
    """A practice nobody acts for yet."""
    return make_practice()


@pytest.fixture
def acting(practice: Practice) -> Iterator[Practice]:
    """The practice, acted for during the whole test."""
    with acting_for(practice.pk):
        yield practice


@pytest.fixture
def invented_packages(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    """Drawer, Keeper and Plain beside the packages of the product, at what they declare."""
    with monkeypatch.context() as known:
        known.setattr(registry, "PLACES", [*registry.PLACES, PLACE])
        registry.packages.cache_clear()
        apps = {
            key: {
                "client_id": "",
                "client_secret": "",
                "scopes": "",
                "endpoints": dict(one.endpoints),
                "read_timeout": one.limits.read_timeout,
            }
            for key, one in invented().items()
        }
        settings.PACKAGE_APPS = {**settings.PACKAGE_APPS, **apps}
        yield
    registry.packages.cache_clear()
