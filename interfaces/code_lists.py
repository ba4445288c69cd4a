"""A package's own list of accounts or tax codes, as a file: read whole, or refused whole.

People export such lists from packages that cannot be asked. Separator and encoding are found out
and said; every fault is named with its line and column, all at once.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from connectors.base.documents import Account, Tax
from interfaces.models import AccountCode, TaxCode
from interfaces.suggestions import fold

MOST_BYTES = 1024 * 1024
MOST_ROWS = 5000
MOST_FAULTS = 20
LONGEST = {"code": 50, "name": 200, "type": 50}
# Titles and dates may stand above the header.
HEADER_WITHIN = 10
SEPARATORS = {",": "comma-separated", ";": "semicolon-separated", "\t": "tab-separated"}
ENCODINGS = (
    (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8"),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
)


class Kind(StrEnum):
    """Which list it is."""

    ACCOUNTS = "accounts"
    TAXES = "taxes"


# What each column may be called, folded, most certain first; the first that is there counts.
CODE = ("code", "accountcode", "accountnumber", "accountno", "glcode", "number", "no", "account")
TAX_CODE = ("code", "taxcode", "taxratecode", "taxtype", "gstcode", "number", "tax")
NAMES: Mapping[Kind, Mapping[str, Sequence[str]]] = {
    Kind.ACCOUNTS: {
        "code": CODE,
        "name": ("name", "accountname", "description", "accountdescription", "account"),
        "type": ("type", "accounttype", "kind", "class", "category"),
        "active": ("active", "isactive", "status"),
        "inactive": ("inactive", "inactiveaccount", "archived", "isinactive", "hidden"),
    },
    Kind.TAXES: {
        "code": TAX_CODE,
        "name": ("name", "taxname", "taxratename", "description", "tax"),
        "rate": ("rate", "taxrate", "percentage", "percent", "ratepercent", "gstrate"),
        "active": ("active", "isactive", "status"),
        "inactive": ("inactive", "archived", "isinactive", "hidden"),
    },
}
NEEDED = {Kind.ACCOUNTS: ("code", "name"), Kind.TAXES: ("code", "name", "rate")}
YES = {"yes", "y", "true", "t", "1", "x", "active", "inuse", "current"}
NO = {"no", "n", "false", "f", "0", "", "inactive", "archived", "notinuse", "closed"}


class ListRefused(Exception):
    """The file cannot be taken; `faults` are the sentences that say why, in its order."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = list(faults)
        super().__init__(" ".join(self.faults))


@dataclass(frozen=True, kw_only=True)
class CodeList:
    """What the file lists, and how it was read."""

    kind: Kind
    listed: Sequence[Account | Tax]
    read_as: str


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What the list would change; `gone` are flagged, as invoices and rules still name them.

    `before` and `after` say of each changed code, by code, what it was and what it would be.
    """

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)


def decode(content: bytes) -> tuple[str, str]:
    """The text of the file and the name of its encoding. Raises ListRefused."""
    if len(content) > MOST_BYTES:
        raise ListRefused([f"The file is larger than {MOST_BYTES // 1024**2} MB."])
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")):
        raise ListRefused(["This is not a text file. Save the list as CSV first, and choose that."])
    marked = [(codec, name) for mark, codec, name in ENCODINGS if content.startswith(mark)]
    for codec, name in marked or [("utf-8", "UTF-8"), ("cp1252", "Windows-1252")]:
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, name
    raise ListRefused(["The file cannot be read as text. Save the list as CSV in UTF-8."])


def parse(text: str, *, kind: Kind, encoding: str) -> CodeList:
    """The list that the text holds. Raises ListRefused, with every fault there is."""
    # A spreadsheet's own hint, which is no line of the list; the lines keep their numbers.
    first, _, rest = text.partition("\n")
    if first.strip().lower() in {"sep=,", "sep=;", "sep="}:
        text = f"\n{rest}"
    tries = [_read(text, separator, kind) for separator in SEPARATORS]
    separator, rows, place, columns, fault = max(tries, key=lambda one: len(one[3]))
    if fault:
        raise ListRefused([fault])
    missing = [one for one in NEEDED[kind] if one not in columns]
    if missing:
        raise ListRefused([_no_header(kind, missing, bool(columns))])
    listed, faults = _listed(rows[place + 1 :], columns, kind)
    if not listed and not faults:
        faults = ["The list is empty: there is nothing below its header."]
    if faults:
        more = len(faults) - MOST_FAULTS
        raise ListRefused([*faults[:MOST_FAULTS], *([f"And {more} more."] if more > 0 else [])])
    return CodeList(kind=kind, listed=listed, read_as=f"{SEPARATORS[separator]}, {encoding}")


def compare(found: CodeList, known: Iterable[AccountCode] | Iterable[TaxCode]) -> Changes:
    """What taking the list would change of the codes that are known."""
    before = {one.code: one for one in known}
    listed = {one.code: one for one in found.listed}
    changed = [
        code for code, one in listed.items() if code in before and _differs(one, before[code])
    ]
    return Changes(
        new=[_told(one) for code, one in listed.items() if code not in before],
        changed=[_told(listed[code]) for code in changed],
        gone=[
            str(one)
            for code, one in before.items()
            if code not in listed and one.vanished_at is None
        ],
        before={code: _in_full(before[code]) for code in changed},
        after={code: _in_full(listed[code]) for code in changed},
    )


Row = tuple[int, list[str]]
Columns = dict[str, int]


def _read(text: str, separator: str, kind: Kind) -> tuple[str, list[Row], int, Columns, str]:
    """As that separator divides it: its rows, where its header is, and what cannot be read."""
    rows, fault = _rows(text, separator)
    return separator, rows, *_header(rows, kind), fault


def _rows(text: str, separator: str) -> tuple[list[Row], str]:
    """Each row that says anything, with the line it ends on, and why there are no more."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[Row] = []
    try:
        for row in reader:
            cells = [one.strip() for one in row]
            if any(cells):
                rows.append((reader.line_num, cells))
            if len(rows) > MOST_ROWS + HEADER_WITHIN:
                return rows, f"The list has more than {MOST_ROWS} rows."
    except csv.Error:
        where = rows[-1][0] + 1 if rows else 1
        return rows, f"Line {where} cannot be read: its quotation marks do not pair."
    return rows, ""


def _header(rows: list[Row], kind: Kind) -> tuple[int, Columns]:
    """Where the header is, and where its columns are; the one that says most of the first few."""
    best: tuple[int, Columns] = (0, {})
    for place, (_, cells) in enumerate(rows[:HEADER_WITHIN]):
        columns = _columns(cells, kind)
        if len(columns) > len(best[1]):
            best = (place, columns)
    return best


def _columns(cells: list[str], kind: Kind) -> Columns:
    called = [fold(one) if one != "%" else "percent" for one in cells]
    columns: Columns = {}
    for column, names in NAMES[kind].items():
        for name in names:
            place = called.index(name) if name and name in called else -1
            if place >= 0 and place not in columns.values():
                columns[column] = place
                break
    return columns


def _no_header(kind: Kind, missing: list[str], some: bool) -> str:
    named = " and ".join(f"“{one}”" for one in missing)
    if some:
        return f"No column is called {named}. The first line has to name the columns."
    needed = ", ".join(f"“{one}”" for one in NEEDED[kind])
    return f"No header was found: the first line has to name the columns {needed}."


def _listed(
    rows: list[Row], columns: Mapping[str, int], kind: Kind
) -> tuple[list[Account | Tax], list[str]]:
    listed: list[Account | Tax] = []
    faults: list[str] = []
    lines: dict[str, int] = {}
    width = max(columns.values()) + 1
    if len(rows) > MOST_ROWS:
        return [], [f"The list has more than {MOST_ROWS} rows."]
    for line, cells in rows:
        padded = [*cells, *[""] * (width - len(cells))]
        said = {column: padded[place] for column, place in columns.items()}
        wrong = _wrong(said)
        code = said["code"]
        if code and code in lines:
            wrong.append(("code", f"{code} stands on line {lines[code]} already"))
        lines.setdefault(code, line)
        rate = _rate(said.get("rate", ""), wrong) if kind is Kind.TAXES else None
        active = _active(said, wrong)
        faults += [f"Line {line}, column “{column}”: {what}." for column, what in wrong]
        if wrong:
            continue
        if rate is None:
            kept = said.get("type", "")
            listed.append(Account(code=code, name=said["name"], kind=kept, active=active))
        else:
            listed.append(Tax(code=code, name=said["name"], rate=rate, active=active))
    return listed, faults


def _wrong(said: Mapping[str, str]) -> list[tuple[str, str]]:
    wrong = [(column, "is empty") for column in ("code", "name") if not said[column]]
    for column, most in LONGEST.items():
        length = len(said.get(column, ""))
        if length > most:
            wrong.append((column, f"has {length} characters, and at most {most} are taken"))
    if not said["code"].isprintable():
        wrong.append(("code", "has characters that cannot be shown"))
    return wrong


def _rate(text: str, wrong: list[tuple[str, str]]) -> Decimal:
    """The rate as a percentage; a comma may stand for the point."""
    plain = text.removesuffix("%").strip().replace(",", ".")
    try:
        rate = Decimal(plain)
    except InvalidOperation:
        wrong.append(("rate", f"“{text[:30]}” is not a rate" if text else "is empty"))
        return Decimal(0)
    if not rate.is_finite() or not 0 <= rate <= 100:
        wrong.append(("rate", f"“{text[:30]}” is not between 0 and 100 %"))
    elif 0 < rate < 1 and not text.endswith("%"):
        # 0.15 may be meant as 15 %: that is not for us to guess.
        wrong.append(("rate", f"“{text[:30]}” is not a percentage: write 15 for 15 %"))
    elif rate != round(rate, 4):
        wrong.append(("rate", f"“{text[:30]}” has more than four decimals"))
    return rate


def _active(said: Mapping[str, str], wrong: list[tuple[str, str]]) -> bool:
    """Whether the code is in use; where the list does not say, it is."""
    answer = True
    for column, yes in (("active", True), ("inactive", False)):
        word = fold(said.get(column, ""))
        if column not in said or not word:
            continue
        if word not in YES and word not in NO:
            wrong.append((column, f"“{said[column][:30]}” is neither yes nor no"))
        # "Archived" under a column that is called so means yes.
        agreed = word in YES or (column == "inactive" and word in {"inactive", "archived"})
        answer = answer and (agreed if yes else not agreed)
    return answer


def _told(one: Account | Tax) -> str:
    return f"{one.code} {one.name}"


def _in_full(one: Account | Tax | AccountCode | TaxCode) -> str:
    """All that a list says of a code: its name, its type or rate, and whether it is in use."""
    kind = f"{one.rate.normalize():f} %" if isinstance(one, Tax | TaxCode) else one.kind
    standing = "in use" if one.active else "archived"
    if isinstance(one, AccountCode | TaxCode) and one.vanished_at is not None:
        standing = "no longer in the list"
    return ", ".join(filter(None, (one.name, kind, standing)))


def _differs(one: Account | Tax, known: AccountCode | TaxCode) -> bool:
    if (one.name, one.active) != (known.name, known.active) or known.vanished_at:
        return True
    if isinstance(one, Tax):
        return isinstance(known, TaxCode) and one.rate != known.rate
    return isinstance(known, AccountCode) and one.kind != known.kind
