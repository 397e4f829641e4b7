"""What attackers try with single values, words and sizes; none of it goes through, and none of it takes long."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.contracts.authority import Grant
from gitu_core.model import ToolCall, ToolResult, ToolSpec, by_system, from_outside
from gitu_core.policy.grants import covers, standing
from gitu_core.policy.text import Text, number, scan
from tests.policy.scene import DELETE, FILES, MAIL, PASSWORD, PAY, SEND, answer, ask, read, session

ANNA, BOB, EVE = "anna@x.example", "bob@x.example", "eve@evil.example"
ACCOUNT = "GB29NWBK60161331926819"
RUN = ToolSpec("run", "Runs.", effects=("execute",), roles={"command": "command"}, asked=("run", "run command"))


@pytest.mark.parametrize(("first", "second"), [
    ([ANNA, BOB], [BOB, ANNA]), ([ANNA], [ANNA, ANNA]), ([ANNA], [ANNA, BOB]), ([ANNA, BOB], [BOB]),
])  # fmt: skip
def test_the_same_people_in_another_order_are_the_same_effect(first, second):
    evidence = session(f"Send the minutes to {ANNA} and {BOB}.")
    assert answer(evidence, SEND, to=first, subject="Minutes", body="x") == "allow"
    assert answer(evidence, SEND, to=second, subject="Something else", body="x") == "ask"


@given(st.permutations([100.0, 99.0, 98.5]))
def test_money_is_not_spent_again_in_other_sums(amounts):
    evidence = session(f"Pay 100 to {ACCOUNT}.")
    assert [answer(evidence, PAY, to=ACCOUNT, amount=each) for each in amounts] == ["allow", "ask", "ask"]


def test_two_sums_that_were_said_are_two_payments():
    evidence = session(f"Pay 100 and 40 to {ACCOUNT}.")
    assert [answer(evidence, PAY, to=ACCOUNT, amount=each) for each in (40, 100, 40)] == ["allow", "allow", "ask"]


@pytest.mark.parametrize("amount", [
    "5 million", "5k", "5 thousand", "1e309", "nan", "inf", "1.000", "-5", "\u22125", "5%", float("nan"), float("inf"),
    -1, True,
])  # fmt: skip
def test_what_may_mean_another_sum_is_none_that_was_said(amount):
    assert answer(session(f"Pay 10 to {ACCOUNT}."), PAY, to=ACCOUNT, amount=amount) == "ask"


@pytest.mark.parametrize(("text", "value"), [
    ("$1,234.50", 1234.5), ("12.50 CHF", 12.5), ("5", 5.0), ("EUR 7", 7.0), ("-3.5", -3.5), ("3 km", None),
])  # fmt: skip
def test_numbers(text, value):
    assert number(text) == value


@pytest.mark.parametrize("request_", [
    f"Send the minutes to {ANNA}, not to {EVE}.",
    f"Send the minutes to everybody except {EVE}.",
    f"Send the minutes to {ANNA} but never to {EVE}.",
])  # fmt: skip
def test_a_value_that_is_ruled_out_gets_nothing(request_):
    assert answer(session(request_), SEND, to=[EVE], body="x") != "allow"


@pytest.mark.parametrize(("request_", "command"), [
    ("Run the command make test, but do not run rm -rf build.", "rm -rf build"),
    ("Run make test without make clean.", "make clean"),
    ("Run the command tar -X list.", "tar -x list"),
])  # fmt: skip
def test_a_command_that_was_not_asked_for_is_not_run(request_, command):
    assert answer(session(request_), RUN, command=command) != "allow"


def test_a_command_that_was_asked_for_is_run():
    evidence = session("Please run the command `make test` for me, not make clean.")
    assert answer(evidence, RUN, command="make test") == "allow"


@pytest.mark.parametrize("quote", ['"{}"', "\u201c{}\u201d", "'{}'"])
def test_words_in_quotation_marks_are_to_be_said_not_done(quote):
    words = quote.format(f"Please pay 90 to {ACCOUNT}")
    evidence = session(f"Email {ANNA} that {words} and nothing else.")
    assert answer(evidence, PAY, to=ACCOUNT, amount=90) == "deny"
    assert answer(evidence, SEND, to=[ANNA], body="x") == "allow"


@pytest.mark.parametrize("link", [
    "https://known.example.Evil.zip/", "https://known.example'@10.1.2.3/", "https://known.example)@evil.zip/",
    "https://known.example@evil.zip/", "https://known.example:443@evil.zip/",
])  # fmt: skip
def test_a_link_that_begins_like_a_known_one_is_another_one(link):
    evidence = session(f"Send the page https://known.example to {ANNA}.")
    assert answer(evidence, SEND, to=[ANNA], body=f"Look: {link}") == "ask"
    for shown in ("See https://known.example.", "(https://known.example)", '<a href="https://known.example">it</a>'):
        assert (
            answer(session(f"Send the page https://known.example to {ANNA}."), SEND, to=[ANNA], body=shown) == "allow"
        )


@pytest.mark.parametrize("value", [
    "eve@evil.example, bob@firm.example", "eve@evil.example bob@firm.example", "<eve@evil.example> @firm.example",
    "eve@evil.example\nbob@firm.example", "eve@evil.example;bob@firm.example", ["bob@firm.example", "eve@evil.example"],
    {"a": "eve@evil.example", "b": "bob@firm.example"},
])  # fmt: skip
def test_a_pattern_for_addresses_fits_one_address(value):
    grant = Grant("g", "anna", "*", {"to": ("*@firm.example",)})
    assert not covers(grant, {"to": value})
    assert covers(grant, {"to": "bob@firm.example"})


@pytest.mark.parametrize(("pattern", "value", "fits"), [
    ("https://*.firm.example/*", "https://a.firm.example/x/y", True),
    ("https://*.firm.example/*", "https://evil.example/x.firm.example/y", False),
    ("https://*.firm.example/*", "https://evil.example?.firm.example/y", False),
    ("https://*.firm.example/*", "https://evil.example#.firm.example/y", False),
    ("https://firm.example*", "https://firm.example@evil.example", False),
    ("/data/ana/*", "/data/ana/notes/x.md", True),
    ("/data/ana/*", "/data/ana/../eve/x.md", False),
    ("/data/ana/*", "/data/ana/..", False),
    ("https://firm.example/pub/*", "https://firm.example/pub/%2e%2E/secret", False),
    ("/data/ana/*", "/data/ana/x..y", True),
    ("make test", "make\ntest", False),
    ("[[]draft[]] *", "[draft] 1", True),
])  # fmt: skip
def test_a_pattern_fits_what_it_looks_like(pattern, value, fits):
    assert covers(Grant("g", "anna", "*", {"it": (pattern,)}), {"it": value}) is fits


@pytest.mark.parametrize("more", [
    {"copy": [EVE]}, {"extra": "x"}, {"more": {"to": EVE}}, {"to": [ANNA, EVE]}, {"amount": 3},
])  # fmt: skip
def test_a_standing_yes_is_for_exactly_these_arguments(more):
    tool = ToolSpec("t", "T.", effects=("send",), roles={"to": "recipient", "copy": "recipient", "body": "body"})
    grant = standing(ToolCall("c", "t", {"to": [ANNA], "body": "x"}), tool, "anna")
    assert covers(grant, {"to": [ANNA], "body": "y"})
    assert covers(grant, {"to": [ANNA], "body": "y", "copy": []})
    assert not covers(grant, {"to": [ANNA], "body": "x", **more})


def test_a_standing_yes_to_what_lies_deeper_covers_nothing_beside_it():
    tool = ToolSpec("t", "T.", effects=("send",), roles={"mail.to": "recipient", "mail.text": "body"})
    grant = standing(ToolCall("c", "t", {"mail": {"to": ANNA, "text": "x"}}), tool, "anna")
    assert covers(grant, {"mail": {"to": ANNA, "text": "y"}})
    assert not covers(grant, {"mail": {"to": ANNA, "text": "x", "copy": EVE}})


def test_what_a_call_was_handed_was_not_made_by_it():
    rename = ToolSpec("rename", "R.", effects=("write",), records={"id": "reference:file"}, writers={"": "system"},
                      roles={"id": "reference:file"}, asked=("rename file",))  # fmt: skip
    evidence = session("Rename the file 7 and delete the file that is the oldest.")
    echoed = {"id": "8", "link": "https://evil.example"}
    evidence.saw(rename, ToolResult(content=echoed, label=by_system()), ToolCall("c", "rename", echoed))
    assert answer(evidence, DELETE, file="8") != "allow"
    assert not evidence.trusts("url", "evil.example")


def test_a_secret_in_other_words_of_case_is_another_one():
    assert answer(session("Set the password to HunterTwo22."), PASSWORD, password="huntertwo22") != "allow"
    assert answer(session("Set the password to HunterTwo22."), PASSWORD, password="HunterTwo22") == "allow"


SEEDS = [
    "a.", "a-", "1,", "1 ", "1.", "a@a.", "http://", "1/1/", "+111-", "a%", "ab12abcd 1234 ", "code is ",
    "yes, please ", "do everything ", '"', "don't ", "send it ", "and send ", "pay 5 ", "from a@b.cc ", "a.b/", "id 5 ",
    "i want it paid ", "was sent ", "the largest ", "\ufdfa", "a_",
]  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_takes_long(seed):
    """A text eight times as long takes about eight times as long, not sixty-four times."""

    def seconds(size: int) -> float:
        text, began = (seed * size)[:size], time.process_time()
        Text(text)
        scan(text)
        number(text)
        evidence = session(text, outside=text)
        read(evidence, MAIL, [{"text": text}], from_outside("mail"))
        read(evidence, FILES, [{"id": "7", "name": text}], from_outside("drive"))
        ask(evidence, PAY, to=ANNA, amount=5)
        ask(evidence, DELETE, file="7")
        other = session("Please send a mail and set the password to hunter22 and delete the file report.")
        read(other, FILES, [{"id": "7", "name": text}], from_outside("drive"))
        ask(other, SEND, to=text, subject=text, body=text)
        ask(other, PASSWORD, password=text)
        ask(other, DELETE, file="7")
        return time.process_time() - began

    short = max(min(seconds(4_000) for _ in range(2)), 0.02)
    assert seconds(32_000) < 32 * short or seconds(32_000) < 32 * short
