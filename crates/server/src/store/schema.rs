//! The tables. A migration that was released never changes; a new one is added below it.

use leasehold_db::{Migration, Migrations};

/// Every step of the schema, oldest first. The license server lives on SQLite alone, so rows that are found by a text
/// key have no row id beside it.
pub(crate) const MIGRATIONS: Migrations = Migrations(&[
    FIRST,
    MOVED,
    ONLINE,
    DENIALS,
    PASSES,
    USAGE,
    SETTINGS,
    GIVE_BACK,
    USAGE_HOURS,
    NOT_AGAIN,
    PASS_HOLDER,
    UNKNOWN_PASSES,
    USAGE_ENDS,
]);

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

const SETTINGS: Migration = Migration {
    version: 7,
    name: "settings, several administrators",
    sql: "
        -- What administrators set while the server runs; the value is JSON.
        CREATE TABLE setting (
            name TEXT PRIMARY KEY,
            value TEXT NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO setting (name, value)
        SELECT 'usage_open', CASE usage_open WHEN 0 THEN 'false' ELSE 'true' END FROM state WHERE usage_open IS NOT NULL;
        ALTER TABLE state DROP COLUMN usage_open;
        CREATE TABLE administrator (
            -- The name in lower case.
            key TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            kind TEXT NOT NULL,
            -- Argon2id, PHC form.
            password_hash TEXT NOT NULL,
            created_at_ms BIGINT NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO administrator (key, name, kind, password_hash, created_at_ms)
        SELECT 'administrator', 'administrator', 'administrator', password_hash, COALESCE(mark_ms, 0)
        FROM state WHERE password_hash IS NOT NULL;
        ALTER TABLE state DROP COLUMN password_hash;
        -- SHA-256 of the setup secret that a reset drew, in hex; NULL if none is open.
        ALTER TABLE state ADD COLUMN setup_secret_sha256 TEXT;
        ALTER TABLE session ADD COLUMN administrator TEXT NOT NULL DEFAULT 'administrator';
        ALTER TABLE session ADD COLUMN seen_at_ms BIGINT NOT NULL DEFAULT 0;
    ",
};

const USAGE: Migration = Migration {
    version: 6,
    name: "totals of usage",
    sql: "
        -- The seat that the lease shares with others; NULL if its seats are its own.
        ALTER TABLE usage_event ADD COLUMN seat TEXT;
        -- How far the log is counted, and how far names were replaced.
        CREATE TABLE usage_roll (
            id BIGINT PRIMARY KEY CHECK (id = 1),
            event BIGINT NOT NULL,
            through_ms BIGINT NOT NULL,
            -- Rises when the server's time is set back: what was counted before moved.
            epoch BIGINT NOT NULL,
            -- Key of the pseudonyms, hexadecimal; NULL until it is drawn.
            secret TEXT,
            -- Names of earlier days are replaced; the same for rows of both logs.
            names_day BIGINT NOT NULL,
            names_event BIGINT NOT NULL,
            names_denial TEXT NOT NULL,
            -- Events before were dropped for want of room; NULL if none were.
            dropped_ms BIGINT
        );
        INSERT INTO usage_roll (id, event, through_ms, epoch, secret, names_day, names_event, names_denial, dropped_ms)
        VALUES (1, 0, 0, 0, NULL, 0, 0, '', NULL);
        -- When the server was off.
        CREATE TABLE usage_gap (
            from_ms BIGINT PRIMARY KEY,
            until_ms BIGINT NOT NULL
        ) WITHOUT ROWID;
        -- Leases that are out as far as the log is counted.
        CREATE TABLE usage_lease (
            lease TEXT PRIMARY KEY,
            feature TEXT NOT NULL,
            user_name TEXT NOT NULL,
            host TEXT NOT NULL,
            seats BIGINT NOT NULL,
            seat TEXT,
            borrowed BIGINT NOT NULL,
            charged_ms BIGINT NOT NULL
        ) WITHOUT ROWID;
        -- The feature is empty for all of them together; hours since 1970.
        CREATE TABLE usage_hour (
            feature TEXT NOT NULL,
            hour BIGINT NOT NULL,
            seat_ms BIGINT NOT NULL,
            borrowed_ms BIGINT NOT NULL,
            peak BIGINT NOT NULL,
            owned BIGINT NOT NULL,
            checkouts BIGINT NOT NULL,
            ends BIGINT NOT NULL,
            denials BIGINT NOT NULL,
            PRIMARY KEY (feature, hour)
        ) WITHOUT ROWID;
        CREATE TABLE usage_name (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            -- 0: of a user or host. 1: a pseudonym, or no name. 2: of a feature.
            kind BIGINT NOT NULL,
            -- No later day has it.
            last_day BIGINT NOT NULL,
            -- The pseudonyms that take its place as a user and as a host.
            as_user BIGINT,
            as_host BIGINT
        );
        CREATE UNIQUE INDEX usage_name_of ON usage_name (name, kind);
        -- Blocks of 1, 8 and 64 days, by the first day since 1970 (UTC).
        CREATE TABLE usage_day (
            span BIGINT NOT NULL,
            day BIGINT NOT NULL,
            feature BIGINT NOT NULL,
            user_id BIGINT NOT NULL,
            host_id BIGINT NOT NULL,
            seat_ms BIGINT NOT NULL,
            peak BIGINT NOT NULL,
            checkouts BIGINT NOT NULL,
            denials BIGINT NOT NULL,
            PRIMARY KEY (span, day, feature, user_id, host_id)
        ) WITHOUT ROWID;
        CREATE INDEX usage_day_user ON usage_day (user_id, day) WHERE span = 1;
        CREATE INDEX usage_day_host ON usage_day (host_id, day) WHERE span = 1;
    ",
};

const GIVE_BACK: Migration = Migration {
    version: 8,
    name: "seats given back by receipt",
    sql: "
        -- Promises to keep fewer seats than a document holds; numbers rise.
        CREATE TABLE give_back (
            number INTEGER PRIMARY KEY,
            workstation TEXT NOT NULL,
            -- SHA-256 of the document, and its number.
            document TEXT NOT NULL,
            rev BIGINT NOT NULL,
            -- Seats kept, by license and by line, as JSON.
            kept TEXT NOT NULL,
            lines TEXT NOT NULL,
            at_ms BIGINT NOT NULL,
            -- The receipt; NULL until it was made.
            file TEXT
        );
    ",
};

const PASS_HOLDER: Migration = Migration {
    version: 11,
    name: "who has a pass that was written off",
    sql: "
        -- As JSON; NULL if it was returned, ended by itself, or was written off before this was kept.
        ALTER TABLE pass_over ADD COLUMN holder TEXT;
    ",
};

const UNKNOWN_PASSES: Migration = Migration {
    version: 12,
    name: "passes that a restored server does not know",
    sql: "
        -- When the backup was made, until what may have been lent since is held; NULL afterwards, and if none was restored.
        ALTER TABLE state ADD COLUMN passes_unknown_since_ms BIGINT;
    ",
};

const USAGE_ENDS: Migration = Migration {
    version: 13,
    name: "when passes end that usage counts",
    sql: "
        -- When the pass ends; NULL if the lease is none, and of what was written before.
        ALTER TABLE usage_event ADD COLUMN until_ms BIGINT;
        ALTER TABLE usage_lease ADD COLUMN until_ms BIGINT;
        UPDATE usage_lease SET until_ms = (SELECT CAST(json_extract(pass, '$.until') AS BIGINT) FROM lease
                                           WHERE lease.id = usage_lease.lease AND pass IS NOT NULL);
    ",
};

const NOT_AGAIN: Migration = Migration {
    version: 10,
    name: "for how long a seat that was taken back is not given again",
    sql: "
        -- Counted from when the seat is free. 0 for what was taken back before: not_again_until_ms alone.
        ALTER TABLE lease ADD COLUMN not_again_ms BIGINT NOT NULL DEFAULT 0;
    ",
};

const USAGE_HOURS: Migration = Migration {
    version: 9,
    name: "totals of users and hosts by the hour of the day",
    sql: "
        -- Of seat_ms, what is in each hour (UTC) of a day; zeros of longer blocks, and of days that were counted before. A zero
        -- takes no room but its place.
        ALTER TABLE usage_day ADD COLUMN h0 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h1 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h2 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h3 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h4 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h5 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h6 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h7 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h8 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h9 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h10 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h11 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h12 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h13 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h14 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h15 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h16 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h17 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h18 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h19 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h20 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h21 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h22 BIGINT NOT NULL DEFAULT 0;
        ALTER TABLE usage_day ADD COLUMN h23 BIGINT NOT NULL DEFAULT 0;
    ",
};
