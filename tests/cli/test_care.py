"""`gitu doctor`, `gitu backup`, `gitu restore`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.cli.driver import UNREACHABLE, Cli
from tests.registry.conftest import Site


def findings(cli: Cli, status: int = 0, *words: str) -> dict[str, dict[str, str]]:
    """What the doctor found, by what was looked at."""
    found = json.loads(cli.run("doctor", "--json", *words, status=status).stdout)
    return {each["what"]: each for each in found}


def test_a_healthy_installation_is_called_so(cli: Cli) -> None:
    found = findings(cli)
    assert {each["state"] for each in found.values()} == {"ok", "unused"}
    assert {"gitu", "home", "store", "plugin basics", "provider offline", "model"} <= set(found)
    lines = cli.run("doctor").stdout.splitlines()
    assert len(lines) == len(found)
    assert all(line.startswith(("ok ", "unused ")) for line in lines)


def test_each_provider_is_usable_or_says_what_is_missing(cli: Cli) -> None:
    del cli.env["GITU_BLOCK_MODELS"]  # it would be the reason; nothing is asked here
    found = findings(cli)
    assert (found["provider offline"]["state"], found["provider offline"]["detail"]) == ("ok", "usable")
    assert (found["provider openai"]["state"], found["provider openai"]["detail"]) == (
        "unused", "needs the secret OPENAI_API_KEY",
    )  # fmt: skip
    assert "[secrets]" in found["provider openai"]["hint"]
    cli.env.update(UNREACHABLE)
    assert findings(cli)["provider openai"]["detail"] == "usable"


def test_asking_notices_a_model_that_does_not_answer_and_no_other_answers_for_it(cli: Cli) -> None:
    assert "answered in" in findings(cli, 0, "--ask")["answer"]["detail"]
    cli.env.update(UNREACHABLE)
    assert "answer" not in findings(cli)
    answer = findings(cli, 1, "--ask")["answer"]
    assert answer["state"] == "failed"
    assert answer["detail"].startswith("openai/")
    assert answer["hint"]


def test_who_lost_a_name_to_another_plugin_is_a_warning(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.tool("zebra", "clock")
    cli = Cli(tmp_path, site.folder)
    cli.configure("[plugins.zebra]\nenabled = true\n")
    zebra = findings(cli)["plugin zebra"]
    assert zebra["state"] == "warning"
    assert "the tool 'clock' comes from basics; this one is reached as 'zebra:clock'" in zebra["detail"]


def test_a_broken_setting_is_named_with_its_field(cli: Cli) -> None:
    cli.configure("max_turns = 'many'\n")
    found = findings(cli, status=1)
    assert "max_turns" in found["settings"]["detail"]
    assert found["settings"]["hint"]
    shown = cli.run("doctor", status=1).stdout
    assert "next: correct gitu.toml" in shown


def test_a_broken_word_of_the_operator_is_told_and_not_passed_over(cli: Cli) -> None:
    cli.home.mkdir()
    (cli.home / "plugins.json").write_text("{")
    found = findings(cli, status=1)
    assert "plugins.json" in found["start"]["detail"]
    assert "gitu plugins enable" in found["start"]["hint"]


def test_a_plugin_that_cannot_run_fails_the_examination(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.install("torn", "1 / 0")
    cli = Cli(tmp_path, site.folder)
    cli.configure("[plugins.torn]\nenabled = true\n")
    found = findings(cli, status=1)
    assert found["plugin torn"]["state"] == "failed"
    assert "ZeroDivisionError" in found["plugin torn"]["detail"]
    assert found["plugin torn"]["hint"]
    assert found["plugin basics"]["state"] == "ok"


def test_a_model_that_cannot_be_used_fails_the_examination(cli: Cli) -> None:
    cli.configure("model = 'nowhere/model'\n[plugins.offline]\nenabled = false\n")
    found = findings(cli, status=1)
    assert found["model"]["state"] == "failed"
    assert found["model"]["hint"]


def test_a_damaged_database_is_told_with_the_next_step(cli: Cli) -> None:
    for text in ("1+1", "2+2"):
        cli.run("ask", text)
    (database,) = cli.home.glob("*.db")
    whole = database.read_bytes()
    database.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    database.with_name(f"{database.name}-wal").unlink(missing_ok=True)
    found = findings(cli, status=1)
    assert found["store"]["state"] == "failed"
    assert found["store"]["hint"]


def test_a_backup_is_put_back_into_another_home_and_nowhere_else(cli: Cli, tmp_path: Path) -> None:
    reply = json.loads(cli.run("ask", "--json", "--session", "kept", "6*7").stdout)
    copy = tmp_path / "copy.gitu"
    written = cli.run("backup", str(copy))
    assert str(copy) in written.stdout
    assert "keep a copy of" in written.stderr
    elsewhere = ("--home", str(tmp_path / "elsewhere"))
    assert "restored into" in cli.run(*elsewhere, "restore", str(copy)).stdout
    sealed = cli.run(*elsewhere, "sessions", status=1)
    assert "next: set GITU_MASTER_KEY or put the file master.key back" in sealed.stderr
    shutil.copy(cli.home / "master.key", tmp_path / "elsewhere")
    listed = json.loads(cli.run(*elsewhere, "sessions", "--json").stdout)
    assert [each["id"] for each in listed] == [reply["session"]]
    for words in (("restore", str(copy)), (*elsewhere, "restore", str(tmp_path / "missing"))):
        refused = cli.run(*words, status=1)
        assert "next: " in refused.stderr
