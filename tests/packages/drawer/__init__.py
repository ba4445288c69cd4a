"""Drawer: an invented package without an API, set up by Abtrac's support, fed by a file."""

from connectors.base.protocol import Limits, Link, Package, Setting, SetUpBy
from tests.packages.drawer.connector import LABEL, NUMBER_LENGTH, Drawer

PACKAGE = Package(
    key="drawer",
    label=LABEL,
    connector=Drawer,
    link=Link.FILE,
    set_up_by=SetUpBy.SUPPORT,
    summary="Invoices and credit notes go into a file, which you import into Drawer.",
    settings=(
        Setting(
            key="detail",
            label="Lines",
            kind="choice",
            default="lines",
            choices=(("lines", "All lines"), ("single", "One line per account and tax code")),
            required=True,
        ),
        Setting(
            key="match_contacts_by",
            label="Match clients by",
            kind="choice",
            default="number",
            choices=(("number", "Client ID = card number"), ("name", "Client name = card name")),
            help="The card must be in Drawer before the file is imported.",
            required=True,
        ),
    ),
    limits=Limits(number_length=NUMBER_LENGTH),
    questions=(
        Setting(key="edition", label="Edition of Drawer", required=True),
        Setting(key="server", label="Computer that Drawer runs on"),
    ),
    hand_over=(
        "Save the file to the folder Import on the computer that Drawer runs on.",
        "In Drawer choose File, then Import, then Sales, and pick the file.",
        "Compare the total Drawer shows with the total shown here before you press OK.",
    ),
)
