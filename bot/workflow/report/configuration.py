"""What a pull request is told of the chimera.yml that it brings; pure."""

from collections.abc import Sequence

from bot.config.problems import Problem
from bot.github.types import Annotation, Check, CheckStatus, Conclusion
from bot.workflow.neutral import plain
from bot.workflow.report.words import counted

CONFIGURATION = "chimera / configuration"
MAX_PROBLEMS = 50  #: annotations that GitHub takes at once
MAX_TEXT = 500


def configuration_check(problems: Sequence[Problem]) -> Check:
    """Every problem at its line; the words hold what the file's author wrote, so they are plain."""
    shown = [(problem.place, plain(problem.text, MAX_TEXT)) for problem in problems[:MAX_PROBLEMS]]
    return Check(
        status=CheckStatus.COMPLETED,
        conclusion=Conclusion.FAILURE if problems else Conclusion.SUCCESS,
        title=counted(len(problems), "problem") if problems else "The configuration is valid",
        summary="\n".join(f"- `{at}`: {text}" for at, text in shown) or "Nothing to mend.",
        annotations=tuple(
            Annotation(path=at.file, line=max(1, at.line), level="failure", message=text)
            for at, text in shown
        ),
    )
