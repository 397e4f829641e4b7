"""`gitu export`, `gitu replay`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.driver import SECONDS, Cli


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, dict[str, str]]:
    """`gitu` on a home with a session of two turns, and the last reply."""
    cli = Cli(tmp_path_factory.mktemp("recorded"))
    cli.env["OPENAI_API_KEY"] = "vendor-value-q4711z"
    cli.env["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"
    cli.run("ask", "--session", "s", "Convert 5 miles to kilometres")
    return cli, json.loads(cli.run("ask", "--json", "--session", "s", "vendor-value-q4711z * 2, and 2+2*10").stdout)


def test_the_last_turn_is_written_without_secrets_and_runs_again_offline(recorded: tuple[Cli, dict[str, str]]) -> None:
    cli, reply = recorded
    written = cli.run("export")
    path = cli.folder / f"{reply['turn']}.json"
    assert written.stdout.startswith(f"written: {path.name} (1 turns, ")
    assert "replaced: the secret OPENAI_API_KEY" in written.stderr
    assert "vendor-value-q4711z" not in path.read_text("utf-8")
    elsewhere = Cli(cli.folder / "elsewhere")
    same = elsewhere.run("replay", str(path)).stdout
    assert same.startswith(f"turn {reply['turn']}: the same in ")
    assert not elsewhere.home.exists(), "a replay needs no home, and makes none"


def test_a_session_and_a_message_are_written_to_where_they_shall_go(recorded: tuple[Cli, dict[str, str]]) -> None:
    cli, reply = recorded
    cli.run("export", reply["session"], "--out", "session.json")
    found = json.loads(cli.run("replay", "--json", "session.json").stdout)
    assert [each["difference"] for each in found] == [None, None]
    message = reply["turn"].rpartition("-")[0]
    shown = json.loads(cli.run("export", message, "--out", "-").stdout)
    assert [turn["info"]["id"] for turn in shown["turns"]] == [reply["turn"]]


def test_a_difference_is_told_and_ends_with_one_and_makes_no_test(recorded: tuple[Cli, dict[str, str]]) -> None:
    cli, _ = recorded
    cli.run("export", "--out", "changed.json")
    path = cli.folder / "changed.json"
    raw = json.loads(path.read_text("utf-8"))
    raw["turns"][0]["steps"][1]["step"]["digest"] = "0"
    path.write_text(json.dumps(raw), "utf-8")
    told = cli.run("replay", "changed.json", "--to-test", "test_changed.py", status=1)
    assert told.stdout.startswith("step 1 (model_asked) of turn ")
    assert 'digest: recorded was "0", now it is ' in told.stdout
    assert "no test was written" in told.stderr
    assert not (cli.folder / "test_changed.py").exists()
    (found,) = json.loads(cli.run("replay", "--json", "changed.json", status=1).stdout)
    assert (found["difference"]["step"], found["difference"]["path"]) == (1, "digest")


@pytest.mark.parametrize("test", ["tests/test_a_turn.py", "test_beside.py"])
def test_a_test_is_written_that_passes(recorded: tuple[Cli, dict[str, str]], test: str) -> None:
    cli, _ = recorded
    cli.run("export", "--out", "turn.json")
    assert f"written: {test}" in cli.run("replay", "turn.json", "--to-test", test).stdout
    moved = cli.folder / "moved"
    moved.mkdir(exist_ok=True)
    path = cli.folder / test
    folder = Path(__file__).parents[2]
    for check in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *check, "--config", str(folder / "pyproject.toml"), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    named = path.parent / re.findall(r'"(.+\.json)"', path.read_text("utf-8"))[0]
    for each in (path, named):
        (moved / each.name).write_bytes(each.read_bytes())
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(moved / path.name)]
    done = subprocess.run(command, cwd=moved, env=cli.env, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_nothing_is_replaced_by_a_test_unless_it_is_forced(recorded: tuple[Cli, dict[str, str]]) -> None:
    cli, _ = recorded
    cli.run("export", "--out", "kept.json")
    test, copy = (cli.folder / "kept" / name for name in ("test_kept.py", "test_kept.json"))
    test.parent.mkdir()
    for there, other in ((test, copy), (copy, test)):
        there.write_text("mine", "utf-8")
        refused = cli.run("replay", "kept.json", "--to-test", "kept/test_kept.py", status=1)
        assert f"kept/{there.name} exists already; nothing was written" in refused.stderr
        assert "--force" in refused.stderr
        assert there.read_text("utf-8") == "mine"
        assert not other.exists()
        there.unlink()
    test.write_text("mine", "utf-8")
    cli.run("replay", "kept.json", "--to-test", "kept/test_kept.py", "--force")
    assert "replay_file" in test.read_text("utf-8")
    assert copy.read_bytes() == (cli.folder / "kept.json").read_bytes()


def test_what_cannot_be_done_is_told_with_the_next_step(recorded: tuple[Cli, dict[str, str]], tmp_path: Path) -> None:
    cli, _ = recorded
    assert "next: list the sessions" in cli.run("export", "nothing", status=1).stderr
    assert "next: ask something first" in Cli(tmp_path / "fresh").run("export", status=1).stderr
    assert "next: name a file of: gitu export" in cli.run("replay", "nowhere.json", status=1).stderr
    cli.run("export", "--no-content", "--out", "bare.json")
    assert "q4711z" not in (cli.folder / "bare.json").read_text("utf-8")
    refused = cli.run("replay", "bare.json", status=1)
    assert "was written without content" in refused.stderr
    assert "next: write another one without --no-content" in refused.stderr
    assert "next: name another file" in cli.run("export", "--out", "no/folder.json", status=1).stderr
