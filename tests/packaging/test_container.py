"""The image as it is written: small rights, pinned contents, a health check of its own."""

import json
import re
import shlex
from pathlib import PurePosixPath

import yaml

from bot.cli.main import cli
from bot.config.environment import load_settings
from tests.packaging.containerfile import Stage, read
from tests.packaging.tools import ROOT

CONTAINERFILE = ROOT / "config" / "container" / "Containerfile"
COMPOSE = ROOT / "config" / "compose" / "compose.yml"


def last() -> Stage:
    return read(CONTAINERFILE)[-1]


def test_the_image_is_made_in_two_stages_and_only_the_program_goes_over() -> None:
    build, image = read(CONTAINERFILE)
    assert (build.name, build.base) == ("build", image.base)
    assert image.all("COPY") == ["--from=build /opt/chimera /opt/chimera"]


def test_everything_that_is_copied_in_is_there() -> None:
    for rest in read(CONTAINERFILE)[0].all("COPY"):
        for source in rest.split()[:-1]:
            assert (ROOT / source).exists(), source


def test_dependencies_come_from_the_lock_with_their_hashes() -> None:
    installs = [line for line in read(CONTAINERFILE)[0].all("RUN") if "pip install" in line]
    assert "--no-deps --require-hashes --requirement /src/requirements.lock" in installs[0]
    assert "--no-deps" in installs[-1]


def test_it_runs_as_nobody_in_particular_and_stops_on_the_signal_that_we_hear() -> None:
    image = last()
    [user] = image.all("USER")
    assert user.split(":")[0].isdecimal(), "Kubernetes checks runAsNonRoot by number"
    assert user != "0:0"
    assert image.all("STOPSIGNAL") == ["SIGTERM"]


def test_the_health_check_is_a_command_of_ours_and_needs_no_curl() -> None:
    [check] = last().all("HEALTHCHECK")
    argv = json.loads(re.split(r"\bCMD ", check)[1])
    assert argv[0] == "chimera"
    assert argv[1] in cli.commands
    assert not re.search(r"\b(curl|wget)\b", CONTAINERFILE.read_text())


def test_its_variables_are_settings_and_its_data_is_on_the_volume() -> None:
    image = last()
    given = dict(word.split("=", 1) for word in shlex.split(" ".join(image.all("ENV"))))
    settings = load_settings({name: value for name, value in given.items() if "CHIMERA" in name})
    assert PurePosixPath(settings.data_dir) == PurePosixPath(image.all("VOLUME")[0])
    assert settings.token_required, "it listens beyond loopback"
    assert str(settings.port) == image.all("EXPOSE")[0]


def test_the_compose_file_gives_the_container_no_more_than_it_needs() -> None:
    document = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    server = document["services"]["chimera"]
    assert (ROOT / server["build"]["dockerfile"]) == CONTAINERFILE
    assert (COMPOSE.parent / server["build"]["context"]).resolve() == ROOT
    assert server["read_only"] is True
    assert server["cap_drop"] == ["ALL"]
    assert "no-new-privileges" in server["security_opt"]
    settings = load_settings({"CHIMERA_GRACE_S": server["environment"]["CHIMERA_GRACE_S"]})
    assert settings.grace_s < float(server["stop_grace_period"].removesuffix("s"))
    assert set(server["secrets"]) <= set(document["secrets"])
    for name in server["environment"]:
        load_settings({name: ""})


def test_no_secret_that_compose_reads_lies_where_the_image_is_built_from() -> None:
    """The wheel holds all of `config`: a key beside the compose file would be in every image."""
    document = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    places = [one["file"] for one in document["secrets"].values()]
    places += [one["path"] for one in document["services"]["chimera"]["env_file"]]
    assert len(places) == 4
    assert [one for one in places if (COMPOSE.parent / one).resolve().is_relative_to(ROOT)] == []


def test_an_engine_is_sent_what_is_copied_in_and_nothing_beside_it() -> None:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line.removeprefix("!") for line in rules if line.startswith("!")}
    copied = {name for rest in read(CONTAINERFILE)[0].all("COPY") for name in rest.split()[:-1]}
    assert "*" in rules
    assert sent == copied


def test_every_file_that_compose_mounts_is_there() -> None:
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"].values()
    mounts = [one for service in services for one in service.get("volumes", [])]
    files = [one.split(":")[0] for one in mounts if one.startswith(".")]
    assert len(files) >= 4
    assert [file for file in files if not (COMPOSE.parent / file).exists()] == []
