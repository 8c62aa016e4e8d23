"""Every word that we say on GitHub. Pure: equal rows give equal text.

- `view`      `View`: the one argument of every picture
- `progress`  the journal folded into one row a phase
- `status`    the status comment          - `pull`     the pull request, commits, reviews
- `checks`    the four checks, and their states; `check_words` what stands in them
- `answers`   what a command is told
- `failures`  cause, what was kept, what to do next
- `timeline`  the gantt                   - `marker`   how we know our own words again
- `words`     durations, instants, money, names
"""
