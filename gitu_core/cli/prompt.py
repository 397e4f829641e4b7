"""Asks a person in the terminal; with a pipe, its lines are the answers."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence

from gitu_core.cli.show import paint
from gitu_core.errors import InputError


class Prompt:
    """Asks one thing after another. With *silent* it asks nothing: the default of each question is the answer."""

    def __init__(self, silent: bool = False) -> None:
        self._silent = silent

    def say(self, text: str = "") -> None:
        """Tells something."""
        print(text, flush=True)

    def line(self, question: str, default: str = "") -> str:
        """One line; *default* where nothing was said."""
        if self._silent:
            return default
        shown = f"{question}{f' [{default}]' if default else ''}: "
        try:
            # input() would write to the error stream what belongs to the talk, where one of the two is no terminal.
            print(shown, end="", flush=True)
            said = sys.stdin.readline()
        except UnicodeDecodeError as error:
            raise InputError("this is no text", hint="type it, or send it as UTF-8") from error
        if not said:
            raise InputError("the answers ended too early", hint="answer all questions, or say --yes for the defaults")
        return said.strip() or default

    def secret(self, question: str) -> str:
        """A line that nobody sees, also not while it is typed."""
        if self._silent:
            return ""
        if not sys.stdin.isatty():
            return self.line(question)
        try:
            return getpass.getpass(f"{question} (not shown): ").strip()
        except (EOFError, UnicodeDecodeError) as error:
            raise InputError("the answers ended too early, or are no text", hint="run it once more") from error

    def yes(self, question: str, default: bool = False) -> bool:
        """A yes or a no."""
        while True:
            said = self.line(f"{question} (y/n)", "y" if default else "n").lower()
            if said in ("y", "yes", "n", "no"):
                return said.startswith("y")
            self.say("Say y or n.")

    def choose(self, question: str, choices: Sequence[tuple[str, str]], default: str) -> str:
        """One of *choices*, each a name and what it is, by its number or name."""
        self._show(choices)
        while True:
            if found := self._meant(said := self.line(question, default), choices):
                return found
            self.say(f"{said!r} is none of them.")

    def several(self, question: str, choices: Sequence[tuple[str, str]]) -> list[str]:
        """Any of *choices*, by numbers or names."""
        self._show(choices)
        while True:
            words = self.line(question).replace(",", " ").split()
            found = [self._meant(word, choices) for word in words]
            if all(found):
                return list(dict.fromkeys(found))
            self.say(f"{words[found.index('')]!r} is none of them.")

    def _show(self, choices: Sequence[tuple[str, str]]) -> None:
        width = max(len(name) for name, _ in choices)
        for number, (name, what) in enumerate(choices, 1):
            self.say(f"  {paint(str(number), 'bold')}. {name.ljust(width)}  {paint(what, 'dim')}".rstrip())

    @staticmethod
    def _meant(said: str, choices: Sequence[tuple[str, str]]) -> str:
        names = [name for name, _ in choices]
        if said.isdecimal() and 0 < int(said[:4]) <= len(names):
            return names[int(said) - 1]
        return said if said in names else ""
