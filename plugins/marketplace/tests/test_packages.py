"""What makes a package one, what of it is left out and said so, and what is not read at all."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from gitu_core.errors import Denied, InputError
from gitu_marketplace import bundle, making, packages
from gitu_marketplace.deal import Dealer
from gitu_marketplace.listing import show
from gitu_marketplace.offers import Market
from tests.wheels import write_plugin

from .packs import MCP, PLUGIN, SKILL, write_package

WIRE = {"wire": SKILL.format(name="wire")}
STDIO = {"type": "stdio", "command": "lampd"}


def unused(path: Path) -> str:
    """What is not used of a package, in one text."""
    return "\n".join(packages.read(path).unused)


def test_the_smallest_package_is_a_skill(tmp_path: Path) -> None:
    found = packages.read(write_package(tmp_path, skills=WIRE))
    assert (found.id, found.version, found.title) == ("lamps", "1.0.0", "All about lamps.")
    assert [each.name for each in found.skills] == ["wire"]
    assert found.unused == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is no JSON"),
        ("[]", "is no object"),
        ('{"name": "lamps"}', "is for nothing, only Agent Plugins 1.0.0"),
        (json.dumps({"$schema": PLUGIN.replace("1.0.0", "2.0.0"), "name": "lamps"}), "2.0.0"),
        (json.dumps({"$schema": PLUGIN}), "the name '' in plugin.json is none"),
        (json.dumps({"$schema": PLUGIN, "name": "Lamps"}), "is none"),
        (json.dumps({"$schema": PLUGIN, "name": "la--mps"}), "is none"),
        (json.dumps({"$schema": PLUGIN, "name": "../lamps"}), "is none"),
        (json.dumps({"$schema": PLUGIN, "name": "l" * 65}), "is none"),
        (json.dumps({"$schema": PLUGIN, "name": "l" * 60}), "cannot be the id of a plugin"),
        (json.dumps({"$schema": PLUGIN, "name": 3}), "field name"),
        (json.dumps({"$schema": PLUGIN, "name": "lamps", "version": 1}), "field version"),
        (json.dumps({"$schema": PLUGIN, "name": "lamps", "author": {"phone": "1"}}), "author or keywords"),
        (json.dumps({"$schema": PLUGIN, "name": "lamps", "keywords": [1]}), "author or keywords"),
        ("[" * 100_000, "is no JSON"),
        (" " * (1 << 20) + "{}", "more than 1 MiB"),
    ],
)
def test_a_manifest_that_is_none_is_refused(text: str, why: str, tmp_path: Path) -> None:
    path = write_package(tmp_path, skills=WIRE)
    (path / "plugin.json").write_text(text)
    with pytest.raises(InputError, match=why):
        packages.read(path)


def test_what_the_format_does_not_have_is_named_and_ignored(tmp_path: Path) -> None:
    files = {"hooks/hooks.json": "{}", "commands/x.md": "x", "agents/a.md": "a", "LICENSE": "MIT", "README.md": "x",
             "com.example.client/x": "", ".mcp.json": "{}", "skills/wire/scripts/run.sh": "true"}  # fmt: skip
    skill = {"wire": SKILL.format(name="wire").replace("description:", "allowed-tools: Bash(*)\ndescription:")}
    path = write_package(tmp_path, skills=skill, files=files, hooks={"a": 1}, extensions={"com.example.client": {}})
    assert unused(path).splitlines() == [
        "field hooks of plugin.json: the format has none of that name",
        "extension com.example.client: it is for another program",
        "scripts of the skill wire: they can be read, and are not run",
        "allowed-tools of the skill wire: a skill allows nothing",
        ".mcp.json: the format has no such thing",
        "agents/: the format has no such thing",
        "com.example.client/: the format has no such thing",
        "commands/: the format has no such thing",
        "hooks/: the format has no such thing",
    ]
    with_program = write_package(
        tmp_path, "more", skills=skill, files={**files, "bin/lampd": ""}, servers={"a": STDIO}, extensions=3
    )
    assert "extensions of plugin.json: it is no table" in unused(with_program)
    assert "hooks/" in unused(with_program)
    assert "com.example.client/" in unused(with_program)
    assert "bin/" not in unused(with_program)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("# wire", "does not begin with"),
        ("---\nname: wire\n", "does not begin with"),
        ("---\nname: other\ndescription: x\n---\n", "disagree"),
        ("---\nname: wire\n---\n", "description"),
        ("---\nname: wire\ndescription: [a]\n---\n", "description"),
        (f"---\nname: wire\ndescription: {'x' * 1_025}\n---\n", "description"),
        ("---\nname: *a\ndescription: x\n---\n", "refers to parts of itself"),
        ("---\na: &a [x, x]\nb: [*a, *a]\nname: wire\ndescription: x\n---\n", "refers to parts of itself"),
        ("---\nname: !!python/object/apply:os.system [true]\ndescription: x\n---\n", "no YAML"),
        (f"---\na: {'[' * 5_000}\n---\n", "too deep"),
        (f"---\n{'- ' * 5_000}\n---\n", "skill wire: "),
        ("---\n- a\n---\n", "no table"),
    ],
)
def test_a_skill_that_is_none_is_left_out(text: str, why: str, tmp_path: Path) -> None:
    path = write_package(tmp_path, skills={"wire": text, "good": SKILL.format(name="good")})
    assert [each.name for each in packages.read(path).skills] == ["good"]
    assert why in unused(path)
    with pytest.raises(InputError, match="neither a skill nor a server"):
        packages.read(write_package(tmp_path, "only", skills={"wire": text}))


HTTP = {"type": "streamable-http", "url": "https://lamps.example.org/mcp"}


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (3, "type"),
        ({"type": "sse", "url": "https://a.example/sse"}, "sse"),
        ({"type": "websocket"}, "type"),
        ({**STDIO, "shell": True}, "has no shell"),
        ({**STDIO, "url": "https://a.example"}, "has no url"),
        ({"type": "stdio"}, "needs a command"),
        ({**STDIO, "command": "lampd --all; rm -rf /"}, "neither the name of a program"),
        ({**STDIO, "command": "/bin/sh"}, "neither the name of a program"),
        ({**STDIO, "command": "$(id)"}, "neither the name of a program"),
        ({**STDIO, "command": "${PLUGIN_ROOT}/x"}, "neither the name of a program"),
        ({**STDIO, "command": "./../x"}, "leaves the package"),
        ({**STDIO, "command": "./absent"}, "not in the package"),
        ({**STDIO, "args": "x"}, "list of args"),
        ({**STDIO, "args": [1]}, "texts"),
        ({**STDIO, "args": ["a\x1b[2J"]}, "can be shown"),
        ({**STDIO, "args": ["a\u202eb"]}, "can be shown"),
        ({**STDIO, "args": ["a\nb"]}, "can be shown"),
        ({**STDIO, "args": ["x" * 3_000]}, "can be shown"),
        ({**STDIO, "args": ["--key=${API_KEY}"]}, r"\$\{API_KEY\} cannot stand in args"),
        ({**STDIO, "cwd": "/tmp"}, "cwd"),
        ({**STDIO, "cwd": "./a/../../b"}, "leaves the package"),
        ({**STDIO, "cwd": "${PLUGIN_DATA}/../x"}, "leaves the package"),
        ({**STDIO, "env": {"PLUGIN_ROOT": "/"}}, "may not set PLUGIN_ROOT"),
        ({**STDIO, "env": {"LD_PRELOAD": "./x.so"}}, "may not set LD_PRELOAD"),
        ({**STDIO, "env": {"A B": "x"}}, "may not set A B"),
        ({**STDIO, "env": {"A": 1}}, "table of texts"),
        ({**STDIO, "env": {"A": "${API_KEY:-none}"}}, "only .* in capitals"),
        ({**STDIO, "env": {"A": "${API_KEY"}}, "only .* in capitals"),
        ({**STDIO, "env": {"A": "${env:HOME}"}}, "only .* in capitals"),
        ({**HTTP, "url": "http://lamps.example.org/mcp"}, "no TLS"),
        ({**HTTP, "url": "http://169.254.169.254/mcp"}, "no TLS"),
        ({**HTTP, "url": "https://me:secret@lamps.example.org/"}, "https://HOST/PATH"),
        ({**HTTP, "url": "https://*.example.org/"}, "https://HOST/PATH"),
        ({**HTTP, "url": "https://a.example/#x"}, "https://HOST/PATH"),
        ({**HTTP, "url": "https://a.example/\nx"}, "https://HOST/PATH"),
        ({**HTTP, "url": "file:///etc/passwd"}, "https://HOST/PATH"),
        ({**HTTP, "url": "https://a.example:x/"}, "its url is none"),
        ({**HTTP, "url": "https://a.example/?key=${API_KEY}"}, "cannot stand in its url"),
        ({**HTTP, "headers": {"X-A": "1", "x-a": "2"}}, "twice"),
        ({**HTTP, "headers": {"Host": "b.example"}}, "may not set the header"),
        ({**HTTP, "headers": {"Mcp-Session-Id": "1"}}, "may not set the header"),
        ({**HTTP, "headers": {"X-A": "a\r\nX-B: c"}}, "is none"),
        ({**HTTP, "headers": {"X-A": "{secret:OTHER}"}}, "is none"),
        ({**HTTP, "headers": {"X-A": "${PLUGIN_ROOT}"}}, "cannot hold PLUGIN_ROOT"),
    ],
)
def test_a_server_that_is_none_is_left_out(entry: Any, why: str, tmp_path: Path) -> None:
    import re

    path = write_package(tmp_path, skills=WIRE, servers={"bad": entry, "good": STDIO})
    assert list(packages.read(path).servers) == ["good"]
    assert re.search(f"server bad: .*{why}", unused(path)), unused(path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "mcp.json: "),
        (json.dumps({"$schema": MCP.replace("1.0.0", "1.1.0"), "mcpServers": {}}), "another version"),
        (json.dumps({"$schema": MCP, "mcpServers": {}, "more": 1}), "needs exactly"),
        (json.dumps({"$schema": MCP, "mcpServers": {f"s{number}": STDIO for number in range(33)}}), "more than 32"),
        (json.dumps({"$schema": MCP, "mcpServers": {"a\x1b[2J": STDIO}}), "its name has to be"),
        (json.dumps({"mcpServers": {}}), "needs exactly"),
    ],
)
def test_servers_that_cannot_be_read_leave_the_skills(text: str, why: str, tmp_path: Path) -> None:
    path = write_package(tmp_path, skills=WIRE, files={"mcp.json": text})
    assert packages.read(path).servers == {}
    assert why in unused(path)
    assert "\x1b" not in unused(path)


def zipped(file: Path, *members: tuple[Any, str]) -> Path:
    """An archive with exactly these members."""
    with zipfile.ZipFile(file, "w") as archive:
        for member, text in members:
            archive.writestr(member, text)
    return file


def odd(name: str, mode: int) -> zipfile.ZipInfo:
    """A member of another kind."""
    member = zipfile.ZipInfo(name)
    member.external_attr = mode << 16
    return member


MANIFEST = json.dumps({"$schema": PLUGIN, "name": "lamps"})
GOOD = (("plugin.json", MANIFEST), ("skills/wire/SKILL.md", WIRE["wire"]))


def test_an_archive_is_a_package_with_or_without_its_folder(tmp_path: Path) -> None:
    flat = packages.read(zipped(tmp_path / "flat.zip", *GOOD))
    inside = packages.read(zipped(tmp_path / "deep.ZIP", *((f"lamps-main/{name}", text) for name, text in GOOD)))
    assert flat.files == inside.files
    assert flat.version == inside.version
    assert flat.version.startswith("0+"), "without a version of its own, its content is the version"


@pytest.mark.parametrize(
    ("member", "why"),
    [
        ("../evil", "leaves its folder"),
        ("skills/../../evil", "leaves its folder"),
        ("/etc/evil", "leaves its folder"),
        ("C:\\evil", "is no name for a file"),
        ("a\x1bb", "is no name for a file"),
        (odd("skills/link", stat.S_IFLNK | 0o777), "is a link or a device"),
        (odd("skills/pipe", stat.S_IFIFO | 0o666), "is a link or a device"),
    ],
)
def test_an_odd_member_is_refused(member: Any, why: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=why):
        packages.read(zipped(tmp_path / "odd.zip", *GOOD, (member, "x")))
    assert list(tmp_path.iterdir()) == [tmp_path / "odd.zip"]


def test_no_member_stands_in_the_way_of_what_gitu_brings(tmp_path: Path) -> None:
    file = zipped(
        tmp_path / "odd.zip", *GOOD, ("gitu_core/__init__.py", "x"), ("sitecustomize.py", "x"), ("a.pth", "x")
    )
    made = making.make(packages.read(file), tmp_path / "home", tmp_path)
    with zipfile.ZipFile(made.file) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert tops == {"agent_lamps", f"agentplugin_lamps-{made.version}.dist-info"}


def test_an_archive_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MOST_BYTES", 1 << 20)
    with pytest.raises(InputError, match="more than 5000 files or 1 MiB"):
        packages.read(zipped(tmp_path / "large.zip", *GOOD, ("x", "x" * (1 << 20))))
    with pytest.raises(InputError, match="more than 5000 files"):
        packages.read(write_package(tmp_path, skills=WIRE, files={"x": "x" * (1 << 20)}))
    lying = zipped(tmp_path / "lying.zip", *GOOD, ("x", "x" * 5_000))
    data = lying.read_bytes()
    lying.write_bytes(data.replace((5_000).to_bytes(4, "little"), (5).to_bytes(4, "little")))
    with pytest.raises(InputError, match="cannot be installed"):
        packages.read(lying)
    monkeypatch.setattr(bundle, "MOST_FILES", 2)
    with pytest.raises(InputError, match="more than 2 files"):
        packages.read(zipped(tmp_path / "many.zip", *GOOD, ("x", "x")))


def test_what_is_no_archive_or_no_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "torn.zip").write_bytes(b"PK\3\4 not an archive")
    with pytest.raises(InputError, match="cannot be installed"):
        packages.read(tmp_path / "torn.zip")
    with pytest.raises(InputError, match=r"has no plugin\.json"):
        packages.read(zipped(tmp_path / "other.zip", ("a/x", "x"), ("b/y", "y")))
    project = write_package(tmp_path, skills=WIRE, files={"pyproject.toml": ""})
    assert not bundle.is_package(project), "a project is built as before"
    assert not bundle.is_package(tmp_path)


def test_a_plugin_of_another_program_is_named(tmp_path: Path, dealer: Dealer) -> None:
    (tmp_path / "theirs/.some-plugin").mkdir(parents=True)
    (tmp_path / "theirs/.some-plugin/plugin.json").write_text('{"name": "theirs"}')
    with pytest.raises(InputError, match=r"for another program \(\.some-plugin\)"):
        dealer.install(str(tmp_path / "theirs"), yes=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes and links: run it on a POSIX system")
def test_a_folder_is_read_no_further_than_it_goes(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    path = write_package(tmp_path, skills=WIRE, files={".git/config": "x"})
    (path / "also").symlink_to("plugin.json")
    assert packages.read(path).files["also"].data == (path / "plugin.json").read_bytes()
    assert ".git/config" not in packages.read(path).files
    (path / "out").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="leads elsewhere"):
        packages.read(path)
    (path / "out").unlink()
    (path / "out").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(InputError, match="leads elsewhere"):
        packages.read(path)
    (path / "out").unlink()
    os.mkfifo(path / "out")
    with pytest.raises(InputError, match="leads elsewhere, or no file"):
        packages.read(path)


def test_the_same_package_gives_the_same_wheel(tmp_path: Path) -> None:
    path = write_package(tmp_path, skills=WIRE, servers={"a": STDIO}, files={'bin/a,"b"': "x"})
    (path / "bin/run").write_text("#!/bin/sh")
    (path / "bin/run").chmod(0o755)
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        found.append(making.make(packages.read(path), tmp_path / "home", tmp_path / name))
    assert found[0].sha256 == found[1].sha256


LISTED = """\
it wants:
  contributes: command
  contributes: tool
  facet: http
  facet: secrets
  files: {home}/package-data/lamps
  hook: gitu_commands
  hook: gitu_stop
  hook: gitu_tools
  network: lamps.example.org
  programs: starts other programs
  secret: LAMP_KEY (revealed)
  secret: LAMP_TOKEN (injected for lamps.example.org)
  server here: none of its tools is agreed to yet
  server here: runs npx -y 'lampd; rm -rf /' in sub, without a network; environment: {set}
  server there: asks https://lamps.example.org/mcp; headers: Authorization
  server there: none of its tools is agreed to yet
  skill: wire: How to wire things. Use it when something has to be done with wire.
not used: server old: it speaks the transport sse, which is out of use
not used: hooks/: the format has no such thing
"""


def test_consent_is_for_everything_in_words(
    tmp_path: Path, home: Path, dealer: Dealer, capsys: pytest.CaptureFixture[str]
) -> None:
    servers = {
        "here": {"type": "stdio", "command": "npx", "args": ["-y", "lampd; rm -rf /"], "cwd": "./sub",
                 "env": {"KEY": "${LAMP_KEY}", "PLAIN": "${PLUGIN_DATA}/x"}},
        "there": {**HTTP, "headers": {"Authorization": "Bearer ${LAMP_TOKEN}"}},
        "old": {"type": "sse", "url": "https://a.example/sse"},
    }  # fmt: skip
    path = write_package(tmp_path, skills=WIRE, servers=servers, files={"hooks/hooks.json": "{}"})
    with pytest.raises(Denied, match="Install lamps"):
        dealer.install(str(path))
    assert not dealer.shelf.has("lamps")
    shown = capsys.readouterr().err
    assert LISTED.format(home=home, set="KEY='${LAMP_KEY}', PLAIN='${PLUGIN_DATA}/x'") in shown
    dealer.install(str(path), yes=True)
    assert "runs npx -y 'lampd; rm -rf /'" in show(Market(dealer.market._sources), dealer.shelf, "lamps")
    assert (home / "package-data/lamps").is_dir()


def test_it_is_a_plugin_as_any_other(tmp_path: Path, home: Path, dealer: Dealer, monkeypatch: Any) -> None:
    path = write_package(tmp_path, skills=WIRE)
    dealer.install(str(path), yes=True)
    assert dealer.verify(["lamps"])[1]
    # An update that wants nothing new is not asked about; one that does, is.
    write_package(tmp_path, version="1.1.0", skills={"wire": SKILL.format(name="wire") + "More."})
    assert "1.0.0 was replaced by 1.1.0" in dealer.install(str(path))
    write_package(tmp_path, version="1.2.0", servers={"a": STDIO})
    with pytest.raises(Denied, match="wants more"):
        dealer.install(str(path))
    assert dealer.shelf.installed("lamps").version == "1.1.0"
    dealer.install(str(path), yes=True)
    said = dealer.rollback("lamps")
    assert "back from 1.2.0 to 1.1.0" in said
    assert "no longer wants: programs" in said
    assert dealer.verify(["lamps"])[1]
    with pytest.raises(InputError, match="tells of no newer ones"):
        dealer.update(["lamps"])
    assert "left as it is" in dealer.update([])
    skill = next(home.glob("plugins/lamps/1.1.0-*/agent_lamps/package/skills/wire/SKILL.md"))
    skill.write_text("changed")
    assert "changed: agent_lamps/package/skills/wire/SKILL.md" in dealer.verify(["lamps"])[0]
    monkeypatch.setattr(Dealer, "_gitu", lambda self, *words: "")
    dealer.remove("lamps", keep_state=True)
    assert (home / "package-data/lamps").is_dir()
    dealer.install(str(path), yes=True)
    dealer.remove("lamps")
    assert not (home / "package-data/lamps").exists()
    assert not dealer.shelf.has("lamps")


@pytest.mark.parametrize(("name", "why"), [("basics", "part of this installation"), ("gitu", "cannot be the id")])
def test_an_id_of_gitu_is_not_to_be_had(name: str, why: str, tmp_path: Path, dealer: Dealer) -> None:
    with pytest.raises(InputError, match=why):
        dealer.install(str(write_package(tmp_path, name, skills=WIRE)), yes=True)


def test_the_id_of_another_plugin_is_not_to_be_had(tmp_path: Path, dealer: Dealer) -> None:
    dealer.install(str(write_plugin(tmp_path, "lamps")), yes=True)
    with pytest.raises(InputError, match="installed from x-lamps"):
        dealer.install(str(write_package(tmp_path, skills=WIRE)), yes=True)
    dealer.install(str(write_package(tmp_path, "acme.tools", skills=WIRE)), yes=True)
    with pytest.raises(InputError, match="it was installed as 'acme_tools'"):
        dealer.install(str(write_package(tmp_path, "acme-tools", skills=WIRE)), yes=True)
    with pytest.raises(InputError, match="is no Agent Plugins package"):
        dealer.tools("lamps")
    with pytest.raises(InputError, match="has no servers"):
        dealer.tools("acme_tools")


def test_a_wheel_cannot_borrow_what_packages_are_lent(tmp_path: Path, home: Path, dealer: Dealer) -> None:
    claim = (zipfile.ZipInfo("release.json"), b'{"runtime": "gitu_marketplace"}')
    dealer.install(str(write_plugin(tmp_path, "lamp", extra=[claim])), yes=True)
    pin = home / "plugins/lamp" / dealer.shelf.name("lamp") / "release.json"
    assert "runtime" not in json.loads(pin.read_bytes())


def test_everything_that_the_library_needs_is_lent() -> None:
    """Whoever upgrades the library learns here what it needs by now."""
    import re
    from importlib.metadata import PackageNotFoundError, packages_distributions, requires

    from packaging.requirements import Requirement

    def plain(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    needed, left = set[str](), ["mcp", "cryptography", "cffi"]
    while left:
        name = plain(left.pop())
        if name not in needed:
            try:
                lines = [Requirement(each) for each in requires(name) or ()]
            except PackageNotFoundError:  # for another platform or Python
                continue
            needed.add(name)
            left += [each.name for each in lines if each.marker is None or each.marker.evaluate({"extra": ""})]
    modules = {top for top, owners in packages_distributions().items() if {plain(each) for each in owners} & needed}
    lent = set(Path(making.__file__).with_name("runtime.txt").read_text().split())
    every_worker = {"annotated_types", "anyio", "attr", "attrs", "docstring_parser", "idna", "jsonschema",
                    "jsonschema_specifications", "msgspec", "pydantic", "pydantic_core", "referencing", "rpds",
                    "sniffio", "typing_extensions", "typing_inspection"}  # fmt: skip
    assert {each for each in modules if not each.startswith("__")} - lent - every_worker == set()
