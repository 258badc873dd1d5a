"""Settings from flags, environment and file, and errors that name the setting."""

from pathlib import Path

import pytest

from sfu.server.cli import main
from sfu.server.config import SETTINGS, Config, ConfigError, load


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "sfu.yaml"
        path.write_text(text)
        return path

    return write


def test_flags_win_over_the_environment_and_that_over_the_file(file):
    path = file("port: 1\nmedia_port: 1\nlog_level: debug\nkeys:\n  k: s\n")
    config = load({"port": "3"}, {"SFU_PORT": "2", "SFU_MEDIA_PORT": "2"}, path)
    assert (config.port, config.media_port, config.log_level, dict(config.keys)) == (3, 2, "debug", {"k": "s"})


def test_defaults_and_development():
    config = load({}, {}, None, dev=True)
    assert (config.host, dict(config.keys), config.dev) == ("127.0.0.1", {"devkey": "secret"}, True)
    assert load({"host": "0.0.0.0"}, {}, None, dev=True).host == "0.0.0.0"
    assert "secret" not in repr(config)


def test_lists_and_keys_take_commas_and_yaml(file):
    path = file(
        "media_addresses: [127.0.0.1, '::1']\nkeys: {a: b}\nadvertised_addresses: 203.0.113.7\nempty_timeout: 2.5\n"
    )
    config = load({}, {"SFU_KEYS": "k1: s1, k2:s2"}, path)
    assert config.media_addresses == ("127.0.0.1", "::1")
    assert config.advertised_addresses == ("203.0.113.7",)
    assert dict(config.keys) == {"k1": "s1", "k2": "s2"}
    assert config.empty_timeout == 2.5
    options = config.room_options("1.0")
    assert (options.empty_timeout, options.about) == (2.5, "sfu 1.0")


@pytest.mark.parametrize(
    ("flags", "environment", "text", "words"),
    [
        ({"port": "70000"}, {}, None, ["port", "--port", "65535"]),
        ({}, {"SFU_MEDIA_PORT": "x"}, None, ["media_port", "SFU_MEDIA_PORT", "whole number"]),
        ({}, {}, "prot: 3\n", ["prot", "sfu.yaml", "'port'"]),
        ({}, {}, "zzz: 3\n", ["zzz", "known are", "media_port"]),
        ({}, {}, "port: true\n", ["port", "whole number"]),
        ({}, {}, "port: [\n", ["config", "line 2", "YAML"]),
        ({"join_timeout": "0"}, {}, None, ["join_timeout", "above 0"]),
        ({"resume_timeout": "-1"}, {}, None, ["resume_timeout", "0 for none"]),
        ({}, {}, "resume_timeout: [1]\n", ["resume_timeout", "number of seconds"]),
        ({}, {}, "- a\n", ["config", "list"]),
        ({}, {}, "keys: 5\n", ["keys", "mapping"]),
        ({}, {}, "keys: {a: ''}\n", ["keys", "empty"]),
        ({}, {}, "keys:\n  a:\n", ["keys", "secret as text"]),
        ({}, {}, "keys: {a: true}\n", ["keys", "secret as text"]),
        ({"keys": "nocolon"}, {}, None, ["keys", "KEY:SECRET"]),
        ({"host": "a b"}, {}, None, ["host", "127.0.0.1"]),
        ({"media_addresses": "1.2.3"}, {}, None, ["media_addresses", "'1.2.3'"]),
        ({"media_addresses": "0.0.0.0"}, {}, None, ["media_addresses", "leave it out"]),
        ({}, {}, "media_addresses: 5\n", ["media_addresses", "commas"]),
        ({"join_timeout": "-1"}, {}, None, ["join_timeout", "above 0"]),
        ({"join_timeout": "soon"}, {}, None, ["join_timeout", "seconds"]),
        ({"log_level": "loud"}, {}, None, ["log_level", "debug, info"]),
        ({}, {}, None, ["keys", "--dev", "SFU_KEYS"]),
        ({}, {}, "port: 1\nhost: x\nport: 2\n", ["port", "twice", "sfu.yaml", "line 3"]),
        ({}, {}, "keys:\n  a: b\n  a: c\n", ["'a'", "twice", "sfu.yaml", "line 3"]),
        ({"keys": "a:b,a:c"}, {}, None, ["keys", "--keys", "'a'", "twice"]),
        ({"keys": "a:b", "webhook_key": "c"}, {}, None, ["webhook_key", "'c'", "known are: a"]),
        ({}, {}, "keys: {a: b}\nwebhook_key: [a]\n", ["webhook_key", "name of one API key"]),
    ],
)
def test_an_error_names_the_setting_the_source_and_the_fix(file, flags, environment, text, words):
    with pytest.raises(ConfigError) as caught:
        load(flags, environment, file(text) if text else None)
    for word in words:
        assert word in str(caught.value)


def test_a_webhook_key_without_a_value_is_as_if_it_were_left_out(file):
    assert load({}, {}, file("keys: {a: b}\nwebhook_key:\n")).webhook_key == ""
    assert load({}, {}, file("keys: {7: b}\nwebhook_key: 7\n")).webhook_key == "7"


def test_a_secret_is_never_shown_in_an_error(file):
    with pytest.raises(ConfigError) as caught:
        load({"keys": "hunter2"}, {}, None)
    assert "hunter2" not in str(caught.value)


def test_a_missing_or_empty_file(file):
    with pytest.raises(ConfigError, match="--config"):
        load({}, {}, Path("/nowhere/sfu.yaml"))
    assert load({}, {}, file(""), dev=True).port == 7880


def test_every_setting_is_a_field_with_a_default():
    defaults = Config()
    for setting in SETTINGS:
        assert hasattr(defaults, setting.name)
        assert setting.help


def test_the_reference_page_lists_every_setting():
    page = (Path(__file__).parents[3] / "docs" / "reference" / "configuration.md").read_text()
    for setting in SETTINGS:
        assert f"`{setting.name}`" in page
        assert f"`{setting.flag}`" in page
        assert f"`{setting.variable}`" in page


def test_mistakes_on_the_command_line_are_one_line_and_code_2(capsys):
    assert main(["serve"], {}) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("sfu: keys:")
    assert captured.err.count("\n") == 1
    with pytest.raises(SystemExit) as caught:
        main(["token", "--room", "r", "--identity", "i", "--dev", "--hours", "0"], {})
    assert caught.value.code == 2


@pytest.mark.parametrize("text", ["0", "0.0", "12.5"])
def test_a_server_can_have_no_patience_with_lost_signalling(text):
    config = load({"resume_timeout": text}, {}, None, dev=True)
    assert config.resume_timeout == config.room_options("1").resume_timeout == float(text)


def test_a_flag_that_is_no_setting_is_refused():
    with pytest.raises(ConfigError, match="prt: unknown flag; did you mean 'port'"):
        load({"prt": 1}, {}, dev=True)
    with pytest.raises(ConfigError, match="unknown flag; known are: host, port"):
        load({"zzz": None}, {}, dev=True)


def test_a_variable_that_is_no_setting_is_told_of(caplog):
    environment = {"SFU_MEDIA_PRT": "1", "SFU_FOO": "https://example.com", "SFUX": "1", "SFU_PORT": "2"}
    assert load({}, environment, dev=True).port == 2
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "SFU_MEDIA_PRT is not a setting and is ignored; did you mean SFU_MEDIA_PORT?"
    assert second == "SFU_FOO is not a setting and is ignored"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"port": "x"}, "port"),
        ({"media_port": 70_000}, "media_port"),
        ({"keys": {"k": ""}}, "keys"),
        ({"metrics": "perhaps"}, "metrics"),
        ({"join_timeout": -1}, "join_timeout"),
        ({"advertised_addresses": ["nowhere"]}, "advertised_addresses"),
    ],
)
def test_a_configuration_made_in_python_is_checked_as_well(settings, name):
    with pytest.raises(ConfigError, match=f"^{name}: .* from Config"):
        Config(**settings)


def test_a_configuration_made_in_python_holds_what_a_file_would_give():
    made = Config(port="80", media_addresses=["127.0.0.1"], keys="k:s", metrics="on", join_timeout=5)
    assert (made.port, made.media_addresses, made.keys, made.metrics) == (80, ("127.0.0.1",), {"k": "s"}, True)
