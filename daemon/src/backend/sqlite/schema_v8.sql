-- The books of what language models cost (`backend/store/books.rs`). Money in millionths of a millionth of a dollar.

CREATE TABLE model_accounts (
    account TEXT PRIMARY KEY,
    -- spent, and set aside for calls under way
    used_cost INTEGER NOT NULL,
    used_tokens INTEGER NOT NULL,
    -- limits of its own, beside those of the settings
    most_cost INTEGER,
    most_tokens INTEGER
) WITHOUT ROWID;

CREATE TABLE model_calls (
    call_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    -- JSON list of names
    accounts TEXT NOT NULL,
    -- the most of one attempt
    most_cost INTEGER NOT NULL,
    most_tokens INTEGER NOT NULL,
    -- what is booked on each of the accounts
    cost INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    ends_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX model_calls_open ON model_calls (ends_at) WHERE state = 'reserved';
CREATE INDEX model_calls_ended ON model_calls (ends_at) WHERE state <> 'reserved';
