"""Set-up commands that a repository has written down for coding agents already.

GitHub's own agent prepares its machine by the job `copilot-setup-steps` of a workflow file; its
`run:` steps serve us, too, where `setup` is empty.
https://docs.github.com/en/copilot/customizing-copilot/customizing-the-development-environment-for-copilot-coding-agent
"""

import yaml

PATH = ".github/workflows/copilot-setup-steps.yml"
MAX_BYTES = 64 * 1024
MAX_STEPS = 50
JOB = "copilot-setup-steps"


def run_steps(text: bytes) -> tuple[str, ...]:
    """The `run:` lines of the job, in order; nothing where the file is not what it should be."""
    try:
        found = yaml.safe_load(text)
        steps = found["jobs"][JOB]["steps"]
        lines = [step.get("run") for step in steps if isinstance(step, dict)]
    except (yaml.YAMLError, KeyError, TypeError, RecursionError):
        return ()
    return tuple(line for line in lines[:MAX_STEPS] if isinstance(line, str))
