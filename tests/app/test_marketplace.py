"""An operator installs plugins from wheels, with commands alone: asked about permissions, rolled back, removed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.driver import Cli, signals_as_usual
from tests.wheels import write_plugin, write_wheel


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """`gitu`, whose installer knows only the wheels in the folder `wheels`."""
    cli = Cli(tmp_path / "here")
    (tmp_path / "wheels").mkdir()
    cli.env.update(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path / "wheels"), UV_NO_INDEX="1")
    cli.env.update(UV_FIND_LINKS=str(tmp_path / "wheels"), PIP_DISABLE_PIP_VERSION_CHECK="1")
    return cli


QUESTION = "Tell me the colour of lamp number 7"


def test_a_plugin_is_installed_updated_rolled_back_and_removed(cli: Cli, tmp_path: Path) -> None:
    first = write_plugin(tmp_path / "dist", "lamp", colour="green", capabilities='network = ["one.example.org"]')
    refused = cli.run("plugins", "install", str(first), status=1)
    assert "network: one.example.org" in refused.stderr
    assert "--yes" in refused.stderr
    assert "lamp" not in cli.run("plugins", "--fast").stdout
    installed = cli.run("plugins", "install", str(first), "--yes", "--enable")
    assert "lamp 1.0 was installed" in installed.stdout
    assert "The lamp 7 is green." in cli.run("ask", QUESTION).stdout

    more = 'network = ["one.example.org", "two.example.org"]'
    second = write_plugin(tmp_path / "dist", "lamp", "2.0", colour="red", capabilities=more)
    refused = cli.run("plugins", "install", str(second), status=1)
    assert "now wants: network: two.example.org" in refused.stderr
    assert "now wants: network: one.example.org" not in refused.stderr
    assert "The lamp 7 is green." in cli.run("ask", QUESTION).stdout
    cli.run("plugins", "install", str(second), "--yes")
    assert "The lamp 7 is red." in cli.run("ask", QUESTION).stdout
    assert "lamp 2.0: 6 files, as installed" in cli.run("plugins", "verify").stdout

    back = cli.run("plugins", "rollback", "lamp").stdout
    assert "back from 2.0 to 1.0" in back
    assert "no longer wants: network: two.example.org" in back
    assert "The lamp 7 is green." in cli.run("ask", QUESTION).stdout
    assert "no release of lamp before 1.0" in cli.run("plugins", "rollback", "lamp", status=1).stderr

    removed = cli.run("plugins", "remove", "lamp").stdout
    assert "what it stored stays" in removed
    assert not (cli.home / "plugins/lamp").exists()
    assert "The lamp" not in cli.run("ask", QUESTION).stdout
    # The yes went with it: who brings a plugin of this id again has to ask again.
    cli.run("plugins", "install", str(first), "--yes")
    listed = {each["id"]: each for each in json.loads(cli.run("plugins", "--json", "--fast").stdout)}
    assert listed["lamp"]["state"] == "disabled"


def test_two_plugins_that_need_incompatible_versions_of_a_library_both_work(cli: Cli, tmp_path: Path) -> None:
    for version, colour in (("1.0", "blue"), ("2.0", "grey")):
        write_wheel(tmp_path / "wheels", "colour-lib", version, {"colour_lib.py": f'COLOUR = "{colour}"\n'})
    for id, version in (("lamp", "1.0"), ("torch", "2.0")):
        needs = (f"colour-lib=={version}", "gitu-core>=0.1", "pydantic>=2")
        wheel = write_plugin(
            tmp_path, id, colour="{colour_lib.COLOUR}", more="import colour_lib\n", requires=needs, manifest=None
        )
        cli.run("plugins", "install", str(wheel), "--yes", "--enable")
    assert "The lamp 7 is blue." in cli.run("ask", QUESTION).stdout
    assert "The torch 7 is grey." in cli.run("ask", "Tell me the colour of torch number 7").stdout
    assert "with colour-lib 2.0" in cli.run("plugins", "show", "torch").stdout
    assert "pydantic" not in cli.run("plugins", "show", "torch").stdout
    folders = {each.name for each in (cli.home / "plugins/torch").glob("*/*")}
    assert "colour_lib.py" in folders
    assert not any(name.startswith(("pydantic", "gitu")) for name in folders)


def test_a_signed_index_is_added_searched_and_installed_from(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    write_plugin(folder, "lamp", colour="green", title="Colours of old lamps")
    made = cli.run("plugins", "index", "key", str(tmp_path / "key.pem")).stdout
    fingerprint = made.partition("fingerprint: ")[2].split()[0]
    cli.run("plugins", "index", "build", str(folder), "--key", str(tmp_path / "key.pem"), "--name", "ours")
    assert "nobody can be asked" in cli.run("plugins", "index", "add", str(folder), status=1).stderr.lower()
    cli.run("plugins", "index", "add", str(folder), "--fingerprint", fingerprint)
    assert "Colours of old lamps" in cli.run("plugins", "search", "old", "lamps").stdout
    assert "contributes: tool" in cli.run("plugins", "show", "lamp").stdout
    cli.run("plugins", "install", "lamp", "--yes", "--enable")
    assert "The lamp 7 is green." in cli.run("ask", QUESTION).stdout
    write_plugin(folder, "lamp", "1.1", colour="red", title="Colours of old lamps")
    cli.run("plugins", "index", "build", str(folder), "--key", str(tmp_path / "key.pem"))
    assert "1.0 was replaced by 1.1" in cli.run("plugins", "update").stdout
    assert "The lamp 7 is red." in cli.run("ask", QUESTION).stdout
    assert "1.1 is the newest" in cli.run("plugins", "update", "lamp").stdout


@pytest.mark.parametrize("trusted", [False, True])
def test_what_was_changed_after_it_was_installed_is_not_loaded(cli: Cli, tmp_path: Path, trusted: bool) -> None:
    wheel = write_plugin(tmp_path / "dist", "lamp", colour="green")
    cli.run("plugins", "install", str(wheel), "--yes", "--enable")
    cli.configure(f"[plugins.lamp]\ntrusted = {str(trusted).lower()}\n")
    (code,) = cli.home.glob("plugins/lamp/*/x_lamp/__init__.py")
    before = code.stat()
    for _ in range(2):  # also with the compiled copies that a trusted one leaves
        assert "The lamp 7 is green." in cli.run("ask", QUESTION).stdout
    code.write_text(code.read_text().replace("green", "black"))
    os.utime(code, ns=(before.st_atime_ns, before.st_mtime_ns))  # of the same size and as old as before
    asked = cli.run("ask", QUESTION)
    assert "black" not in asked.stdout
    (listed,) = [each for each in json.loads(cli.run("plugins", "--json").stdout) if each["id"] == "lamp"]
    assert (listed["state"], listed["hint"]) == ("quarantined", "install it again, or run: gitu plugins remove lamp")
    assert "x_lamp/__init__.py was changed" in listed["reason"]
    cli.run("plugins", "install", str(wheel), "--yes")
    assert "The lamp 7 is green." in cli.run("ask", QUESTION).stdout


def test_words_that_no_plugin_has_are_refused_as_before(cli: Cli) -> None:
    assert "invalid choice: 'instal'" in cli.run("plugins", "instal", status=2).stderr
    assert "no index" in cli.run("plugins", "index", "list").stdout
    assert "neither a file" in cli.run("plugins", "install", "no such thing", status=1).stderr


@pytest.mark.parametrize(("said", "status"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("\x03", 130)])
def test_a_person_is_asked_and_may_leave(cli: Cli, tmp_path: Path, said: str, status: int) -> None:
    wheel = write_plugin(tmp_path / "dist", "lamp", capabilities='files = ["~/Documents"]')
    ours, theirs = os.openpty()
    try:
        # A session of its own, whose terminal this is, so that Ctrl-C reaches it as it would from a keyboard.
        process = cli.start("plugins", "install", str(wheel), stdin=theirs, preexec_fn=_sit_down)
        os.close(theirs)
        assert process.stderr is not None
        seen = ""
        while not seen.endswith("[y/N] "):
            seen += process.stderr.read(1) or pytest.fail(seen)
        assert "files: ~/Documents" in seen
        os.write(ours, said.encode())
        process.communicate(timeout=60)
    finally:
        os.close(ours)
    assert process.returncode == status
    assert (cli.home / "plugins/lamp/current").exists() is (status == 0)


def _sit_down() -> None:
    """Makes standard input the terminal of this process."""
    import fcntl
    import termios

    signals_as_usual()
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_home_that_cannot_be_written_is_told(cli: Cli, tmp_path: Path) -> None:
    cli.home.mkdir()
    (cli.home / "plugins").write_text("not a folder")
    wheel = write_plugin(tmp_path / "dist", "lamp")
    assert "plugins" in cli.run("plugins", "install", str(wheel), "--yes", status=1).stderr
