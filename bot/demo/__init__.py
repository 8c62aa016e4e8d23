"""`chimera demo`: a sample application, a recorded session, and the story that joins them.

`shop/` is the application, a repository in waiting; it belongs to no floor of this house and is
never imported. `session.json` is what the agents say when nothing goes wrong; each file in
`altered/` is the same with one answer changed, and says in `about` where that has to be caught.
"""
