"""What people configure. Bytes and strings come in; values, or errors that name the line, go out.

- `choices`   the closed sets that both files may choose from
- `settings`  `Settings`: one server, from its environment and an optional YAML file
- `repo`      `RepoConfig`: the model of `.github/chimera.yml`, and its JSON Schema
- `marks`     YAML that remembers where each value was written
- `layers`    `load_repo_config`: several files, the nearest wins, safety only ever tightens

Start with `repo`. Nothing in here reads a clock or the network, and no part below or beside this
room sees a `Settings`: each is handed the plain values it needs.
"""
