"""Settings come from one file, the environment goes over it, and every mistake is named by its field."""

from __future__ import annotations

import os

import pytest

from gitu_core.config import SecretSource, Settings, default_home, from_dict, load, plugin_config
from gitu_core.errors import AuthFailed, ConfigError
from gitu_core.manifest import Manifest

SCHEMA = {
    "type": "object",
    "properties": {
        "base_url": {"type": "string", "x-env": "EXAMPLE_URL", "default": "http://localhost"},
        "retries": {"type": "integer", "x-env": "EXAMPLE_RETRIES", "maximum": 5},
    },
    "additionalProperties": False,
}
MANIFEST = Manifest(id="example", config=SCHEMA)


def test_the_file_is_read_and_the_environment_goes_over_it(tmp_path):
    file = tmp_path / "gitu.toml"
    file.write_text(
        'model = "a/b"\n[profiles.default]\ninstructions = "Be kind."\n[profiles.default.limits]\nsteps = 3\n'
    )
    settings = load(file, {"GITU_HOME": str(tmp_path), "GITU_MODEL": "c/d"})
    assert settings.wanted == ("c/d",)
    assert settings.profile("default").limits.steps == 3
    assert settings.home == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("mode = 1", "mode"),
        ("max_turns = 'many'", "max_turns"),
        ("[profiles.default]\ninstructions = 5", "profiles[...].instructions"),
        ("model = [", "gitu.toml"),
    ],
)
def test_a_mistake_is_named(tmp_path, text, field):
    file = tmp_path / "gitu.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, {"GITU_HOME": str(tmp_path)})
    assert field in str(caught.value)
    assert caught.value.hint


def test_a_file_that_was_named_has_to_be_there(tmp_path):
    with pytest.raises(ConfigError, match="there is no file"):
        load(tmp_path / "none.toml", {"GITU_HOME": str(tmp_path)})


def test_without_a_file_everything_has_a_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load(environ={"GITU_HOME": str(tmp_path)})
    assert settings.profile("default").tools == ("*",)
    assert default_home({"GITU_HOME": str(tmp_path)}) == tmp_path
    assert default_home({}).is_absolute()


def test_an_unknown_profile_is_named_with_those_that_are_known():
    with pytest.raises(ConfigError, match="default, writer"):
        from_dict({"profiles": {"writer": {}}}).profile("reader")


def test_secrets_are_found_by_reference_and_never_guessed(tmp_path):
    (tmp_path / "key").write_text("from-file\n")
    settings = from_dict(
        {
            "secrets": {"A": "env:OTHER", "B": f"file:{tmp_path}/key", "C": "file:/nowhere", "D": "odd:x"},
            "people": {"anna": {"secrets": {"A": "env:ANNAS"}}},
        }
    )
    secrets = SecretSource(settings, {"OTHER": "o", "ANNAS": "a", "PLAIN": "p"})
    assert secrets.reveal("platform:A") == "o"
    assert secrets.reveal("personal:anna:A") == "a"
    assert not secrets.has("personal:bob:A")
    assert secrets.reveal("B") == "from-file"
    assert secrets.reveal("PLAIN") == "p"
    with pytest.raises(AuthFailed, match="environment variable C"):
        secrets.reveal("C")
    with pytest.raises(ConfigError, match="D is neither") as caught:
        secrets.reveal("D")
    assert "odd:x" not in str(caught.value), "whoever wrote the secret itself there must not read it in a log"


def test_a_plugins_configuration_is_merged_and_checked():
    def config(values, environ=None):
        return plugin_config(MANIFEST, Settings(plugins={"example": values}), environ or {})

    assert config({}) == {"base_url": "http://localhost"}
    assert config({"enabled": True}, {"EXAMPLE_URL": "http://x"})["base_url"] == "http://x"
    assert config({"base_url": "http://y"}, {"EXAMPLE_URL": "http://x"})["base_url"] == "http://y"
    assert config({}, {"EXAMPLE_RETRIES": "3"})["retries"] == 3
    for wrong, environ in (({"retries": 9}, {}), ({"other": 1}, {}), ({}, {"EXAMPLE_RETRIES": "many"})):
        with pytest.raises(ConfigError) as caught:
            config(wrong, environ)
        assert caught.value.details["plugin"] == "example"


def test_a_plugin_reads_no_variable_that_is_not_its_own():
    names = {"mine": "MY_OWN_URL", "other": "OPENAI_API_KEY", "near": "MY_OWNER", "odd": None, "any": ""}
    schema = {"type": "object", "properties": {name: {"x-env": variable} for name, variable in names.items()}}
    environ = dict.fromkeys(("MY_OWN_URL", "OPENAI_API_KEY", "MY_OWNER", "None", ""), "secret")
    assert plugin_config(Manifest("my-own", config=schema), Settings(), environ) == {"mine": "secret"}


def test_a_plugin_that_takes_no_configuration_says_so():
    with pytest.raises(ConfigError, match="takes no configuration"):
        plugin_config(Manifest(id="plain"), Settings(plugins={"plain": {"x": 1}}), {})


@pytest.mark.skipif(os.name != "posix", reason="files have owners on POSIX: run it there")
def test_a_file_of_somebody_else_counts_only_where_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gitu.toml").write_text('model = "theirs"\n')
    if os.getuid() == 0:  # what is root's counts
        os.chown(tmp_path / "gitu.toml", 4712, -1)
    owner = (tmp_path / "gitu.toml").stat().st_uid
    monkeypatch.setattr("os.getuid", lambda: owner + 1)
    with pytest.raises(ConfigError, match="belongs to somebody else") as caught:
        load(None, {"GITU_HOME": str(tmp_path / "home")})
    assert caught.value.hint == "to use it all the same: gitu --config gitu.toml"
    for named in ({"GITU_CONFIG": "gitu.toml"}, {}):
        assert load(None if named else "gitu.toml", {"GITU_HOME": str(tmp_path), **named}).wanted == ("theirs",)
    monkeypatch.setattr("os.getuid", lambda: owner)
    assert load(None, {"GITU_HOME": str(tmp_path / "home")}).wanted == ("theirs",)
