"""The invented packages are known where a test asks for them, and nowhere else."""

import subprocess
import sys

import pytest
from django.conf import settings as product

from connectors import registry
from interfaces.models import AccountingInterface
from tests.packages import invented


def test_the_product_never_sees_them() -> None:
    assert not invented().keys() & registry.packages().keys()
    assert not invented().keys() & product.PACKAGE_APPS.keys()
    assert not invented().keys() & dict(registry.choices()).keys()


@pytest.mark.usefixtures("invented_packages")
def test_a_test_that_asks_for_them_has_them_beside_the_others() -> None:
    assert set(registry.packages()) == {"xero", *invented()}
    assert set(product.PACKAGE_APPS) == {"xero", *invented()}
    field = AccountingInterface._meta.get_field("package_key")
    assert invented().keys() <= dict(field.flatchoices).keys()


def test_a_process_that_makes_them_known_is_set_up_with_them() -> None:
    asked = (
        "from tests.packages import make_known; make_known();"
        "from django.conf import settings; print(*sorted(settings.PACKAGE_APPS))"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.split() == sorted(["xero", *invented()])
