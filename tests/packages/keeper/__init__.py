"""Keeper: an invented package that keeps the answer to every key, and lets numbers repeat."""

from datetime import timedelta

from connectors.base.protocol import Limits, Package, RateLimit, Scope, Setting
from tests.packages.keeper.connector import LABEL, Keeper
from tests.packages.keeper.rules import RULES, show
from tests.packages.words import NUMBER_LENGTH

PACKAGE = Package(
    key="keeper",
    label=LABEL,
    connector=Keeper,
    endpoints={"api": "https://api.keeper.example"},
    settings=(
        Setting(key="add_contacts", label="Add clients", kind="boolean", default=True),
        Setting(key="jobs", label="Jobs", kind="boolean", default=False),
    ),
    limits=Limits(
        per_call=20,
        concurrent=4,
        read_timeout=2.0,
        rates=(
            RateLimit(name="minute", scope=Scope.INTERFACE, calls=600, per=timedelta(minutes=1)),
        ),
        settle=timedelta(seconds=2),
        number_length=NUMBER_LENGTH,
        keys_kept=timedelta(hours=24),
    ),
    standin="tests.packages.keeper.standin:KeeperStandIn",
    rules=RULES,
    show=show,
)
