"""Somebody at a browser, as far as a demonstration needs one: follows links, fills in forms."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests


class Lost(Exception):
    """The page is not what a person would expect here; the message names it."""


@dataclass
class Form:
    """A form of a page: where it goes, what it holds already, what can be chosen."""

    action: str = ""
    method: str = "get"
    values: dict[str, list[str]] = field(default_factory=dict)
    options: dict[str, dict[str, str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select = ""
        self._option: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(action=given.get("action", ""), method=given.get("method", "get"))
            self.forms.append(self._form)
        elif self._form is not None:
            self._in_form(tag, given)

    def _in_form(self, tag: str, given: dict[str, str]) -> None:
        assert self._form is not None  # noqa: S101 - told to the type checker
        name = given.get("name", "")
        if tag == "input" and name:
            ticked = given.get("type") in {"checkbox", "radio"}
            value = given.get("value", "on" if ticked else "")
            if ticked:
                self._form.options.setdefault(name, {})[value] = ""
            if not ticked or "checked" in given:
                self._form.values.setdefault(name, []).append(value)
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            self._option = given.get("value", "")
            self._form.options.setdefault(self._select, {})[self._option] = ""
            if "selected" in given:
                self._form.values[self._select] = [self._option]

    def handle_data(self, data: str) -> None:
        if self._form is not None and self._select and self._option is not None:
            self._form.options[self._select][self._option] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select, self._option = "", None
        elif tag == "option":
            self._option = None


class Person:
    """One browser with its cookies, at one page at a time."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url
        self._session = requests.Session()
        self.page: requests.Response = requests.Response()

    def close(self) -> None:
        """Close the browser."""
        self._session.close()

    def open(self, path: str) -> None:
        """Go to an address. Raises Lost."""
        self._arrive(self._session.get(urljoin(self._base, path), timeout=30))

    def submit(self, action: str, **choices: Any) -> None:
        """Send the form of this page whose address ends so, with these fields changed."""
        form = self.form(action)
        values = {**form.values, **{name: _listed(value) for name, value in choices.items()}}
        address = urljoin(self.page.url, form.action)
        # A browser says where it comes from; the log-in and every form here insist on it.
        headers = {"Referer": self.page.url}
        if form.method.lower() == "post":
            answer = self._session.post(address, data=values, headers=headers, timeout=60)
        else:
            answer = self._session.get(address, params=values, headers=headers, timeout=60)
        self._arrive(answer)

    def form(self, action: str) -> Form:
        """The form of this page whose address ends so. Raises Lost."""
        reader = _Reader()
        reader.feed(self.page.text)
        for form in reader.forms:
            # A form without an address goes to its own page.
            if urljoin(self.page.url, form.action).split("?")[0].endswith(action):
                return form
        raise Lost(f"{self.page.url} has no form that goes to {action!r}.")

    def option(self, action: str, name: str, text: str) -> str:
        """The value of the choice of that field that reads so. Raises Lost."""
        for value, words in self.form(action).options.get(name, {}).items():
            if text in words:
                return value
        raise Lost(f"{self.page.url} does not offer {text!r} for {name}.")

    def _arrive(self, answer: requests.Response) -> None:
        self.page = answer
        if answer.status_code != 200:
            raise Lost(f"{answer.url} answered {answer.status_code}.")


def _listed(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
