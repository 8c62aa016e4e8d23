"""Programs that run inside the cage; standard library only, and they import nothing of ours."""
