"""`gitu keys`: the master keys and what they wrap; new ones while an assistant runs."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from pathlib import Path

import pytest

from gitu_core import Gitu
from gitu_core.testing import FunctionModel
from tests.cli.driver import Cli


def known(cli: Cli, *words: str) -> dict[str, object]:
    """What the command tells as JSON."""
    found: dict[str, object] = json.loads(cli.run("keys", *words, "--json").stdout)
    return found


def test_a_new_master_key_and_new_keys_for_people(cli: Cli, tmp_path: Path) -> None:
    cli.run("ask", "--session", "s", "6*7")
    shown = cli.run("keys").stdout
    assert "master.key" in shown
    assert "wraps new keys" in shown
    (old,) = known(cli)["wraps"]  # type: ignore[misc]
    prepared = cli.run("keys", "rotate", "--prepare")
    assert "made: " in prepared.stderr
    assert prepared.stdout.count("go on with: gitu keys rotate") == 2
    doctor = {each["what"]: each for each in json.loads(cli.run("doctor", "--json").stdout)}
    assert doctor["master key"]["state"] == "warning"
    assert "gitu keys rotate" in doctor["master key"]["hint"]
    rotated = cli.run("keys", "rotate")
    assert "keys are wrapped by" in rotated.stderr
    assert "only older backups need it" in rotated.stdout
    (new,) = known(cli)["wraps"]  # type: ignore[misc]
    assert new != old
    again = cli.run("keys", "rotate", "--people")
    assert "messages: " in again.stderr
    assert "done: " in again.stderr
    refused = cli.run("keys", "drop", new, status=1)
    assert "next: first run: gitu keys rotate" in refused.stderr
    assert old not in cli.run("keys", "drop", old).stdout
    assert cli.run("ask", "--session", "s", "6*7").stdout
    doctor = {each["what"]: each for each in json.loads(cli.run("doctor", "--json").stdout)}
    assert {each["state"] for each in doctor.values()} == {"ok", "unused"}
    assert doctor["master key"]["detail"].startswith(f"{new} from ")


def test_a_key_is_added_for_an_older_backup(cli: Cli, tmp_path: Path) -> None:
    cli.run("ask", "6*7")
    (old,) = known(cli)["wraps"]  # type: ignore[misc]
    shutil.copy(cli.home / "master.key", tmp_path / "old.key")
    cli.run("backup", str(tmp_path / "copy"))
    cli.run("keys", "rotate")
    cli.run("keys", "drop", old)
    home = tmp_path / "other"
    home.mkdir()
    shutil.copy(cli.home / "master.key", home)
    elsewhere = ("--home", str(home))
    restored = cli.run(*elsewhere, "restore", str(tmp_path / "copy"))
    assert f"it needs the master key {old}, which is not here" in restored.stderr
    assert "next: " in restored.stderr
    refused = cli.run(*elsewhere, "sessions", status=1)
    assert f"sealed with the master key {old}; here is" in refused.stderr
    added = cli.run(*elsewhere, "keys", "add", stdin=(tmp_path / "old.key").read_text())
    assert f"added: {old}" in added.stderr
    assert json.loads(cli.run(*elsewhere, "sessions", "--json").stdout)
    assert "standard input holds no key" in cli.run("keys", "add", stdin="%", status=1).stderr


def test_the_place_is_chosen_in_the_settings(cli: Cli, tmp_path: Path) -> None:
    cli.configure(f'master_key = "file:{tmp_path / "apart"}"\n')
    cli.run("ask", "6*7")
    assert not (cli.home / "master.key").exists()
    assert str(tmp_path / "apart") in cli.run("keys").stdout
    (tmp_path / "apart").chmod(0o640)
    refused = cli.run("ask", "6*7", status=1)
    assert f"next: chmod 600 {tmp_path / 'apart'}" in refused.stderr
    doctor = json.loads(cli.run("doctor", "--json", status=1).stdout)
    assert doctor[-1]["hint"] == f"chmod 600 {tmp_path / 'apart'}"
    cli.configure('master_key = "keyring"\n')
    cli.env["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    assert "no keyring of the operating system here" in cli.run("ask", "6*7", status=1).stderr
    cli.configure('master_key = "vault:x"\n')
    assert "use env:NAME, file:/path or keyring:NAME" in cli.run("ask", "6*7", status=1).stderr


def test_a_wrong_key_names_both_and_nothing_is_changed(cli: Cli) -> None:
    cli.run("ask", "6*7")
    (right,) = known(cli)["wraps"]  # type: ignore[misc]
    cli.env["GITU_MASTER_KEY"] = base64.b64encode(os.urandom(32)).decode()
    refused = cli.run("ask", "6*7", status=1)
    assert f"sealed with the master key {right}" in refused.stderr
    assert "next: set GITU_MASTER_KEY to it" in refused.stderr
    assert cli.env["GITU_MASTER_KEY"] not in refused.stderr
    del cli.env["GITU_MASTER_KEY"]
    cli.run("ask", "6*7")


async def beside(cli: Cli, *words: str) -> int:
    """How many turns an assistant finishes, of one user it knows and of new ones, while a command runs beside it."""
    async with Gitu(model=FunctionModel(lambda request: "yes"), home=cli.home) as gitu:
        turns = 0
        await gitu.send("first", user="ana")
        command = asyncio.create_task(asyncio.to_thread(cli.run, *words))
        while not command.done():
            turns += 1
            for user in ("ana", f"new {turns}"):
                assert (await gitu.send(f"message {turns}", user=user)).text == "yes"
            await asyncio.sleep(0.05)
        await command
        assert len(await gitu.history((await gitu.sessions("ana"))[0].id, 9999)) == 2 * turns + 2
    return turns


@pytest.mark.parametrize("people", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_turns_run_on_while_keys_are_replaced(cli: Cli, people: bool) -> None:
    assert asyncio.run(beside(cli, "keys", "rotate", *["--people"] * people)) > 1
    status = known(cli)
    assert list(status["wraps"]) == [status["current"]]  # type: ignore[call-overload]
    assert "renewing" not in status
    assert len(json.loads(cli.run("sessions", "--json").stdout)) > 1
    doctor = {each["what"]: each for each in json.loads(cli.run("doctor", "--json").stdout)}
    assert doctor["store"]["state"] == "ok"
    if not people:
        cli.run("keys", "drop", status["known"][1])  # type: ignore[index]
        cli.run("doctor")
