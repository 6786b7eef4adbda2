//! The tables. A migration that was released never changes; a new one is added below it.

use leasehold_db::{Migration, Migrations};

/// Every step of the schema, oldest first. The license server lives on SQLite alone, so rows that are found by a text
/// key have no row id beside it.
pub(crate) const MIGRATIONS: Migrations = Migrations(&[FIRST, MOVED, ONLINE, DENIALS, PASSES]);

const FIRST: Migration = Migration {
    version: 1,
    name: "leases, documents, logs, administrator",
    sql: "
        CREATE TABLE lease (
            id TEXT PRIMARY KEY,
            key TEXT NOT NULL,
            ask TEXT NOT NULL,
            address TEXT NOT NULL,
            loopback BIGINT NOT NULL,
            -- The seat it shares; NULL if it has seats of its own.
            seat TEXT,
            placement TEXT NOT NULL,
            started_at_ms BIGINT NOT NULL,
            seen_at_ms BIGINT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX lease_by_seat ON lease (seat) WHERE seat IS NOT NULL;

        CREATE TABLE document (
            sha256 TEXT PRIMARY KEY,
            rev BIGINT NOT NULL,
            workstation TEXT NOT NULL,
            issued_at_ms BIGINT NOT NULL,
            loaded_at_ms BIGINT NOT NULL,
            in_force BIGINT NOT NULL,
            -- The activation file as it was uploaded; verified again whenever it is read.
            file TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX document_in_force ON document (in_force) WHERE in_force = 1;

        CREATE TABLE receipt (
            id INTEGER PRIMARY KEY,
            made_at_ms BIGINT NOT NULL,
            file TEXT NOT NULL
        );

        CREATE TABLE state (
            id BIGINT PRIMARY KEY CHECK (id = 1),
            mark_ms BIGINT,
            draining BIGINT NOT NULL,
            usage_open BIGINT,
            password_hash TEXT
        );
        INSERT INTO state (id, mark_ms, draining, usage_open, password_hash) VALUES (1, NULL, 0, NULL, NULL);

        CREATE TABLE usage_event (
            id INTEGER PRIMARY KEY,
            at_ms BIGINT NOT NULL,
            kind TEXT NOT NULL,
            lease TEXT,
            key TEXT NOT NULL,
            feature TEXT NOT NULL,
            seats BIGINT NOT NULL,
            user_name TEXT NOT NULL,
            host TEXT NOT NULL,
            code TEXT
        );

        CREATE TABLE audit (
            id INTEGER PRIMARY KEY,
            at_ms BIGINT NOT NULL,
            who TEXT NOT NULL,
            address TEXT NOT NULL,
            action TEXT NOT NULL,
            detail TEXT NOT NULL
        );

        CREATE TABLE session (
            token_sha256 TEXT PRIMARY KEY,
            id TEXT NOT NULL,
            created_at_ms BIGINT NOT NULL,
            expires_at_ms BIGINT NOT NULL,
            address TEXT NOT NULL
        ) WITHOUT ROWID;
    ",
};

const MOVED: Migration = Migration {
    version: 2,
    name: "requests that were made, a server on another machine, keys kept over starts",
    sql: "
        CREATE TABLE asked (
            request TEXT PRIMARY KEY,
            asked_at_ms BIGINT NOT NULL
        ) WITHOUT ROWID;
        -- Since when the server has been on another machine than its document was issued to.
        ALTER TABLE state ADD COLUMN moved_since_ms BIGINT;
        -- The newest start remembers the keys of leases that ended after the first until the second.
        ALTER TABLE state ADD COLUMN keys_since_ms BIGINT;
        ALTER TABLE state ADD COLUMN keys_until_ms BIGINT;
    ",
};

const ONLINE: Migration = Migration {
    version: 3,
    name: "online licensing",
    sql: "
        -- What is known at the portal and was promised there, as one JSON document; NULL if the server is not online.
        ALTER TABLE state ADD COLUMN online TEXT;
        -- The portal's address, where the configuration names none.
        ALTER TABLE state ADD COLUMN portal_url TEXT;
        -- When a server first started on this folder after it was made from a backup; 0 before.
        ALTER TABLE state ADD COLUMN restored_at_ms BIGINT;
        -- 0: people carry it. 1: the server brings it to the portal by itself. 2: it has brought it.
        ALTER TABLE receipt ADD COLUMN to_bring BIGINT NOT NULL DEFAULT 0;
        -- It ends a key of which another server has a copy, and must never reach the portal.
        ALTER TABLE receipt ADD COLUMN void BIGINT NOT NULL DEFAULT 0;
        CREATE TABLE peak (
            license TEXT NOT NULL,
            -- Hours since 1970.
            hour BIGINT NOT NULL,
            seats BIGINT NOT NULL,
            PRIMARY KEY (license, hour)
        ) WITHOUT ROWID;
    ",
};

const DENIALS: Migration = Migration {
    version: 4,
    name: "denials, seats taken back",
    sql: "
        -- Why an administrator took the seat back, and until when its holder gets none again; NULL if none did.
        ALTER TABLE lease ADD COLUMN released_reason TEXT;
        ALTER TABLE lease ADD COLUMN not_again_until_ms BIGINT;
        CREATE TABLE bar (
            feature TEXT NOT NULL,
            user_name TEXT NOT NULL,
            host TEXT NOT NULL,
            reason TEXT NOT NULL,
            until_ms BIGINT NOT NULL,
            PRIMARY KEY (feature, user_name, host)
        ) WITHOUT ROWID;
        -- One row for all tries of one want. Ids rise with time.
        CREATE TABLE denial (
            id TEXT PRIMARY KEY,
            feature TEXT NOT NULL,
            seats BIGINT NOT NULL,
            user_name TEXT NOT NULL,
            host TEXT NOT NULL,
            address TEXT NOT NULL,
            version TEXT NOT NULL,
            code TEXT NOT NULL,
            total BIGINT NOT NULL,
            in_use BIGINT NOT NULL,
            borrowed BIGINT NOT NULL,
            reserved BIGINT NOT NULL,
            free BIGINT NOT NULL,
            first_at_ms BIGINT NOT NULL,
            last_at_ms BIGINT NOT NULL,
            tries BIGINT NOT NULL,
            outcome TEXT NOT NULL,
            served_at_ms BIGINT
        ) WITHOUT ROWID;
        CREATE INDEX denial_open ON denial (outcome) WHERE outcome = 'open';
        CREATE INDEX denial_of ON denial (feature, id);
    ",
};

const PASSES: Migration = Migration {
    version: 5,
    name: "passes",
    sql: "
        -- Key, machine and term of a pass, as one JSON document; NULL for the seat of a running application.
        ALTER TABLE lease ADD COLUMN pass TEXT;
        -- No pass is freed before, because a clock looked as if it was wrong.
        ALTER TABLE state ADD COLUMN passes_held_until_ms BIGINT;
        -- Passes that are over.
        CREATE TABLE pass_over (
            key TEXT PRIMARY KEY,
            pass TEXT NOT NULL,
            until_ms BIGINT NOT NULL,
            at_ms BIGINT NOT NULL,
            -- Seats of licenses that were written off, as JSON: [[license, seats]].
            written_off TEXT NOT NULL
        ) WITHOUT ROWID;
    ",
};
