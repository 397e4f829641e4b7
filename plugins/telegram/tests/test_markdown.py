"""Markdown as words and entities: nothing is lost, nothing is cut in the middle of a character."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitu_telegram.markdown import MOST, Rich, Span, cut, plain, render, shortened, unclosed, units


def of(rich: Rich, span: Span) -> str:
    """The words of an entity."""
    raw = rich.text.encode("utf-16-le", "surrogatepass")[2 * span.offset : 2 * (span.offset + span.length)]
    return raw.decode("utf-16-le")


@pytest.mark.parametrize(
    ("source", "text", "spans"),
    [
        ("**b** _i_ ~~s~~ `c`", "b i s c", [("bold", "b"), ("italic", "i"), ("strikethrough", "s"), ("code", "c")]),
        ("😀 **fat 😀** end", "😀 fat 😀 end", [("bold", "fat 😀")]),
        ("# Title\nwords", "Title\n\nwords", [("bold", "Title")]),
        ("[here](https://a.example/x)", "here", [("text_link", "here")]),
        ("[here](javascript:x)", "[here](javascript:x)", []),
        ("[x](y) **b**", "x (y) b", [("bold", "b")]),
        ("![pic](https://a.example/p.png)", "pic", [("text_link", "pic")]),
        ("- one\n- two\n  1. in\n  2. out", "• one\n• two\n  1. in\n  2. out", []),
        ("3. c\n4. d", "3. c\n4. d", []),
        ("```python\nx = 1\n```", "x = 1", [("pre", "x = 1")]),
        ("> quoted\n\nafter", "quoted\n\nafter", [("blockquote", "quoted")]),
        ("a\n\nb", "a\n\nb", []),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a | b\n1 | 2", []),
        ("&amp; <b>x</b> [r]: /u", "&amp; <b>x</b> [r]: /u", []),
        ("**open _and `never", "**open _and `never", []),
        ("***both***", "both", [("bold", "both"), ("italic", "both")]),
    ],
)
def test_what_people_see(source: str, text: str, spans: list[tuple[str, str]]) -> None:
    rich = render(source)
    assert rich.text == text
    assert [(each.kind, of(rich, each)) for each in rich.spans] == spans


@pytest.mark.parametrize(
    ("source", "opened"),
    [("```py\nx", "```py\n"), ("```\nx\n```\n", ""), ("````\n```\n", "````\n"), ("~~~\n```\n", "~~~\n"), ("`x`", "")],
)
def test_what_a_piece_leaves_open(source: str, opened: str) -> None:
    assert unclosed(source) == opened


MARKS = st.text(st.sampled_from("ab 1\n*_`~[]()<>!#-+|.>\\&;:/😀\t"), max_size=60)


@given(st.one_of(st.text(max_size=60), MARKS))
@example("```a b\nc")
@example("[a]: b")
@example("> " * 300)
def test_every_word_is_still_there_and_entities_lie_within(source: str) -> None:
    rich = render(source)
    size = units(rich.text)
    kept = rich.text + "".join(each.url + each.language for each in rich.spans)
    assert all(word in kept for word in "".join(c if c.isascii() and c.isalnum() else " " for c in source).split())
    assert all(each.offset >= 0 and each.length > 0 and each.offset + each.length <= size for each in rich.spans)
    assert len(rich.spans) <= MOST
    assert units(rich.text) <= units(source) + 8 or "\n" in source


@given(st.text(st.sampled_from("ab \n😀é"), max_size=200), st.integers(2, 30))
def test_a_cut_loses_nothing_and_keeps_the_limit(text: str, limit: int) -> None:
    size = units(text)
    rich = Rich(text, (Span("bold", 0, size),) if size else ())
    pieces = cut(rich, limit)
    assert "".join(each.text for each in pieces) == text
    assert all(0 < units(each.text) <= limit for each in pieces)
    assert "".join(of(each, span) for each in pieces for span in each.spans) == text
    assert units(shortened(plain(text), limit + 4).text) <= limit + 4
