"""An invented practice of architects in New Zealand, as Abtrac would send it over the API.

Everything follows from the day given, so two runs on one day are alike. Nobody here exists.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Row = dict[str, Any]

NAME = "Harbour Architects"
CENT = Decimal("0.01")
GST = Decimal("0.15")

# An account in use that the bookkeeper archives after we have read the codes.
ARCHIVED_LATER = "215"
# Somebody at the practice typed an invoice of this number into Xero for another client.
TAKEN_BY = "Karori Tennis Club"
TAKEN_TOTAL = Decimal("310.50")

CLIENTS = (
    ("Tūī Street Trust", "TUI", "Aroha", "Parata"),
    ("Harbour, Lane & Co", "HLC", "Graham", "Lane"),
    ("O'Connor & Daughters Ltd", "OCD", "Siobhan", "O'Connor"),
    ("Wellington Night Market Ltd", "WNM", "Priya", "Nair"),
    ('The "Old Store" Partnership', "OSP", "Hemi", "Walker"),
    ("Whānau Housing Trust", "WHT", "Mere", "Tamihana"),
    ("Pohutukawa Dental Ltd", "POH", "Stephen", "Chan"),
    ("K. and R. Mackenzie", "MAC", "Kirsty", "Mackenzie"),
    ("Northcote Bowling Club Inc", "NBC", "Allan", "Reid"),
    ("Grey Lynn Bakehouse Ltd", "GLB", "Tomas", "Novak"),
    ("St Brigid's School Board", "STB", "Ngaire", "Wood"),
    ("Waitematā Boat Builders Ltd", "WBB", "Craig", "Simms"),
    ("Island Bay Surgery", "IBS", "Farah", "Aziz"),
    ("Te Aro Apartments Body Corporate", "TAA", "Lucy", "Harper"),
    ("Kauri Timber Merchants Ltd", "KTM", "Bruce", "Faulkner"),
    ("Museum of Small Things", "MST", "Ines", "Duarte"),
    ("Devonport Ferry Kiosk Ltd", "DFK", "Wei", "Zhang"),
    ("Hutt Valley Gymnastics", "HVG", "Rachel", "Kemp"),
    ("Matai Developments Ltd", "MAT", "Jason", "Ellis"),
    ("Ponsonby Veterinary Clinic", "PVC", "Anika", "Sharma"),
    ("Ōwhiro Bay Café", "OBC", "Jack", "Rangi"),
    ("Cook Strait Cycles Ltd", "CSC", "Dean", "Mercer"),
    ("Mt Eden Early Learning", "MEL", "Sina", "Leota"),
    ("Rātā Law", "RAT", "Catherine", "Dow"),
    ("Lambton Quay Optometrists", "LQO", "David", "Yee"),
    ("Evans Bay Sea Scouts", "EBS", "Murray", "Scott"),
    ("Parnell Rise Properties Ltd", "PRP", "Helen", "Fraser"),
    ("Nikau Retirement Village", "NRV", "Joan", "Whitfield"),
    ("Titirangi Pottery Co-op", "TPC", "Maia", "Hughes"),
    ("Thorndon Chamber Choir", "TCC", "Peter", "Lindqvist"),
)
STREETS = ("Quay Street", "Cuba Street", "Ponsonby Road", "The Terrace", "Dominion Road")
WORKS = (
    ("House", "Residential"),
    ("Alterations", "Residential"),
    ("Fit-out", "Commercial"),
    ("Extension", "Community"),
)
STAGES = (
    ("Concept design", Decimal("185.00")),
    ("Developed design", Decimal("172.50")),
    ("Detailed design and consent drawings", Decimal("164.2500")),
    ("Observation on site", Decimal("195.00")),
)
COSTS = (
    ("Prints, A1 full set", "Printing", Decimal("42.375")),
    ("Council lodgement fee", "Council", Decimal("512.00")),
    ("Travel to site", "Travel", Decimal("0.9500")),
)


@dataclass(frozen=True, kw_only=True)
class Story:
    """The rows Abtrac sends, what of them is committed, and the three that will go wrong."""

    settings: list[Row]
    offices: list[Row]
    clients: list[Row]
    jobs: list[Row]
    invoices: list[Row]
    committed: list[str]
    approved: list[str]
    lock_date: date
    archived_number: str
    locked_number: str
    taken_number: str
    with_pdf: list[str]

    @property
    def expected(self) -> dict[str, Decimal]:
        """Number to total of every document that must arrive; credit notes are positive there."""
        going = set(self.committed)
        failing = {self.archived_number, self.locked_number, self.taken_number}
        return {
            one["number"]: abs(Decimal(one["total"]))
            for one in self.invoices
            if one["abtrac_id"] in going
            and Decimal(one["total"]) != 0
            and one["number"] not in failing
        }


def tell(today: date) -> Story:
    """The whole story, seen from that day."""
    clients = [_client(index) for index in range(len(CLIENTS))]
    jobs = [_job(index, clients) for index in range(40)]
    lock_date = today.replace(day=1) - timedelta(days=1)
    ordinary = [_ordinary(index, jobs, today, lock_date) for index in range(37)]
    archived = _failing(37, jobs, today, account=ARCHIVED_LATER)
    locked = _failing(38, jobs, lock_date)
    taken = _failing(39, jobs, today)
    notes = [_credit_note(40 + index, ordinary, today) for index in range(3)]
    write_offs = [_write_off(43 + index, jobs, today) for index in range(2)]
    drafts = [_failing(45 + index, jobs, today) for index in range(4)]
    committed = [*ordinary, archived, locked, taken, *notes, *write_offs]
    return Story(
        settings=_settings(),
        offices=_offices(),
        clients=clients,
        jobs=jobs,
        invoices=[*committed, *drafts],
        committed=[one["abtrac_id"] for one in committed],
        approved=[one["abtrac_id"] for one in [*committed, *drafts[:2]]],
        lock_date=lock_date,
        archived_number=archived["number"],
        locked_number=locked["number"],
        taken_number=taken["number"],
        with_pdf=[one["abtrac_id"] for one in ordinary[:3]],
    )


def _settings() -> list[Row]:
    return [
        {"abtrac_id": "S1", "name": "Auckland", "prefix": "AK-", "next_number": 2100},
        {"abtrac_id": "S2", "name": "Wellington", "prefix": "WN-", "next_number": 800},
    ]


def _offices() -> list[Row]:
    return [
        {
            "abtrac_id": "O1",
            "name": "Auckland",
            "invoice_setting": "S1",
            "phone": "09 555 0100",
            "email": "auckland@harbour.example",
            "street_address": "12 Quay Street\nAuckland 1010",
        },
        {
            "abtrac_id": "O2",
            "name": "Wellington",
            "invoice_setting": "S2",
            "phone": "04 555 0100",
            "email": "wellington@harbour.example",
            "street_address": "77 Cuba Street\nWellington 6011",
        },
    ]


def _client(index: int) -> Row:
    name, short, first, last = CLIENTS[index]
    city, code = (("Auckland", "1010"), ("Wellington", "6011"))[index % 2]
    return {
        "abtrac_id": f"C{101 + index}",
        "name": name,
        "abbreviation": short,
        "contact_first_name": first,
        "contact_last_name": last,
        "email": f"accounts@{short.lower()}.example",
        "phone": f"0{9 - 5 * (index % 2)} 555 {1000 + index * 37:04}",
        "postal_address": {
            "lines": [f"{3 + index * 7} {STREETS[index % len(STREETS)]}"],
            "city": city,
            "postal_code": code,
            "country": "New Zealand",
        },
    }


def _job(index: int, clients: Sequence[Row]) -> Row:
    client = clients[index % len(clients)]
    work, job_type = WORKS[index % len(WORKS)]
    return {
        "abtrac_id": f"J{index + 1}",
        "code": f"26{index + 1:03}",
        "description": f"{work} for {client['name']}"[:255],
        "client": client["abtrac_id"],
        "job_type": job_type,
        "department": ("Architecture", "Interiors")[index % 2],
        "client_reference": f"PO {4400 + index}" if index % 3 == 0 else "",
    }


def _ordinary(index: int, jobs: Sequence[Row], today: date, lock_date: date) -> Row:
    # Spread over what is open, and never into the locked past.
    open_days = max((today - lock_date).days - 1, 0)
    issued = today - timedelta(days=(index * 5) % (open_days + 1))
    inclusive = index % 9 == 4
    lines = [
        _time(index, line, inclusive=inclusive, tax_free=index % 8 == 5)
        for line in range(1 + index % 3)
    ]
    if index % 4 != 1:
        lines.append(_cost(index, inclusive=inclusive))
    more = {
        "order_number": jobs[index % len(jobs)]["client_reference"],
        "claim_number": str(1 + index % 5) if index % 6 == 0 else "",
        "tax_basis": "inclusive" if inclusive else "exclusive",
    }
    return _invoice(index, jobs[index % len(jobs)], issued, lines, **more)


def _failing(index: int, jobs: Sequence[Row], issued: date, account: str = "") -> Row:
    lines = [_time(index, 0, inclusive=False, tax_free=False)]
    if account:
        cost = _cost(index, inclusive=False)
        lines.append({**cost, "account_code": account})
    return _invoice(index, jobs[index % len(jobs)], issued, lines)


def _credit_note(index: int, originals: Sequence[Row], today: date) -> Row:
    """Half of the first line of an invoice back; the third credits work of long ago."""
    original = originals[3 * (index - 40)]
    price = Decimal(original["lines"][0]["unit_price"])
    line = _line(
        f"Credit for {original['lines'][0]['description'].lower()}, invoice {original['number']}",
        kind="time",
        quantity=Decimal("-1.5"),
        price=price,
        inclusive=False,
        tax_free=Decimal(original["lines"][0]["tax"]) == 0,
    )
    job = {"abtrac_id": original["job"], "client": original["client"]}
    credited = original["abtrac_id"] if index < 42 else ""
    return _invoice(index, job, today, [line], credits=credited)


def _write_off(index: int, jobs: Sequence[Row], today: date) -> Row:
    line = _time(index, 0, inclusive=False, tax_free=False)
    back = _line(
        "Written off",
        kind="time",
        quantity=-Decimal(line["quantity"]),
        price=Decimal(line["unit_price"]),
        inclusive=False,
        tax_free=False,
    )
    return _invoice(index, jobs[index % len(jobs)], today, [line, back])


def _time(index: int, line: int, *, inclusive: bool, tax_free: bool) -> Row:
    stage, rate = STAGES[(index + line) % len(STAGES)]
    return _line(
        stage,
        kind="time",
        quantity=Decimal(5 + (index * 7 + line * 3) % 40) / 4,
        price=rate,
        inclusive=inclusive,
        tax_free=tax_free,
    )


def _cost(index: int, *, inclusive: bool) -> Row:
    words, sort, price = COSTS[index % len(COSTS)]
    quantity = Decimal(24 + index) if sort == "Travel" else Decimal(1)
    line = _line(words, kind="disbursement", quantity=quantity, price=price, inclusive=inclusive)
    return {**line, "disbursement_type": sort}


def _line(
    description: str,
    *,
    kind: str,
    quantity: Decimal,
    price: Decimal,
    inclusive: bool,
    tax_free: bool = False,
) -> Row:
    """A line whose tax is worked out by itself and rounded half up, as most packages do."""
    amount = _cents(quantity * price)
    rate = Decimal(0) if tax_free else GST
    tax = _cents(amount * rate / (1 + rate)) if inclusive else _cents(amount * rate)
    net = amount - tax if inclusive else amount
    return {
        "description": description,
        "kind": kind,
        "quantity": str(quantity),
        "unit_price": str(price),
        "net": str(net),
        "tax": str(tax),
    }


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def _invoice(index: int, job: Row, issued: date, lines: list[Row], **more: Any) -> Row:
    wellington = index % 3 == 2
    net = sum((Decimal(line["net"]) for line in lines), Decimal(0))
    tax = sum((Decimal(line["tax"]) for line in lines), Decimal(0))
    client = CLIENTS[int(job["client"][1:]) - 101]
    return {
        "abtrac_id": str(70001 + index),
        "number": f"WN-{800 + index}" if wellington else f"AK-{2100 + index}",
        "office": "O2" if wellington else "O1",
        "client": job["client"],
        "job": job["abtrac_id"],
        "name_on_invoice": client[0],
        "recipient": f"{client[2]} {client[3]}",
        "issued": issued.isoformat(),
        "due": (issued + timedelta(days=20)).isoformat(),
        "tax_basis": "exclusive",
        "currency": "NZD",
        "net": str(net),
        "tax": str(tax),
        "total": str(net + tax),
        "lines": [{"position": place, **line} for place, line in enumerate(lines, start=1)],
        **{name: value for name, value in more.items() if value != ""},
    }


def pdf_of(number: str) -> bytes:
    """A one-page PDF that says which invoice it is."""
    text = f"BT /F1 24 Tf 72 720 Td (Invoice {number}) Tj ET".encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    pdf, places = b"%PDF-1.4\n", []
    for number_of, body in enumerate(objects, start=1):
        places.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number_of, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return (
        pdf
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
        + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(pdf))
    )
