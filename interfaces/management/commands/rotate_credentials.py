"""Puts every sealed secret under the newest key, while the product runs."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from interfaces import clock, consent
from interfaces.models import AccountingInterface, ConsentRequest, Credential
from interfaces.preferences import reseal_preferences
from interfaces.sealing import Unreadable, reseal
from offices.accounts import reseal_authenticator
from offices.models import Practice
from offices.tenancy import acting_for


class Command(BaseCommand):
    """`manage.py rotate_credentials`."""

    help = (
        "Re-encrypt all stored secrets under the first key of CREDENTIAL_KEYS. First put the new"
        " key in front of the old ones and restart every process; then run this; then the old"
        " keys can be removed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        resealed = unreadable = 0
        # One practice, one transaction: nobody waits long, and a stop half-way loses nothing.
        for practice_id in Practice.objects.order_by("pk").values_list("pk", flat=True):
            with acting_for(practice_id):
                for done in (*_credentials(), *_trips(), *_preferences()):
                    resealed += done
                    unreadable += not done
        for done in _authenticators():
            resealed += done
            unreadable += not done
        self.stdout.write(f"{resealed} sealed under the newest key.")
        if unreadable:
            raise CommandError(
                f"{unreadable} cannot be read with any key of CREDENTIAL_KEYS and were left as"
                " they are. Put the key they were sealed with back and run this again, or have"
                " those interfaces connected, and those one-time codes set up, again."
            )


def _credentials() -> list[bool]:
    rows = Credential.objects.select_for_update().exclude(sealed="")
    return [_reseal(row, "sealed") for row in rows]


def _trips() -> list[bool]:
    # Of trips nobody came back from nothing is needed any more, whatever it was sealed with.
    over = ConsentRequest.objects.filter(created_at__lt=clock.now() - consent.LIFE)
    over.exclude(sealed_verifier="").update(sealed_verifier="")
    rows = ConsentRequest.objects.select_for_update().exclude(sealed_verifier="")
    return [_reseal(row, "sealed_verifier") for row in rows]


def _preferences() -> list[bool]:
    rows = AccountingInterface.objects.select_for_update()
    return [done for row in rows if (done := reseal_preferences(row)) is not None]


@transaction.atomic
def _authenticators() -> list[bool]:
    return [reseal_authenticator(one) for one in Authenticator.objects.select_for_update()]


def _reseal(row: Credential | ConsentRequest, field: str) -> bool:
    try:
        setattr(row, field, reseal(getattr(row, field)))
    except Unreadable:
        return False
    row.save(update_fields=[field])
    return True
