"""Plain: an invented package without keys or unique numbers, slow to show what it has."""

from datetime import timedelta

from connectors.base.protocol import Limits, Package, RateLimit, Scope, Setting
from tests.packages.plain.connector import LABEL, Plain
from tests.packages.words import NUMBER_LENGTH

PACKAGE = Package(
    key="plain",
    label=LABEL,
    connector=Plain,
    endpoints={"api": "https://api.plain.example"},
    settings=(Setting(key="add_contacts", label="Add clients", kind="boolean", default=True),),
    limits=Limits(
        per_call=1,
        concurrent=1,
        read_timeout=2.0,
        rates=(RateLimit(name="second", scope=Scope.PACKAGE, calls=100, per=timedelta(seconds=1)),),
        settle=timedelta(seconds=2),
        number_length=NUMBER_LENGTH,
        look_before_create=True,
        repeats=1,
    ),
    standin="tests.packages.plain.standin:PlainStandIn",
)
