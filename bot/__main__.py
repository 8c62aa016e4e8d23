"""`python -m bot`: the same as `chimera`."""

from bot.cli.main import main

main()
