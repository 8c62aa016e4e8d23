"""The wire: everything that is spoken with GitHub, and with git. JSON stops here.

Start with `webhook.parse` (what comes in) and `repo.Repo` (what goes out). `client.GitHub` holds
the connections (`kit`, which is githubkit), the tokens and the governor of our writes; `git.Git`
runs git so that nothing in a repository can run code here. Nothing in this room knows a task.
"""
