"""Builds an overlay as kustomize does, as far as ours go: resources, labels, namespace, images, and
patches that add. Where kubectl is at hand, the test holds the result against kustomize's own.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]
CLUSTER_WIDE = {"Namespace"}


def built(folder: Path) -> list[Manifest]:
    """Everything that `kubectl apply -k` would send. Raises for what it cannot build."""
    wanted = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    known = {"apiVersion", "kind", "resources", "namespace", "labels", "images", "patches"}
    assert set(wanted) <= known, set(wanted) - known
    found = [one for name in wanted["resources"] for one in _resource(folder / name)]
    for one in found:
        if one["kind"] not in CLUSTER_WIDE:
            one["metadata"]["namespace"] = wanted["namespace"]
        for labels in wanted.get("labels", []):
            one["metadata"].setdefault("labels", {}).update(labels["pairs"])
        for image in wanted.get("images", []):
            _renamed(one, image)
    for patch in wanted.get("patches", []):
        _patched(found, patch)
    return found


def _resource(path: Path) -> Iterator[Manifest]:
    if path.is_dir():
        yield from built(path)
    else:
        yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


def _renamed(manifest: Manifest, image: dict[str, str]) -> None:
    pod = manifest.get("spec", {}).get("template", {}).get("spec", {})
    for container in pod.get("containers", []):
        if container["image"] == image["name"]:
            container["image"] = f"{image['newName']}:{image['newTag']}"


def _patched(manifests: list[Manifest], patch: Manifest) -> None:
    target = patch["target"]
    [found] = [
        one
        for one in manifests
        if (one["kind"], one["metadata"]["name"]) == (target["kind"], target["name"])
    ]
    for step in yaml.safe_load(patch["patch"]):
        assert step["op"] == "add"
        assert step["path"].endswith("/-")
        place: Any = found
        for part in step["path"].split("/")[1:-1]:
            place = place[part]
        place.append(step["value"])


def canonical(manifests: list[Manifest]) -> list[str]:
    """The same whatever the order."""
    return sorted(json.dumps(one, sort_keys=True) for one in manifests)
