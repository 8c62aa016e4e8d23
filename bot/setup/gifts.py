"""What the wizard offers a repository: labels, a pull request with our files, a workflow.

The App has no right to write workflows, and should not have it; the deploy workflow comes as a
link to GitHub's own page for a new file, filled in, which a person commits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from bot.config.layers import load_repo_config
from bot.config.repo import Label, RepoConfig
from bot.domain import RepoRef
from bot.errors import ConfigError, InputError
from bot.github.repo import Repo
from bot.setup.shipped import shipped
from bot.workflow.repoconfig import PATH

BRANCH = "chimera-setup"  #: not below chimera/, where tasks have theirs
WORKFLOW_PATH = ".github/workflows/deploy.yml"
FILES = {
    PATH: "templates/chimera.yml",
    ".github/ISSUE_TEMPLATE/chimera.yml": "templates/issue-form.yml",
    ".github/pull_request_template.md": "templates/pull_request_template.md",
}
ALSO_AT = {
    ".github/pull_request_template.md": (
        ".github/PULL_REQUEST_TEMPLATE.md",
        "pull_request_template.md",
        "PULL_REQUEST_TEMPLATE.md",
        "docs/pull_request_template.md",
        "docs/PULL_REQUEST_TEMPLATE.md",
    )
}
"""Other places where GitHub looks for the same file."""
WORKFLOW = "templates/deploy.yml"
MAX_FILE = 1_000_000  #: bytes; above it GitHub sends no content
_TITLE = "Set up Chimera"
_UNSET = 'workflow: ""'


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a person has ticked."""

    labels: bool = True
    files: bool = True
    deploys: bool = False  #: `chimera.yml` names the deploy workflow from the start


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the repository has now."""

    repository: str
    labels: tuple[str, ...] = ()  #: all that exist for us now
    pull_url: str = ""
    added: tuple[str, ...] = ()  #: files in the pull request
    kept: tuple[str, ...] = ()  #: files that were there, untouched


async def give(repo: Repo, offer: Offer) -> Given:
    """Make what is ticked and not there yet; a second time changes nothing.

    Raises InputError for an empty repository, and as `GitHub.call` does.
    """
    labels = await _make_labels(repo) if offer.labels else ()
    if not offer.files:
        return Given(repository=repo.repo.full_name, labels=labels)
    base = repo.repo.default_branch
    wanted = {path: file_text(path, deploys=offer.deploys) for path in FILES}
    kept = tuple([path for path in wanted if await _has(repo, path, base)])
    added = tuple(path for path in wanted if path not in kept)
    pull_url = await _pull(repo, {path: wanted[path] for path in added}) if added else ""
    return Given(
        repository=repo.repo.full_name, labels=labels, pull_url=pull_url, added=added, kept=kept
    )


def file_text(path: str, *, deploys: bool) -> str:
    """One of the files, as the pull request has it."""
    text = shipped(FILES[path])
    return text.replace(_UNSET, "workflow: deploy.yml") if deploys and path == PATH else text


def workflow_link(hub: str, repo: RepoRef) -> str:
    """GitHub's page for a new file, with the deploy workflow in it."""
    query = urlencode({"filename": WORKFLOW_PATH, "value": shipped(WORKFLOW)})
    return f"{hub}/{repo.full_name}/new/{quote(repo.default_branch)}?{query}"


def labels_of(config: RepoConfig) -> Sequence[tuple[Label, str]]:
    """Every label that we use, the trigger first, each with its description."""
    trigger = Label(name=config.trigger.label, color=config.trigger.color)
    fields = type(config.labels).model_fields
    others = [
        (getattr(config.labels, name), field.description or "") for name, field in fields.items()
    ]
    return [(trigger, "Chimera works on this issue."), *others]


async def _make_labels(repo: Repo) -> tuple[str, ...]:
    config = await _config_of(repo)
    existing = {name.lower() for name in await repo.labels()}
    wanted = labels_of(config)
    for label, meaning in wanted:
        if label.name.lower() not in existing:
            await repo.ensure_label(label.name, color=label.color, description=meaning)
    return tuple(label.name for label, _ in wanted)


async def _config_of(repo: Repo) -> RepoConfig:
    """The repository's own file over the defaults; the defaults where it cannot be used."""
    found = await repo.file(PATH, ref=repo.repo.default_branch, limit=MAX_FILE)
    try:
        return load_repo_config([(PATH, found)] if found is not None else []).config
    except ConfigError:
        return RepoConfig()  # the doctor tells what is wrong with the file


async def _pull(repo: Repo, files: dict[str, str]) -> str:
    """The address of the one open pull request from our branch."""
    for pull in await repo.pulls(head=BRANCH, state="open"):
        return pull.html_url
    await _require_branch(repo)
    for path, text in files.items():
        if not await _has(repo, path, BRANCH):
            message = f"Add {path}"
            await repo.add_file(path, text.encode(), branch=BRANCH, message=message)
    made = await repo.create_pull(
        title=_TITLE, head=BRANCH, base=repo.repo.default_branch, body=_body(files), draft=False
    )
    return made.url


async def _require_branch(repo: Repo) -> None:
    """Our branch, from where an earlier attempt left it or from the default branch."""
    if await repo.branch_sha(BRANCH) is not None:
        return
    head = await repo.branch_sha(repo.repo.default_branch)
    if head is None:
        raise InputError(f"{repo.repo.full_name} is empty: push a first commit, then try again")
    await repo.create_branch(BRANCH, head)


async def _has(repo: Repo, path: str, branch: str) -> bool:
    for place in (path, *ALSO_AT.get(path, ())):
        if await repo.file(place, ref=branch, limit=MAX_FILE) is not None:
            return True
    return False


def _body(files: dict[str, str]) -> str:
    listed = "\n".join(f"- `{path}`" for path in files)
    return (
        f"What Chimera needs to work here:\n\n{listed}\n\n"
        "Adjust the commands in `chimera.yml` to this repository before you merge. The deploy "
        "workflow is not part of this pull request: an App that cannot write workflows cannot "
        "change how you deploy. `chimera doctor` looks at all of it afterwards.\n"
    )
