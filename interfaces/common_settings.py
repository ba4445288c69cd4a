"""Preferences that an interface to any package has, where the package can do what they are about.

Each is declared here, once; what a package alone can be told is in its own `Package.settings`.
"""

from connectors.base.protocol import AttachesPdf, Package, PostsInvoices, Setting
from interfaces import references

REFERENCE = "reference"
ATTACH_PDF = "attach_pdf"
UPLOAD_ON_COMMIT = "upload_on_commit"
MAIL_SUMMARY = "mail_summary"

# Each with the abilities any of which makes it mean something; none: it always does.
_SETTINGS: tuple[tuple[Setting, tuple[type, ...]], ...] = (
    (
        Setting(
            key=REFERENCE,
            label="Reference or memo",
            group="Documents",
            default=references.DEFAULT,
            help="What the client recognises the document by. Fields in braces are filled in:"
            f" {references.listed()}. What stands between two commas is left out where its fields"
            " are empty.",
        ),
        (),
    ),
    (
        Setting(
            key=ATTACH_PDF,
            label="Attach the PDF",
            group="Documents",
            kind="boolean",
            default=True,
            help="The PDF your client gets hangs on the document there, where Abtrac gives us one.",
        ),
        (AttachesPdf,),
    ),
    (
        Setting(
            key=UPLOAD_ON_COMMIT,
            label="Upload on commit",
            group="Uploads",
            kind="boolean",
            default=False,
            help="An invoice goes to the accounts as soon as it is committed in Abtrac, if nothing"
            " is wrong with it. Otherwise it stays on the list of invoices to upload.",
        ),
        (PostsInvoices,),
    ),
    (
        Setting(
            key=MAIL_SUMMARY,
            label="Mail the summary of a batch",
            group="Uploads",
            kind="boolean",
            default=True,
            help="Whoever clicked Upload to accounts gets one mail when the batch is finished.",
        ),
        (PostsInvoices,),
    ),
)


def common_settings(package: Package) -> tuple[Setting, ...]:
    """Those that mean something to interfaces of the package."""
    return tuple(
        setting
        for setting, abilities in _SETTINGS
        if not abilities or any(package.can(one) for one in abilities)
    )
