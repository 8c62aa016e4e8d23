"""The manifests: valid by Kubernetes' schemas, built by kustomize, and meant for this program."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from bot.config.environment import load_settings
from bot.config.repo import RepoConfig
from bot.web.routes import API
from tests.packaging.kustomized import built, canonical
from tests.packaging.tools import ROOT, run

KUBERNETES = ROOT / "config" / "kubernetes"
SCHEMAS = "1.34"  #: of this Kubernetes
SERVER_MIB = 256  #: the server itself, with a good margin: docs/reference/capacity.md
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
FILES = sorted(p for p in KUBERNETES.rglob("*.yaml") if p.name != "kustomization.yaml")


def documents(file: Path) -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all(file.read_text(encoding="utf-8"))


def workload(overlay: str) -> dict[str, Any]:
    """What runs the server in an overlay."""
    for file in (KUBERNETES / "overlays" / overlay).glob("*.yaml"):
        for one in documents(file):
            if one["kind"] in ("StatefulSet", "Deployment"):
                return one
    raise LookupError(overlay)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(KUBERNETES).as_posix())
def test_a_manifest_is_what_kubernetes_describes(file: Path) -> None:
    for one in documents(file):
        kubernetes_validate.validate(one, SCHEMAS, strict=True)


def test_a_misspelt_member_would_be_noticed() -> None:
    [made] = documents(KUBERNETES / "overlays" / "sqlite" / "disruption.yaml")
    made["spec"]["maxUnavailible"] = made["spec"].pop("maxUnavailable")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(made, SCHEMAS, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_built_into_valid_manifests(overlay: str) -> None:
    made = built(KUBERNETES / "overlays" / overlay)
    assert {one["kind"] for one in made} > {"Service", "PodDisruptionBudget", "NetworkPolicy"}
    for one in made:
        kubernetes_validate.validate(one, SCHEMAS, strict=True)
        assert one["metadata"].get("namespace", "chimera") == "chimera"
    if shutil.which("kubectl") is not None:
        done = run(["kubectl", "kustomize", KUBERNETES / "overlays" / overlay])
        assert done.returncode == 0, done.stderr
        assert canonical(list(yaml.safe_load_all(done.stdout))) == canonical(made)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_file_of_an_overlay_is_part_of_it(overlay: str) -> None:
    for folder in (KUBERNETES / "base", KUBERNETES / "overlays" / overlay):
        listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
        here = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
        assert here == {name for name in listed if "/" not in name}
        assert all((folder / name).exists() for name in listed)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_pod_has_no_rights_and_a_root_that_cannot_be_written(overlay: str) -> None:
    pod = workload(overlay)["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    rights = container["securityContext"]
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert (rights["procMount"], pod["hostUsers"]) == ("Unmasked", False), "the sandbox's /proc"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_settings_probes_and_the_time_to_drain_are_the_programs_own(overlay: str) -> None:
    pod = workload(overlay)["spec"]["template"]["spec"]
    [container] = pod["containers"]
    [settings] = documents(KUBERNETES / "base" / "settings.yaml")
    for name in [*settings["data"], *(one["name"] for one in container["env"])]:
        load_settings({name: ""})
    assert load_settings(settings["data"]).grace_s < pod["terminationGracePeriodSeconds"]
    probed = {container[probe]["httpGet"]["path"] for probe in container if "Probe" in probe}
    assert probed == {"/livez", "/readyz"}
    assert probed & {row.path for row in API} == set(), "probes need no token"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_pod_may_use_what_its_slots_and_volumes_may_hold(overlay: str) -> None:
    """Past a limit the kernel kills all of the pod, and past the other it is evicted."""
    pod = workload(overlay)["spec"]["template"]["spec"]
    limits = pod["containers"][0]["resources"]["limits"]
    [settings] = documents(KUBERNETES / "base" / "settings.yaml")
    slots = load_settings(settings["data"]).max_concurrent
    held = sum(gib(one["emptyDir"]["sizeLimit"]) for one in pod["volumes"] if "emptyDir" in one)
    assert gib(limits["memory"]) * 1024 > slots * RepoConfig().cage.memory_mb + SERVER_MIB
    assert gib(limits["ephemeral-storage"]) > held


def gib(quantity: str) -> int:
    return int(quantity.removesuffix("Gi"))


def test_one_store_has_one_server() -> None:
    assert workload("sqlite")["spec"]["replicas"] == 1
