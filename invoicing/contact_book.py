"""The contacts of one company file as a book to look a client up in: certain, or alike, and why.

Names are compared twice: as packages do it, and folded, so that what people spell one way or the
other is found all the same. Only the first makes a match certain.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import NamedTuple

from invoicing.models import ContactLink

# How a name ends that says what kind of company it is; "Pty Ltd" goes one word at a time.
COMPANY_WORDS = {
    *("ltd", "limited", "pty", "proprietary", "inc", "incorporated", "nl", "plc"),
    *("co", "company", "corp", "corporation", "llc", "llp", "lp", "partnership"),
    *("trust", "trustee", "trustees"),
}
_NOT_LETTERS = re.compile(r"[^\w]+|_+")
_DOTS_AND_APOSTROPHES = re.compile(r"[.'\u2018\u2019\u02bb\u02bc]")
# From so alike on a name is worth showing, and so many at most.
ALIKE = 0.84
MOST_CANDIDATES = 5
# A word that so many contacts have in common tells nothing of one of them.
COMMON = 200
# So many of those that share a word are compared letter by letter.
COMPARED = 8


def plain(name: str) -> str:
    """A name as packages compare them: without case, accents, macrons and surplus spaces."""
    decomposed = unicodedata.normalize("NFKD", name)
    bare = "".join(one for one in decomposed if not unicodedata.combining(one))
    return " ".join(bare.casefold().split())


def words_of(name: str) -> list[str]:
    """The words of a name as `plain` has it, without punctuation, and without "&" or "and"."""
    joined = _DOTS_AND_APOSTROPHES.sub("", plain(name)).replace("&", " and ").replace("+", " and ")
    return [one for one in _NOT_LETTERS.sub(" ", joined).split() if one != "and"]


def fold(name: str) -> str:
    """A name with all that people spell one way or the other left out.

    Its words, without those for kinds of company at its end; a name made of nothing else keeps
    them.
    """
    words = words_of(name)
    kept = list(words)
    while kept and kept[-1] in COMPANY_WORDS:
        kept.pop()
    return " ".join(kept or words) or plain(name)


class Contact(NamedTuple):
    """What matching needs of a contact, without the weight of a row."""

    pk: int
    remote_id: str
    number: str
    name: str
    folded: str
    email: str
    url: str
    archived: bool


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A contact that may be meant, and why."""

    contact: Contact
    reason: str

    @property
    def can_be_linked(self) -> bool:
        """Whether the package takes invoices for it."""
        return not self.contact.archived


@dataclass
class ContactBook:
    """The contacts of one company file, laid out for looking clients up in them."""

    contacts: Iterable[Contact]
    by_id: dict[str, Contact] = field(default_factory=dict)
    _by_number: dict[str, list[Contact]] = field(default_factory=dict)
    _by_fold: dict[str, list[Contact]] = field(default_factory=dict)
    # Names as they are folded, each once, by their words and by how they begin.
    _blocks: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.contacts:
            self.by_id[one.remote_id] = one
            if one.number:
                self._by_number.setdefault(one.number.strip().casefold(), []).append(one)
            self._by_fold.setdefault(one.folded, []).append(one)
        for folded in self._by_fold:
            for mark in _marks(folded):
                self._blocks.setdefault(mark, []).append(folded)

    def look_for(
        self,
        name: str,
        number: str,
        *,
        by_number: bool,
        former: Sequence[ContactLink] = (),
        label: str = "the package",
    ) -> tuple[bool, list[Candidate]]:
        """Whether the rule finds exactly one, and that one; else all that may be meant, and why."""
        number = number.strip()
        numbered = self._by_number.get(number.casefold(), []) if number else []
        alike = self._by_fold.get(fold(name), [])
        same = [one for one in alike if plain(one.name) == plain(name)]
        exact = _exact(numbered, same, name, number, by_number=by_number)
        if exact:
            return True, [exact]
        found: dict[str, Candidate] = {}
        for link in former:
            if link.remote_id in self.by_id:
                _add(found, self.by_id[link.remote_id], "linked to this client before", label)
        for one in numbered:
            told = _told_of_number(one, numbered, name, number)
            _add(found, one, told, label)
        for one in same:
            _add(found, one, _told_of_name(one, same, number), label)
        for one in alike:
            _add(found, one, _told_of_fold(one, name), label)
        # An archived namesake alone is no reason to doubt that another is meant.
        if not any(each.can_be_linked for each in found.values()):
            for one in self._similar(name):
                _add(found, one, "name is similar", label)
        best = sorted(found.values(), key=lambda each: not each.can_be_linked)
        return False, best[:MOST_CANDIDATES]

    def _similar(self, name: str) -> list[Contact]:
        """Contacts whose name is nearly this one: misspelled, or with a word more or less."""
        wanted = fold(name)
        shared: dict[str, int] = {}
        for mark in _marks(wanted):
            block = self._blocks.get(mark, ())
            if len(block) <= COMMON:
                for folded in block:
                    shared[folded] = shared.get(folded, 0) + 1
        shared.pop(wanted, None)
        likely = sorted(shared, key=lambda folded: (-shared[folded], folded))[:COMPARED]
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(wanted)
        scored = []
        for folded in likely:
            score = _likeness(matcher, folded, wanted)
            if score >= ALIKE:
                scored.append((-score, folded))
        return [
            one for _, folded in sorted(scored)[:MOST_CANDIDATES] for one in self._by_fold[folded]
        ]


def _marks(folded: str) -> set[str]:
    """By what a name is found again though it is not quite the same."""
    words = folded.split()
    marks = {f"word {one}" for one in words if len(one) > 2}
    joined = "".join(words)
    return marks | {f"begins {joined[:4]}", f"ends {joined[-5:]}"}


def _likeness(matcher: "SequenceMatcher[str]", folded: str, wanted: str) -> float:
    ours, theirs = set(wanted.split()), set(folded.split())
    fewer, more = sorted((ours, theirs), key=len)
    # "Te Aro Cafe" and "Te Aro Cafe Group": the same words and some more.
    if len(fewer) > 1 and fewer <= more:
        return ALIKE
    matcher.set_seq1(folded)
    if matcher.real_quick_ratio() < ALIKE or matcher.quick_ratio() < ALIKE:
        return 0.0
    return matcher.ratio()


def _exact(
    numbered: Sequence[Contact],
    same: Sequence[Contact],
    name: str,
    number: str,
    *,
    by_number: bool,
) -> Candidate | None:
    """The one active contact that the rule itself finds, or None.

    By number: the one with it, unless its name is altogether another; where none has it, the one
    of the same name that has no number, as uploads take it too.
    """
    active = [one for one in same if not one.archived]
    if not by_number:
        return Candidate(contact=active[0], reason="same name") if len(active) == 1 else None
    if numbered:
        [first, *more] = numbered
        certain = not more and not first.archived and first.number.strip() == number
        if certain and _resembles(first, name):
            return Candidate(contact=first, reason="same number")
        return None
    if len(active) == 1 and not active[0].number:
        return Candidate(contact=active[0], reason="same name, and no number there")
    return None


def _resembles(contact: Contact, name: str) -> bool:
    """Whether the two can be one firm: a name, or a good part of it, is the same."""
    ours, theirs = fold(name), contact.folded
    if ours == theirs or set(ours.split()) & set(theirs.split()):
        return True
    return SequenceMatcher(None, ours, theirs, autojunk=False).ratio() >= ALIKE


def _told_of_number(contact: Contact, numbered: Sequence[Contact], name: str, number: str) -> str:
    if len(numbered) > 1:
        return f"one of {len(numbered)} with this number"
    if contact.number.strip() != number:
        return "same number but for capitals"
    alike = _resembles(contact, name)
    return "same number, similar name" if alike else "same number, other name"


def _told_of_name(contact: Contact, same: Sequence[Contact], number: str) -> str:
    active = [one for one in same if not one.archived]
    if len(active) > 1 and not contact.archived:
        return f"one of {len(active)} with this name"
    return "same name, other number" if contact.number not in {"", number} else "same name"


def _told_of_fold(contact: Contact, name: str) -> str:
    if words_of(contact.name) == words_of(name):
        return "same name, written another way"
    return "same name but for Ltd, Limited, Trust or the like"


def _add(found: dict[str, Candidate], contact: Contact, reason: str, label: str) -> None:
    archived = f"; archived in {label}" if contact.archived else ""
    found.setdefault(contact.remote_id, Candidate(contact=contact, reason=f"{reason}{archived}"))
