"""The line editor: history, completion of built-ins, several lines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style

from gitu_terminal.talk import BUILT_INS

_STYLE = Style.from_dict({"prompt": "ansicyan bold", "answer": "ansiyellow bold"})


class BuiltIns(Completer):
    """Completes built-ins at the beginning of an entry, each with what it does."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """The built-ins that begin with what was typed."""
        typed = document.text_before_cursor
        if typed.startswith("/") and " " not in typed and "\n" not in typed:
            for name, meaning in BUILT_INS.items():
                if name.startswith(typed[1:].lower()):
                    yield Completion(f"/{name}", start_position=-len(typed), display_meta=meaning)


def make_session(
    history: Path | None, input: Input | None, output: Output | None, complain: Callable[[str], None]
) -> PromptSession[str]:
    """The editor. A history file that cannot be used is reported through *complain*, and done without."""
    return PromptSession(
        history=open_history(history, complain),
        completer=BuiltIns(),
        complete_while_typing=True,
        auto_suggest=AutoSuggestFromHistory(),
        key_bindings=bindings(),
        multiline=True,
        prompt_continuation="  ",
        reserve_space_for_menu=6,
        style=_STYLE,
        input=input,
        output=output,
    )


def bindings() -> KeyBindings:
    """Enter sends, Alt-Enter or a backslash at the end of a line begins a new one."""
    keys = KeyBindings()

    @keys.add("enter")
    def _send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None
        elif buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def open_history(file: Path | None, complain: Callable[[str], None]) -> History:
    """What was typed before. Only its owner may read the file."""
    if file is None:
        return InMemoryHistory()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600))
    except OSError as error:
        complain(f"what you type is not kept: {error.strerror or error}: {file}")
        return InMemoryHistory()
    return FileHistory(str(file))
