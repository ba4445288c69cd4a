"""The text a document is recognised by in the package: a template with fields in braces.

Parts stand between separators: a comma, a semicolon, a bar, or a dash or slash with spaces round
it. A part of which every field is empty is left out with its words and its separator, so that
nothing dangles: `{job}, Order {order number}` is the job alone where there is no order number.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

FIELDS = (
    "invoice number",
    "invoice ID",
    "job",
    "job code",
    "job description",
    "order number",
    "claim number",
    "client's reference",
    "client",
    "client ID",
    "name on invoice",
    "recipient",
    "office",
)
DEFAULT = "{job}, Order {order number}, Claim {claim number}"

_FIELD = re.compile(r"\{([^{}]*)\}")
_SEPARATOR = re.compile(r"(\s*[,;|]\s*|(?:\s+|(?<=[\s,;|]))[-\N{EN DASH}/](?:\s+|$))")
_BY_NAME = {one.casefold(): one for one in FIELDS}


class BadTemplate(ValueError):
    """The template cannot be filled in; `str(error)` says why, for the person who typed it."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    """`texts` stand before, between and after the `fields`; `before` parts it from the last one."""

    before: str
    texts: tuple[str, ...]
    fields: tuple[str, ...]

    def fill(self, values: Mapping[str, str]) -> str:
        filled = [values[one] for one in self.fields]
        if filled and not any(filled):
            return ""
        text = self.texts[0] + "".join(
            f"{value}{after}" for value, after in zip(filled, self.texts[1:], strict=True)
        )
        return text if all(filled) else " ".join(text.split())


@dataclass(frozen=True, kw_only=True)
class Template:
    """A template taken apart."""

    parts: tuple[_Part, ...]

    @property
    def fields(self) -> set[str]:
        """The fields it names."""
        return {name for one in self.parts for name in one.fields}

    def fill(self, values: Mapping[str, str]) -> str:
        """The text, with these values for the fields it names."""
        text = ""
        for one in self.parts:
            filled = one.fill(values)
            text += f"{one.before if text else ''}{filled}" if filled else ""
        return text


@lru_cache(maxsize=500)
def parse(template: str) -> Template:
    """The template taken apart. Raises BadTemplate."""
    # Texts and names of fields in turn.
    pieces = _FIELD.split(template)
    if any(brace in text for text in pieces[::2] for brace in "{}"):
        raise BadTemplate("A field is a name in braces, like {job}: a brace is missing its other.")
    unknown = [one for one in pieces[1::2] if _named(one) is None]
    if unknown:
        names = ", ".join(f"{{{one}}}" for one in unknown)
        verb = "is no field" if len(unknown) == 1 else "are no fields"
        raise BadTemplate(f"{names} {verb}. The fields are: {listed()}.")
    before, texts, fields = "", [""], list[str]()
    parts = []
    for place, piece in enumerate(pieces):
        if place % 2:
            fields.append(_named(piece) or "")
            texts.append("")
            continue
        first, *others = _SEPARATOR.split(piece)
        texts[-1] += first
        for separator, text in zip(others[::2], others[1::2], strict=True):
            parts.append(_part(before, texts, fields))
            before, texts, fields = separator, [text], []
    return Template(parts=(*parts, _part(before, texts, fields)))


def listed() -> str:
    """Every field as it is written in a template."""
    return ", ".join(f"{{{one}}}" for one in FIELDS)


def _named(name: str) -> str | None:
    """The field of that name, however its capitals, spaces and underscores are written."""
    return _BY_NAME.get(" ".join(name.replace("_", " ").split()).casefold())


def _part(before: str, texts: Sequence[str], fields: Sequence[str]) -> _Part:
    ends = [*texts]
    ends[0], ends[-1] = ends[0].lstrip(), ends[-1].rstrip() if fields else ends[-1].strip()
    return _Part(before=before, texts=tuple(ends), fields=tuple(fields))
