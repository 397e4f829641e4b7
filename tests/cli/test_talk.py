"""`gitu ask`, `gitu chat`, `gitu sessions`."""

from __future__ import annotations

import json
import signal

from tests.cli.driver import SECONDS, UNREACHABLE, Cli

QUESTIONS = "what time is it in Tokyo?\n2+2*10\n"


def test_a_question_is_answered_from_the_arguments_and_from_standard_input(shared: Cli) -> None:
    assert "2+2*10 = 22" in shared.run("ask", "2+2*10").stdout
    assert "17 * 3 = 51" in shared.run("ask", stdin="17 * 3\n").stdout


def test_a_named_session_goes_on_and_another_one_does_not_know_it(shared: Cli) -> None:
    for text in ("1+1", "2+2"):
        shared.run("ask", "--session", "sums", text)
    first = json.loads(shared.run("ask", "--json", "--session", "sums", "3+3").stdout)
    other = json.loads(shared.run("ask", "--json", "--session", "else", "4+4").stdout)
    assert first["status"] == other["status"] == "ok"
    assert first["session"] != other["session"]
    listed = {each["id"]: each for each in json.loads(shared.run("sessions", "--json").stdout)}
    assert listed[first["session"]]["messages"] > listed[other["session"]]["messages"] > 0
    table = shared.run("sessions").stdout.splitlines()
    assert table[0].split() == ["session", "user", "profile", "messages", "state"]
    assert any(line.startswith(first["session"]) and line.endswith("open") for line in table)


def test_a_profile_from_the_settings_is_used_and_an_unknown_one_is_refused_by_name(cli: Cli) -> None:
    cli.configure('[profiles.sums]\ntools = ["calculate"]\n')
    reply = json.loads(cli.run("ask", "--json", "--profile", "sums", "2+3").stdout)
    assert [call["tool"] for call in reply["calls"]] == ["calculate"]
    refused = cli.run("ask", "--profile", "nobody", "2+3", status=1)
    assert "no profile 'nobody'" in refused.stderr
    assert "next: use one of: default, sums" in refused.stderr


def test_a_failure_ends_with_one_and_tells_the_next_step_on_standard_error(shared: Cli) -> None:
    failed = shared.run("ask", "--model", "nowhere/model", "hello", status=1)
    assert failed.stdout == ""
    message, hint = failed.stderr.strip().splitlines()[-2:]
    assert message.startswith("gitu: ")
    assert "nowhere" in message
    assert hint.startswith("next: ")


def test_a_failure_is_json_where_json_was_asked_for(shared: Cli) -> None:
    failed = shared.run("ask", "--json", "--model", "nowhere/model", "hello", status=1)
    error = json.loads(failed.stdout)["error"]
    assert error["code"] == "no_model"
    assert error["hint"]


def test_a_model_that_cannot_be_reached_is_told_where_another_one_answers_for_it(cli: Cli) -> None:
    cli.env.update(UNREACHABLE)
    asked = cli.run("ask", "2+2*10")
    assert asked.stdout == "2+2*10 = 22\n"
    first = asked.stderr.splitlines()[0]
    assert first.startswith("gitu: openai/")
    assert "could not answer: " in first
    assert "; next: " in first
    reply = json.loads(cli.run("ask", "--json", "2+2*10").stdout)
    assert reply["degraded"] is True
    assert {each["code"] for each in reply["failures"]} == {"not_ready"}


def test_a_model_named_on_the_command_line_is_asked_and_no_other(cli: Cli) -> None:
    cli.env.update(UNREACHABLE)
    failed = cli.run("ask", "--model", "openai/some-model", "2+2*10", status=1)
    assert failed.stdout == ""
    message, hint = failed.stderr.strip().splitlines()
    assert message.startswith("gitu: openai/some-model: ")
    assert hint.startswith("next: ")


def test_a_chat_tells_that_a_last_resort_answers(cli: Cli) -> None:
    cli.env.update(UNREACHABLE)
    said = cli.run("chat", stdin="1+1\n2+2\n").stdout
    assert said.startswith("1+1 = 2\n")
    assert "\n2+2 = 4\n" in said
    assert "could not answer" in said


def test_the_offline_model_claims_nothing_about_keys(cli: Cli) -> None:
    assert "key" not in cli.run("ask", "write me a poem").stdout


def test_no_question_is_refused_before_anything_is_opened(cli: Cli) -> None:
    refused = cli.run("ask", stdin=" \n", status=1)
    assert "there is no question" in refused.stderr
    assert "next: try: gitu ask" in refused.stderr
    assert not cli.home.exists()


def test_a_piped_chat_answers_line_by_line_says_nothing_else_and_goes_on_at_the_next_start(cli: Cli) -> None:
    first = cli.run("chat", stdin=QUESTIONS)
    tokyo, sum_ = first.stdout.splitlines()
    assert "Tokyo" in tokyo
    assert "2+2*10 = 22" in sum_
    assert first.stderr == ""
    again = cli.run("chat", stdin="/history\n").stdout
    assert "user: what time is it in Tokyo?" in again
    assert "user: 2+2*10" in again
    assert len(json.loads(cli.run("sessions", "--json").stdout)) == 1


def test_a_chat_without_any_terminal_plugin_says_what_to_install(cli: Cli) -> None:
    cli.configure("[plugins.terminal]\nenabled = false\n")
    refused = cli.run("chat", status=1)
    assert "no plugin that talks in a terminal is enabled" in refused.stderr
    assert "next: " in refused.stderr


def test_ctrl_c_ends_a_chat_with_130_and_without_a_traceback(cli: Cli) -> None:
    with cli.start("chat") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("2+2\n")
        process.stdin.flush()
        assert "2+2 = 4" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
