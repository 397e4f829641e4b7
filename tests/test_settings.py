"""A settings file is changed without touching the rest of it, all at once, and only into a good one."""

from __future__ import annotations

import os
import stat
import threading
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.config import Settings, load
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
