"""The command line. Data goes to standard output, talk to standard error.

Start with `main`, which holds the table of commands; each group has a file. What is heavy is
imported inside the commands, the one place where we do that, so that `chimera --help` is quick.
"""
