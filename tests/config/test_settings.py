"""Settings: where a value comes from, and how a mistake is told."""

import base64
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.config.choices import PROFILES, AgentUse, CageKind, Profile
from bot.config.environment import ALIASES, load_settings
from bot.config.settings import Settings
from bot.domain import Role
from bot.errors import ConfigError

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----\n"
CANARY = "canary-7d1f0c9e"


def problems(environ: Mapping[str, str], file: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_settings(environ, file=file)
    return caught.value.problems


def test_without_anything_there_are_defaults() -> None:
    settings = load_settings({})
    assert (settings.host, settings.port, settings.max_concurrent) == ("127.0.0.1", 8000, 5)
    assert settings.api_url == "https://api.github.com"
    assert settings.quiet_s == 60
    assert settings.data_dir.is_absolute()


def test_the_nearest_source_wins(tmp_path: Path) -> None:
    file = tmp_path / "server.yml"
    file.write_text("port: 1\nhost: 0.0.0.0\nlane_limit: 7\n")
    value = tmp_path / "port"
    value.write_text("2\n")
    layers = [{"PORT": "3"}, {"CHIMERA_PORT_FILE": str(value)}]
    seen = [load_settings({}, file=file).port]
    environ: dict[str, str] = {}
    for layer in layers:
        environ |= layer
        seen.append(load_settings(environ, file=file).port)
    settings = load_settings(environ, file=file, overrides={"port": 4, "host": None})
    assert [*seen, settings.port] == [1, 3, 2, 4]
    assert (settings.host, settings.lane_limit) == ("0.0.0.0", 7)


def test_the_file_may_be_named_in_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "server.yml"
    file.write_text("profile: enterprise\nagents:\n  coder: {use: command, command: [fix, it]}\n")
    settings = load_settings({"CHIMERA_CONFIG": str(file)})
    assert settings.max_concurrent == 20
    assert settings.agent(Role.CODER).command == ("fix", "it")


@pytest.mark.parametrize("profile", list(Profile))
def test_a_profile_is_a_number_of_slots(profile: Profile) -> None:
    assert load_settings({"CHIMERA_PROFILE": profile}).max_concurrent == PROFILES[profile]
    both = {"CHIMERA_PROFILE": profile, "CHIMERA_MAX_CONCURRENT": "7"}
    assert load_settings(both).max_concurrent == 7
    assert [PROFILES[p] for p in Profile] == [3, 5, 10, 20]


@pytest.mark.parametrize(
    ("said", "slots"),
    [
        ({}, (3, 5, 10)),
        ({"CHIMERA_MAX_CONCURRENT": "7"}, (7, 7, 7)),
        ({"CHIMERA_MAX_CONCURRENT": "12", "CHIMERA_MIN_CONCURRENT": "4"}, (4, 12, 12)),
        ({"CHIMERA_MAX_CONCURRENT": "4", "CHIMERA_MIN_CONCURRENT": "4"}, (4, 4, 4)),
        ({"CHIMERA_MIN_CONCURRENT": "2"}, (2, 5, 5)),
        ({"CHIMERA_PROFILE": "enterprise", "CHIMERA_MIN_CONCURRENT": "4"}, (4, 20, 20)),
        ({"CHIMERA_PROFILE": "conservative"}, (2, 3, 3)),
        ({"CHIMERA_PROFILE": "enterprise"}, (10, 20, 20)),
        ({"CHIMERA_PROFILE": "enterprise", "CHIMERA_MAX_CONCURRENT": "40"}, (40, 40, 40)),
    ],
)
def test_the_slots_stay_what_was_said_and_follow_the_queue_where_nothing_was(
    said: dict[str, str], slots: tuple[int, int, int]
) -> None:
    assert load_settings(said).slots == slots


def test_every_alias_of_probot_is_heard() -> None:
    values = {
        "app_id": "12",
        "private_key": KEY,
        "client_id": "Iv1.abc",
        "client_secret": "s3cret-client",
        "webhook_secret": "s3cret-s3cret",
        "api_url": "http://hub.test",
        "database_url": "postgresql://u@db/x",
        "host": "::1",
        "port": "9",
        "log_level": "debug",
    }
    settings = load_settings({ALIASES[name][0]: value for name, value in values.items()})
    assert settings == load_settings({f"CHIMERA_{n.upper()}": v for n, v in values.items()})
    assert (settings.app_id, settings.port, settings.log_level) == (12, 9, "DEBUG")


@pytest.mark.parametrize(
    ("theirs", "ours"), [("trace", "DEBUG"), ("warn", "WARNING"), ("fatal", "ERROR")]
)
def test_probots_levels_of_the_log_are_understood(theirs: str, ours: str) -> None:
    assert load_settings({"LOG_LEVEL": theirs}).log_level == ours


def test_the_private_key_comes_from_a_file_or_one_line(tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    pem.write_text(KEY)
    for environ in (
        {"PRIVATE_KEY_PATH": str(pem)},
        {"CHIMERA_PRIVATE_KEY_FILE": str(pem)},
        {"PRIVATE_KEY": KEY.strip().replace("\n", "\\n")},
        {"PRIVATE_KEY": base64.b64encode(KEY.encode()).decode()},
    ):
        key = load_settings(environ).private_key
        assert key is not None
        assert key.get_secret_value() == KEY


@pytest.mark.parametrize(
    ("environ", "hub"),
    [
        ({}, "https://github.com"),
        ({"GHE_HOST": "ghe.test"}, "https://ghe.test"),
        ({"GHE_HOST": "ghe.test", "GHE_PROTOCOL": "http"}, "http://ghe.test"),
        ({"GITHUB_API_URL": "https://api.octo.ghe.com/"}, "https://octo.ghe.com"),
        ({"GITHUB_API_URL": "http://127.0.0.1:4000"}, "http://127.0.0.1:4000"),
        ({"CHIMERA_WEB_URL": "https://pages.test/"}, "https://pages.test"),
    ],
)
def test_the_hubs_pages_follow_from_its_api(environ: dict[str, str], hub: str) -> None:
    assert load_settings(environ).hub_url == hub


@pytest.mark.parametrize(
    ("environ", "required"),
    [
        ({}, False),
        ({"HOST": "localhost"}, False),
        ({"HOST": "0.0.0.0"}, True),
        ({"HOST": "10.1.2.3"}, True),
        ({"CHIMERA_PUBLIC_URL": "https://chimera.test"}, True),
        ({"CHIMERA_PUBLIC_URL": "http://127.0.0.1:8000"}, False),
        ({"CHIMERA_PUBLIC_URL": "https://chimera.test", "CHIMERA_API_AUTH": "false"}, False),
        ({"CHIMERA_API_AUTH": "true"}, True),
        ({"HOST": "0.0.0.0", "CHIMERA_API_AUTH": "false"}, False),
    ],
)
def test_beyond_loopback_the_api_asks_for_a_token(environ: dict[str, str], required: bool) -> None:
    assert load_settings(environ).token_required is required


def test_two_webhook_secrets_count_while_one_is_being_changed() -> None:
    environ = {"WEBHOOK_SECRET": "newer-one", "CHIMERA_WEBHOOK_SECRET_PREVIOUS": "older-one"}
    assert load_settings(environ).webhook_secrets == ("newer-one", "older-one")


def test_agents_and_model_keys_come_from_the_environment() -> None:
    settings = load_settings(
        {
            "CHIMERA_AGENTS": '{"guardian": {"use": "acp", "command": ["agent", "--acp"]}}',
            "CHIMERA_MODEL": "openai:some",
            "OPENAI_API_KEY": "key-for-openai",
            "CHIMERA_CAGE": "bwrap",
            "CHIMERA_ALLOWED_HOSTS": "a.test, b.test:8443",
        }
    )
    assert settings.agent(Role.GUARDIAN).use is AgentUse.ACP
    assert settings.agent(Role.CODER).model == "openai:some"
    assert settings.model_keys["openai"].get_secret_value() == "key-for-openai"
    assert settings.cage is CageKind.BWRAP
    assert settings.allowed_hosts == ("a.test", "b.test:8443")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PORT": "x"}, "PORT: must be a valid integer"),
        ({"CHIMERA_PORT": "70000"}, "CHIMERA_PORT: must be less than or equal to 65535"),
        ({"CHIMERA_PROFIL": "x"}, "CHIMERA_PROFIL: no such setting. Did you mean CHIMERA_PROFILE?"),
        ({"CHIMERA_PROFILE": "x"}, "CHIMERA_PROFILE: must be 'conservative', 'balanced'"),
        ({"CHIMERA_API_URL": "github.com"}, "CHIMERA_API_URL: must be a whole address"),
        ({"CHIMERA_PUBLIC_URL": "https://a.test/bot"}, "CHIMERA_PUBLIC_URL: must have no path"),
        ({"GITHUB_API_URL": "https://me:pw@x.test"}, "must not carry a user or a password"),
        ({"CHIMERA_DEFAULT_REPOSITORY": "x"}, "CHIMERA_DEFAULT_REPOSITORY:"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: must be one of DEBUG"),
        ({"CHIMERA_AGENTS": "{"}, "CHIMERA_AGENTS: not readable as YAML or JSON"),
        ({"CHIMERA_AGENTS": "{cook: {}}"}, "CHIMERA_AGENTS (cook"),
        ({"CHIMERA_AGENTS": "[]"}, "CHIMERA_AGENTS: must be a valid dictionary"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL: must begin with postgresql://"),
        ({"APP_ID_FILE": "/no/such"}, "APP_ID_FILE: cannot read /no/such: No such file"),
        ({"CHIMERA_QUIET_S": "nan"}, "CHIMERA_QUIET_S: must be a finite number"),
        ({"PRIVATE_KEY_PATH": "/no/such"}, "PRIVATE_KEY_PATH: cannot read /no/such: No such file"),
        ({"CHIMERA_FOO": "x"}, "CHIMERA_FOO: no such setting. Unset it."),
        (
            {"CHIMERA_MAX_CONCURRENT": "2", "CHIMERA_MIN_CONCURRENT": "4"},
            "CHIMERA_MIN_CONCURRENT: 4 is more than the most slots, which are 2: "
            "lower it, or raise CHIMERA_MAX_CONCURRENT.",
        ),
        ({"CHIMERA_MIN_CONCURRENT": "8"}, "8 is more than the most slots, which are 5:"),
        (
            {"CHIMERA_PROFILE": "conservative", "CHIMERA_MIN_CONCURRENT": "4"},
            "4 is more than the most slots, which are 3:",
        ),
        ({"CHIMERA_STARTS_PER_PERSON": "0"}, "CHIMERA_STARTS_PER_PERSON: must be greater than or"),
        ({"CHIMERA_STARTS_PER_PERSON": "ten"}, "CHIMERA_STARTS_PER_PERSON: must be a valid integ"),
        ({"CHIMERA_STARTS_PER_REPOSITORY": "-1"}, "Tasks that are begun in one repository within"),
        ({"CHIMERA_CONFIG": "/no/such.yml"}, "/no/such.yml: cannot read the configuration file"),
    ],
)
def test_a_mistake_names_the_variable_and_what_to_do(
    environ: dict[str, str], expected: str
) -> None:
    told = problems(environ)
    assert len(told) == 1
    assert expected in told[0]


def test_a_value_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    told = problems({"WEBHOOK_SECRET": "a", "WEBHOOK_SECRET_FILE": str(tmp_path / "x")})
    assert told == ["WEBHOOK_SECRET and WEBHOOK_SECRET_FILE are both set: unset one of them"]


def test_a_mistake_in_the_file_has_its_line(tmp_path: Path) -> None:
    file = tmp_path / "server.yml"
    file.write_text("port: 80\nlane_limt: 2\nquiet_s: -1\n")
    told = problems({}, file)
    assert sorted(told)[0].startswith(f"{file}:2:1: no such setting 'lane_limt'. Did you mean 'lan")
    assert sorted(told)[1].startswith(f"{file}:3:1: must be greater than or equal to 0")
    file.write_text("port: 80\nport: 81\n")
    assert problems({}, file) == [f"{file}:2:1: 'port' is already on line 1"]


def test_a_mistake_inside_a_setting_of_the_file_has_its_line_and_what_was_meant(
    tmp_path: Path,
) -> None:
    file = tmp_path / "server.yml"
    file.write_text(
        "agents:\n  e2e_tester: {use: llm}\n  coder:\n    use: replay\n    session: a.json\n"
        "  guardian: {modle: x}\nretries: {tries: 0}\n"
    )
    assert sorted(problems({}, file)) == [
        f"{file}:2:3 (e2e_tester): no such key 'e2e_tester'. Did you mean 'e2e-tester'?",
        f"{file}:5:5 (coder.session): no such key 'session'. Known here: use, model, base_url, "
        "command, recording, fallback, fallback_agent.",
        f"{file}:6:14 (guardian.modle): no such key 'modle'. Did you mean 'model'?",
        f"{file}:7:11 (tries): must be greater than or equal to 1.",
    ]


def test_a_flag_that_contradicts_another_is_told_by_its_own_name() -> None:
    with pytest.raises(ConfigError, match="--min-concurrent: 9 is more than the most slots"):
        load_settings({}, overrides={"min_concurrent": 9, "max_concurrent": 3})


def test_all_mistakes_are_told_at_once() -> None:
    assert len(problems({"PORT": "x", "LOG_LEVEL": "x", "APP_ID": "0", "CHIMERA_X": "1"})) == 4


def test_no_secret_is_shown_by_a_problem_or_by_the_settings() -> None:
    told = problems({"PRIVATE_KEY": CANARY, "DATABASE_URL": CANARY, "PORT": CANARY})
    assert CANARY not in " ".join(told)
    settings = load_settings({"WEBHOOK_SECRET": CANARY, "ANTHROPIC_API_KEY": CANARY})
    assert CANARY not in repr(settings)
    assert CANARY not in settings.model_dump_json()
    assert CANARY in settings.secrets()


def test_what_programs_of_ours_are_given_is_no_setting() -> None:
    assert load_settings({"CHIMERA_ROLE": "coder", "CHIMERA_RESULT": "/x"}) == load_settings({})


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in Settings.model_fields.values())
