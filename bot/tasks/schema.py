"""The tables, as migrations that only grow.

A migration is never changed after a release: what it made is on somebody's disk. Instants are
Unix seconds (UTC), flags are 0 or 1, and a column called `…_json` holds one JSON value that
nobody searches in.
"""

_FIRST = """
CREATE TABLE task (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    lane TEXT NOT NULL,
    repo_id INTEGER,
    repo_owner TEXT NOT NULL DEFAULT '',
    repo_name TEXT NOT NULL DEFAULT '',
    installation_id INTEGER NOT NULL DEFAULT 0,
    default_branch TEXT NOT NULL DEFAULT '',
    issue INTEGER NOT NULL,
    label_event_id TEXT NOT NULL DEFAULT '',
    feature TEXT NOT NULL,
    title TEXT NOT NULL,
    text_sha256 TEXT NOT NULL,
    requester TEXT NOT NULL,
    target_url TEXT NOT NULL,
    priority INTEGER NOT NULL,
    status TEXT NOT NULL,
    phase TEXT NOT NULL,
    round INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    facts_json TEXT NOT NULL,
    branch TEXT NOT NULL,
    pull INTEGER NOT NULL,
    head_sha TEXT NOT NULL,
    wait_json TEXT,
    wait_key TEXT NOT NULL,
    wait_until REAL,
    signal_n INTEGER NOT NULL DEFAULT 0,
    spend_json TEXT NOT NULL,
    budget_usd REAL,
    fence INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    lost INTEGER NOT NULL DEFAULT 0,
    cause TEXT,
    summary TEXT NOT NULL,
    cancel_by TEXT NOT NULL,
    run_at REAL NOT NULL,
    ready INTEGER NOT NULL,
    order_key REAL NOT NULL,
    owner TEXT NOT NULL DEFAULT '',
    lease_until REAL,
    created_at REAL NOT NULL,
    enqueued_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL,
    updated_at REAL NOT NULL,
    picture_due REAL,
    picture_lease REAL,
    picture_fence INTEGER NOT NULL DEFAULT 0,
    picture_tries INTEGER NOT NULL DEFAULT 0,
    picture_json TEXT NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX task_live ON task (repo_id, issue)
    WHERE repo_id IS NOT NULL AND issue > 0 AND status IN ('QUEUED', 'RUNNING', 'WAITING');
CREATE INDEX task_front ON task (order_key, seq) WHERE status = 'QUEUED' AND ready = 1;
CREATE INDEX task_lane ON task (lane, order_key, seq) WHERE status = 'QUEUED' AND ready = 1;
CREATE INDEX task_later ON task (run_at) WHERE status = 'QUEUED' AND ready = 0;
CREATE INDEX task_running ON task (lane) WHERE status = 'RUNNING';
CREATE INDEX task_lease ON task (lease_until) WHERE status = 'RUNNING';
CREATE INDEX task_wait_until ON task (wait_until) WHERE status = 'WAITING';
CREATE INDEX task_wait_key ON task (wait_key) WHERE status = 'WAITING';
CREATE INDEX task_issue ON task (repo_id, issue, seq);
CREATE INDEX task_pull ON task (repo_id, pull, seq) WHERE pull > 0;
CREATE INDEX task_branch ON task (repo_id, branch, seq) WHERE branch <> '';
CREATE INDEX task_created ON task (repo_id, created_at);
CREATE INDEX task_ended ON task (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX task_picture_due ON task (picture_due) WHERE picture_due IS NOT NULL;
CREATE INDEX task_picture_lease ON task (picture_lease) WHERE picture_lease IS NOT NULL;

CREATE TABLE lane (
    lane TEXT PRIMARY KEY,
    max_running INTEGER,
    held_by TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    held_since REAL
) WITHOUT ROWID;

CREATE TABLE journal (
    task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    phase TEXT NOT NULL,
    round INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    summary TEXT NOT NULL,
    cause TEXT,
    started_at REAL NOT NULL,
    seconds REAL NOT NULL,
    spend_json TEXT NOT NULL,
    by_whom TEXT NOT NULL,
    evidence TEXT NOT NULL,
    PRIMARY KEY (task_id, n)
);

CREATE TABLE inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id TEXT NOT NULL UNIQUE,
    event_name TEXT NOT NULL,
    action TEXT NOT NULL,
    payload_text TEXT NOT NULL,
    state TEXT NOT NULL,
    received_at REAL NOT NULL,
    next_at REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    done_at REAL
);
CREATE INDEX inbox_new ON inbox (id) WHERE state = 'new';

CREATE TABLE signal (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    at REAL NOT NULL
);

CREATE TABLE effect (
    key TEXT PRIMARY KEY,
    task_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    intent_at REAL NOT NULL,
    fence INTEGER NOT NULL,
    request_hash TEXT NOT NULL,
    remote_id TEXT NOT NULL DEFAULT '',
    remote_url TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    updated_at REAL NOT NULL
);
CREATE INDEX effect_task ON effect (task_id, intent_at);

CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    request_hash TEXT NOT NULL,
    task_id TEXT NOT NULL,
    at REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE breaker (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    failures INTEGER NOT NULL,
    changed_at REAL NOT NULL,
    probe_at REAL,
    reason TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

CREATE TABLE api_token (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL UNIQUE,
    scopes_json TEXT NOT NULL,
    repos_json TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL,
    revoked_at REAL
) WITHOUT ROWID;

CREATE TABLE daily_budget (
    day TEXT NOT NULL,
    scope TEXT NOT NULL,
    amount REAL NOT NULL,
    PRIMARY KEY (day, scope)
) WITHOUT ROWID;

CREATE TABLE metric_history (
    name TEXT NOT NULL,
    at REAL NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (name, at)
) WITHOUT ROWID;

CREATE TABLE transcript (
    task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    run_id TEXT NOT NULL,
    role TEXT NOT NULL,
    at REAL NOT NULL,
    events_json TEXT NOT NULL,
    PRIMARY KEY (task_id, run_id)
);

CREATE TABLE kv (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    at REAL NOT NULL
) WITHOUT ROWID;
"""

#: A row knows the delivery that made it or moved it last, so that its log lines can say so.
_TRAIL = """
ALTER TABLE task ADD COLUMN delivery TEXT NOT NULL DEFAULT '';
ALTER TABLE task ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
"""

#: Where an effect was made: for what an issue hears in a day, and an installation in an hour.
_PLACES = """
ALTER TABLE effect ADD COLUMN installation_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE effect ADD COLUMN repo_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE effect ADD COLUMN issue INTEGER NOT NULL DEFAULT 0;
CREATE INDEX effect_made ON effect (intent_at) WHERE installation_id > 0;
CREATE INDEX effect_said ON effect (repo_id, issue, intent_at) WHERE issue > 0;
"""

#: How long work takes, by repository and size: short tasks go a little before long ones.
_DURATIONS = """
ALTER TABLE task ADD COLUMN estimate_s REAL NOT NULL DEFAULT 0;
CREATE TABLE duration (
    lane TEXT NOT NULL,
    size INTEGER NOT NULL,
    n INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (lane, size)
) WITHOUT ROWID;
"""

#: A repository's queued tasks take turns with the others', so its last turn is looked up. And one
#: index where two were: of an issue's tasks, of which one may be live (a claim leaves it alone).
_TURNS = """
DROP INDEX task_live;
DROP INDEX task_issue;
CREATE UNIQUE INDEX task_issue ON task
    (repo_id, issue, (CASE WHEN finished_at IS NULL AND issue > 0 THEN 0 ELSE seq END));
CREATE INDEX task_turn ON task (lane, priority, enqueued_at) WHERE status = 'QUEUED' AND ready = 1;
"""

#: A task of a flood knows when it may begin, so that the next one can be told a later instant.
_BEGINNINGS = """
ALTER TABLE task ADD COLUMN begins_at REAL NOT NULL DEFAULT 0;
UPDATE task SET begins_at = created_at;
DROP INDEX task_created;
CREATE INDEX task_begins ON task (repo_id, begins_at);
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _TRAIL, _PLACES, _DURATIONS, _TURNS, _BEGINNINGS)


def statements(migration: str) -> list[str]:
    """The single statements of a migration, none of which has a semicolon inside."""
    return [statement for part in migration.split(";") if (statement := part.strip())]
