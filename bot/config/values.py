"""The kinds of values in chimera.yml. A pattern reaches the schema; `IN_WORDS` is for people."""

import re
from collections.abc import Mapping
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator, Field

_LINE = r"^[^\r\n\x00]*$"
_COLOUR = r"^[0-9a-f]{6}$"
_LABEL = r"^[^\r\n\x00]+$"
_HOST = r"^[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?$"
_WEB_ADDRESS = r"^(https?://[^\s\x00@]+)?$"
_WORKFLOW = r"^([A-Za-z0-9._\-]{1,200}\.ya?ml)?$"
_BRANCH = r"^[A-Za-z0-9._/{}\-]{1,150}$"

IN_WORDS: Mapping[str, str] = {
    _LINE: "must be one line",
    _COLOUR: 'must be six small hexadecimal digits without #, such as "5319e7"',
    _LABEL: "must be one line",
    _HOST: "must be a host such as staging.example.com, without https:// and path",
    _WEB_ADDRESS: "must be a whole address such as https://staging.example.com",
    _WORKFLOW: "must be the name of a file in .github/workflows, such as deploy.yml",
    _BRANCH: "must be letters, digits and ._/- around {issue}, {slug} and {task}",
}
"""What each pattern asks for."""


def _inside(path: str) -> str:
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "\x00" in path or "\\" in path:
        raise ValueError("must be a path inside the repository, with / between its parts")
    return path


_NO_REF = re.compile(r"\.\.|//|^[/.-]|/\.|\.lock(/|$)|[/.]$")
"""What git refuses in a branch's name: https://git-scm.com/docs/git-check-ref-format"""


def _branch(template: str) -> str:
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        raise ValueError("must close each { with a }") from None
    for _, field, asked, conversion in parts:
        if field is not None and (field not in {"issue", "slug", "task"} or asked or conversion):
            raise ValueError(
                f"must have no {{{field}}}: there are {{issue}}, {{slug}} and {{task}}"
            )
    if _NO_REF.search(template.format(issue="1", slug="a", task="a")):
        raise ValueError("must make a name that git takes for a branch")
    return template


Line = Annotated[str, Field(max_length=1000, pattern=_LINE)]
Colour = Annotated[str, Field(pattern=_COLOUR)]
LabelName = Annotated[str, Field(min_length=1, max_length=50, pattern=_LABEL)]
HostName = Annotated[str, Field(pattern=_HOST)]
WebAddress = Annotated[str, Field(max_length=2000, pattern=_WEB_ADDRESS)]
WorkflowFile = Annotated[str, Field(pattern=_WORKFLOW)]
RepoPath = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_inside)]
BranchName = Annotated[str, Field(pattern=_BRANCH), AfterValidator(_branch)]
