"""A settings file is changed without touching the rest of it, all at once, and only into a good one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.config import SecretSource, Settings, load
from gitu_core.errors import ConfigError, InputError
from gitu_core.locks import lock
from gitu_core.settings import change, changed, keep_secret_file

WRITTEN = """\
# mine
model = "offline"     # the one that needs nothing

[plugins.example]
enabled = true        # since May
names = ["a", "b"]

[budgets.daily]
cost = 1.0
"""


def test_what_is_not_changed_stays_as_it_was_written(tmp_path):
    file = tmp_path / "gitu.toml"
    file.write_text(WRITTEN)
    settings = change(file, [(("plugins", "example", "port"), 8765), (("model",), ["a/b", "c"])])
    text = file.read_text()
    for line in ("# mine", "enabled = true        # since May", 'names = ["a", "b"]', "# the one that needs nothing"):
        assert line in text
    assert settings.plugins["example"]["port"] == 8765
    assert settings.wanted == ("a/b", "c")
    assert load(file, {}).plugins == settings.plugins


def test_a_value_is_taken_back_and_a_new_section_is_made(tmp_path):
    file = tmp_path / "gitu.toml"
    file.write_text(WRITTEN)
    change(
        file, [(("plugins", "example", "names"), None), (("plugins", "other", "enabled"), True), (("gone", "x"), None)]
    )
    found = tomllib.loads(file.read_text())
    assert found["plugins"] == {"example": {"enabled": True}, "other": {"enabled": True}}
    assert "gone" not in found


def test_a_file_that_is_not_there_is_made_for_its_owner_alone(tmp_path):
    file = tmp_path / "deep" / "gitu.toml"
    change(file, [(("model",), "offline")])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load(file, {}).file == str(file)


def test_who_could_read_it_can_read_it_afterwards_and_a_link_stays_one(tmp_path):
    real, link = tmp_path / "real.toml", tmp_path / "gitu.toml"
    real.write_text(WRITTEN)
    real.chmod(0o640)
    link.symlink_to(real)
    change(link, [(("model",), "a")])
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert tomllib.loads(real.read_text())["model"] == "a"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ([(("max_turns",), "many")], "max_turns"),
        ([(("model",), "good"), (("budgets", "daily", "cost"), -1.0)], "budgets.daily.cost"),
        ([(("nothing",), 1)], "nothing"),
        ([(("file",), "x")], "file"),
        ([(("model", "deeper"), 1)], "gitu.toml"),
        ([(("model",), object())], "gitu.toml"),
    ],
)
def test_a_change_that_would_not_be_good_changes_nothing_and_names_the_field(tmp_path, changes, field):
    file = tmp_path / "gitu.toml"
    file.write_text(WRITTEN)
    with pytest.raises(ConfigError) as error:
        change(file, changes)
    assert error.value.details["field"] == field
    assert file.read_text() == WRITTEN


def test_a_check_of_the_caller_counts(tmp_path):
    def check(settings: Settings) -> None:
        raise ConfigError("no", hint="never", field="plugins.example.port")

    file = tmp_path / "gitu.toml"
    file.write_text(WRITTEN)
    with pytest.raises(ConfigError):
        change(file, [(("plugins", "example", "port"), 1)], check)
    assert file.read_text() == WRITTEN


@pytest.mark.parametrize("written", ["model = [", "model = 'a'\nmodel = 'b'", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_left_alone(tmp_path, written):
    file = tmp_path / "gitu.toml"
    file.write_bytes(written if isinstance(written, bytes) else written.encode())
    before = file.read_bytes()
    with pytest.raises(ConfigError):
        change(file, [(("model",), "a")])
    assert file.read_bytes() == before


def test_many_who_change_it_at_once_lose_nothing(tmp_path):
    file = tmp_path / "gitu.toml"
    threads = [
        threading.Thread(target=change, args=(file, [(("plugins", f"p{number}", "enabled"), True)]))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(load(file, {}).plugins) == 8


def test_who_waits_too_long_for_another_one_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("gitu_core.settings.PATIENCE", 0.1)
    held = lock(tmp_path / ".gitu.toml.lock")
    with pytest.raises(ConfigError, match="changed by somebody else"):
        change(tmp_path / "gitu.toml", [(("model",), "a")])
    os.close(held)
    change(tmp_path / "gitu.toml", [(("model",), "a")])


values = st.one_of(
    st.booleans(), st.integers(-(2**60), 2**60), st.text(max_size=20), st.lists(st.text(max_size=5), max_size=3)
)
keys = st.text("abcXYZ-_. '\"é\n", min_size=1, max_size=8)


@given(st.lists(st.tuples(st.tuples(st.just("plugins"), keys, keys), values), max_size=8))
def test_any_keys_and_values_come_back(changes):
    found = tomllib.loads(changed(WRITTEN, changes))
    wanted = tomllib.loads(WRITTEN)
    for (_, section, key), value in changes:
        wanted["plugins"].setdefault(section, {})[key] = value
    assert found == wanted


def test_a_secret_is_kept_for_its_owner_alone_and_named_by_reference(tmp_path):
    keys, reference = keep_secret_file(tmp_path, "EXAMPLE_KEY", " s3cret\n")
    assert keys == ("secrets", "EXAMPLE_KEY")
    file = Path(reference.removeprefix("file:"))
    assert file.read_text() == "s3cret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("name", "secret"), [("../KEY", "x"), ("", "x"), ("KEY", " "), ("KEY", "a\nb"), ("KEY", "a\x00")]
)
def test_what_is_no_secret_is_refused(tmp_path, name, secret):
    with pytest.raises(InputError):
        keep_secret_file(tmp_path, name, secret)
    assert not list(tmp_path.rglob("*KEY*"))


@pytest.mark.parametrize(
    "written",
    [
        'plugins.web.enabled = true\nplugins.web.port = 1\nmodel = "x"\n',
        'model = "x"\nbudgets.daily.cost = 1.0\nplugins.example.enabled = true\nuser = "ana"\n',
        '[plugins]\nweb.enabled = true\nweb.port = 1\n\n[budgets]\ndaily.cost = 1.0\n',
        '[plugins]\nexample = {enabled = true}\n[plugins.web]\nport = 1\n',
    ],
)  # fmt: skip
def test_however_it_is_written_nothing_else_moves_or_gets_lost(tmp_path, written):
    file = tmp_path / "gitu.toml"
    file.write_text(written)
    wanted = tomllib.loads(written)
    for keys, value in (("other", "enabled"), True), (("web", "port"), 2), (("example", "names"), ["a"]):
        with suppress(ConfigError):
            change(file, [(("plugins", *keys), value)])
            wanted["plugins"].setdefault(keys[0], {})[keys[1]] = value
        assert tomllib.loads(file.read_text()) == wanted


def test_lines_end_as_they_ended(tmp_path):
    file = tmp_path / "gitu.toml"
    file.write_bytes(b'# mine\r\nmodel = "a" # best\r\nuser = "ana"\r\n')
    change(file, [(("model",), "b")])
    assert file.read_bytes() == b'# mine\r\nmodel = "b" # best\r\nuser = "ana"\r\n'


def _deep() -> dict[str, object]:
    found: dict[str, object] = {}
    for _ in range(3_000):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    "value",
    ["\ud800", _deep(), {"a": None}, [None], float("nan")],
    ids=["surrogate", "deep", "none", "none in a list", "nan"],
)
def test_a_value_that_no_file_can_hold_is_refused_and_changes_nothing(tmp_path, value):
    file = tmp_path / "gitu.toml"
    file.write_text(WRITTEN)
    with pytest.raises(ConfigError):
        change(file, [(("plugins", "example", "x"), value)])
    assert file.read_text() == WRITTEN


@pytest.mark.skipif(os.name != "posix", reason="modes and owners are those of POSIX: run it there")
def test_there_is_no_moment_in_which_others_cannot_read_it(tmp_path, monkeypatch):
    file = tmp_path / "gitu.toml"
    file.write_text(WRITTEN)
    file.chmod(0o644)
    seen = []
    real = os.fsync
    monkeypatch.setattr("os.fsync", lambda held: (seen.append(stat.S_IMODE(file.stat().st_mode)), real(held)))
    change(file, [(("model",), "a")])
    assert set(seen) == {0o644}


@pytest.mark.skipif(os.name != "posix", reason="modes and owners are those of POSIX: run it there")
def test_who_may_not_give_a_file_away_changes_it_all_the_same(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    file = tmp_path / "gitu.toml"
    file.write_text(WRITTEN)
    file.chmod(0o664)
    monkeypatch.setattr("os.fchown", refuse)
    change(file, [(("model",), "a")])
    assert tomllib.loads(file.read_text())["model"] == "a"
    assert stat.S_IMODE(file.stat().st_mode) == 0o664


@pytest.mark.skipif(os.name != "posix", reason="links are those of POSIX: run it there")
def test_a_lock_that_is_a_link_leads_to_no_other_file(tmp_path):
    treasure = tmp_path / "treasure"
    treasure.write_text("keep this")
    (tmp_path / ".gitu.toml.lock").symlink_to(treasure)
    with pytest.raises(ConfigError):
        change(tmp_path / "gitu.toml", [(("model",), "a")])
    assert treasure.read_text() == "keep this"


def test_a_secret_is_found_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, reference = keep_secret_file(Path("~") / "home", "EXAMPLE_KEY", "s3cret")
    monkeypatch.chdir("/")
    assert SecretSource(Settings(secrets={"EXAMPLE_KEY": reference}), {}).reveal("EXAMPLE_KEY") == "s3cret"


KILLED = """
import sys
from pathlib import Path
from gitu_core.settings import change, keep_secret_file
file, number = Path(sys.argv[1]), 0
print("ready", flush=True)
while True:
    number += 1
    change(file, [(("plugins", "example", "number"), number), (("plugins", "example", "same"), number)])
    keep_secret_file(file.parent, "EXAMPLE_KEY", f"s3cret-{number}-s3cret")
"""


def test_whoever_is_killed_in_the_middle_leaves_a_whole_file_and_no_lock(tmp_path):
    file = tmp_path / "gitu.toml"
    file.write_text(WRITTEN)
    for number in range(4):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(file)], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(0.15 + number * 0.037)
            process.kill()
        found = load(file, {}).plugins["example"]
        assert found["number"] == found["same"]
        assert "# since May" in file.read_text()
        secret = (tmp_path / "secrets" / "EXAMPLE_KEY").read_text()
        assert secret.startswith("s3cret-")
        assert secret.endswith("-s3cret")
    change(file, [(("model",), "a")])
    assert all(stat.S_IMODE(each.stat().st_mode) & 0o077 == 0 for each in (tmp_path / "secrets").iterdir())
