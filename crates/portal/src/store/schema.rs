//! The tables, as the one list of migrations for both databases. A released migration is never edited.

use leasehold_db::{Migration, Migrations};

/// Every migration of the portal.
pub const MIGRATIONS: Migrations = Migrations(&[
    Migration { version: 1, name: "accounts", sql: ACCOUNTS },
    Migration { version: 2, name: "licenses", sql: LICENSES },
    Migration { version: 3, name: "workstations", sql: WORKSTATIONS },
    Migration { version: 4, name: "audit", sql: AUDIT },
    Migration { version: 5, name: "machines of workstations, numbers that may be taken", sql: MACHINES },
    Migration { version: 6, name: "organizations, assignments, online licensing", sql: ONLINE },
    Migration { version: 7, name: "syncs of which nothing has changed", sql: REPEATED },
    Migration { version: 8, name: "what servers said and are to hear, by license", sql: BY_LICENSE },
    Migration { version: 9, name: "borrowing", sql: BORROWING },
    Migration { version: 10, name: "seats kept for use without a portal", sql: PINS },
    Migration { version: 11, name: "receipts of some seats, servers that are lost", sql: GIVING_UP },
    Migration { version: 12, name: "machines that are lost", sql: PASSES_WRITTEN_OFF },
    Migration { version: 13, name: "customer numbers, letters, links, sign-ins by id, tokens", sql: OWN_ACCOUNTS },
    Migration { version: 14, name: "what runs out at servers", sql: RUNNING_OUT },
    Migration { version: 15, name: "programs without a browser", sql: DEVICES },
    Migration { version: 16, name: "what servers promised of older documents", sql: PROMISES },
    Migration { version: 17, name: "what members may do", sql: ROLES },
    Migration { version: 18, name: "which licenses are an organization's", sql: WHOSE },
    Migration { version: 19, name: "invitations", sql: INVITATIONS },
    Migration { version: 20, name: "organizations that pass to another owner", sql: HANDOVERS },
]);

const ACCOUNTS: &str = "
CREATE TABLE account (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    signed_in_at_ms BIGINT
);
CREATE TABLE session (
    token_sha256 TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (id),
    created_at_ms BIGINT NOT NULL,
    seen_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
);
CREATE INDEX session_account ON session (account);
CREATE INDEX session_expires ON session (expires_at_ms);
";

const LICENSES: &str = "
CREATE TABLE product (
    id TEXT PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    share TEXT NOT NULL,
    features TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
);
CREATE TABLE license (
    id TEXT PRIMARY KEY,
    label TEXT NOT NULL,
    owner TEXT NOT NULL REFERENCES account (id),
    product TEXT NOT NULL REFERENCES product (id),
    seats BIGINT NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL,
    term TEXT NOT NULL,
    starts_at_ms BIGINT NOT NULL,
    ended_at_ms BIGINT,
    created_at_ms BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX license_owner ON license (owner, id);
";

// A workstation's owner and a line's license have no foreign key: a restore adopts documents that were issued after the
// backup was made, so that they count, and the account or the license they speak of may be younger than the backup.
const WORKSTATIONS: &str = "
CREATE TABLE workstation (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    key_thumbprint TEXT NOT NULL UNIQUE,
    public_key TEXT NOT NULL,
    certificate TEXT NOT NULL,
    acknowledged_rev BIGINT NOT NULL,
    newest_rev BIGINT NOT NULL,
    status TEXT NOT NULL,
    host TEXT NOT NULL,
    server_version TEXT NOT NULL,
    requested_at_ms BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX workstation_owner ON workstation (owner, id);
CREATE TABLE activation_request (
    id TEXT PRIMARY KEY,
    workstation TEXT NOT NULL REFERENCES workstation (id),
    used_at_ms BIGINT NOT NULL
);
CREATE TABLE grant_document (
    id TEXT PRIMARY KEY,
    workstation TEXT NOT NULL REFERENCES workstation (id),
    rev BIGINT NOT NULL,
    token TEXT NOT NULL,
    lines TEXT NOT NULL,
    issued_at_ms BIGINT NOT NULL,
    ends_at_ms BIGINT NOT NULL,
    to_log BIGINT NOT NULL,
    UNIQUE (workstation, rev)
);
CREATE INDEX grant_document_to_log ON grant_document (to_log, id);
CREATE TABLE grant_line (
    document TEXT NOT NULL REFERENCES grant_document (id),
    line TEXT NOT NULL,
    license TEXT NOT NULL,
    seats BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    freed_at_ms BIGINT NOT NULL,
    PRIMARY KEY (document, line)
);
CREATE INDEX grant_line_license ON grant_line (license, freed_at_ms);
CREATE TABLE receipt (
    id TEXT PRIMARY KEY,
    workstation TEXT NOT NULL REFERENCES workstation (id),
    taken_at_ms BIGINT NOT NULL
);
";

// `machine`: fingerprint of the machine that the newest request came from; empty if it told none. `rev_floor`: numbers up
// to this one may have been given by a portal whose newest state was lost.
const MACHINES: &str = "
ALTER TABLE workstation ADD COLUMN machine TEXT NOT NULL DEFAULT '';
ALTER TABLE workstation ADD COLUMN rev_floor BIGINT NOT NULL DEFAULT 0;
";

// An account with a commercial license is an organization by itself; its id is made from the account's. `assignment`:
// `target` is what was given, `active` what of it is in effect. `sync`: the newest answer to a workstation, given again if
// it asks again. `bell`: rises whenever a workstation should sync; locked last of all, in order of workstation.
// `portal_state`: until `learning_until_ms` a restored portal gives nobody more than they have.
const ONLINE: &str = "
ALTER TABLE product ADD COLUMN online_term_s BIGINT NOT NULL DEFAULT 604800;
ALTER TABLE license ADD COLUMN raise_while_learning BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workstation ADD COLUMN mode TEXT NOT NULL DEFAULT 'file';
ALTER TABLE workstation ADD COLUMN scope TEXT NOT NULL DEFAULT 'organization';
CREATE TABLE organization (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL UNIQUE REFERENCES account (id),
    name TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
);
INSERT INTO organization (id, owner, name, created_at_ms)
    SELECT 'org_' || SUBSTR(a.id, 5), a.id, a.name, a.created_at_ms FROM account a
    WHERE EXISTS (SELECT 1 FROM license l WHERE l.owner = a.id AND l.channel = 'commercial');
CREATE TABLE member (
    organization TEXT NOT NULL REFERENCES organization (id),
    account TEXT NOT NULL REFERENCES account (id),
    added_at_ms BIGINT NOT NULL,
    PRIMARY KEY (organization, account)
);
CREATE INDEX member_account ON member (account);
CREATE TABLE assignment (
    license TEXT NOT NULL REFERENCES license (id),
    account TEXT NOT NULL REFERENCES account (id),
    target BIGINT NOT NULL,
    active BIGINT NOT NULL,
    assigned_at_ms BIGINT NOT NULL,
    PRIMARY KEY (license, account)
);
CREATE INDEX assignment_account ON assignment (account);
CREATE TABLE sync (
    workstation TEXT PRIMARY KEY REFERENCES workstation (id),
    seq BIGINT NOT NULL,
    request_sha256 TEXT NOT NULL,
    answer TEXT NOT NULL,
    answer_sha256 TEXT NOT NULL,
    seen_at_ms BIGINT NOT NULL,
    signed_at_ms BIGINT NOT NULL,
    report TEXT NOT NULL,
    told TEXT NOT NULL,
    draining BIGINT NOT NULL,
    forked_at_ms BIGINT,
    forked_host TEXT NOT NULL
);
CREATE TABLE want (
    license TEXT NOT NULL,
    workstation TEXT NOT NULL REFERENCES workstation (id),
    seats BIGINT NOT NULL,
    waiting BIGINT NOT NULL,
    since_ms BIGINT NOT NULL,
    asked_at_ms BIGINT NOT NULL,
    PRIMARY KEY (license, workstation)
);
CREATE TABLE recall (
    license TEXT NOT NULL,
    workstation TEXT NOT NULL REFERENCES workstation (id),
    seats BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (license, workstation)
);
CREATE TABLE bell (
    workstation TEXT PRIMARY KEY REFERENCES workstation (id),
    rung BIGINT NOT NULL,
    rung_at_ms BIGINT NOT NULL
);
CREATE INDEX bell_rung_at ON bell (rung_at_ms);
CREATE TABLE enable_token (
    token_sha256 TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (id),
    scope TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    workstation TEXT
);
CREATE TABLE portal_state (
    id BIGINT PRIMARY KEY,
    learning_until_ms BIGINT NOT NULL
);
INSERT INTO portal_state (id, learning_until_ms) VALUES (1, 0);
";

// What the newest answer to a workstation said, for the next one if nothing has changed, and until when that can be known
// without looking at every license. `bell.news` rises with `rung`, and alone where a workstation need not sync at once.
const REPEATED: &str = "
ALTER TABLE sync ADD COLUMN pools TEXT NOT NULL DEFAULT '[]';
ALTER TABLE sync ADD COLUMN bell BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sync ADD COLUMN news BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sync ADD COLUMN repeat_until_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE bell ADD COLUMN news BIGINT NOT NULL DEFAULT 0;
";

// `report`: what each server said last of each license, and how many seats of it it was told to hand over. `due`: licenses
// of which a workstation is to be told with its next sync; written and removed by whoever has the license locked. A line
// also says whose it is and the number of its document, which never change, so that counting a license reads one index;
// of a thousand servers that share a license, likewise, no answers and certificates are read.
const BY_LICENSE: &str = "
CREATE TABLE report (
    license TEXT NOT NULL,
    workstation TEXT NOT NULL REFERENCES workstation (id),
    keep BIGINT NOT NULL,
    used BIGINT NOT NULL,
    idle BIGINT NOT NULL,
    want BIGINT NOT NULL,
    waiting BIGINT NOT NULL,
    peak BIGINT NOT NULL,
    told BIGINT NOT NULL,
    PRIMARY KEY (license, workstation)
);
CREATE INDEX report_workstation ON report (workstation);
CREATE TABLE due (
    workstation TEXT NOT NULL REFERENCES workstation (id),
    license TEXT NOT NULL,
    PRIMARY KEY (workstation, license)
);
ALTER TABLE grant_line ADD COLUMN workstation TEXT NOT NULL DEFAULT '';
ALTER TABLE grant_line ADD COLUMN rev BIGINT NOT NULL DEFAULT 0;
UPDATE grant_line SET workstation = (SELECT d.workstation FROM grant_document d WHERE d.id = grant_line.document),
    rev = (SELECT d.rev FROM grant_document d WHERE d.id = grant_line.document);
DROP INDEX grant_line_license;
CREATE INDEX grant_line_license ON grant_line (license, freed_at_ms, workstation, rev, seats);
CREATE INDEX grant_line_workstation ON grant_line (workstation, rev);
CREATE INDEX workstation_online ON workstation (owner, mode, status, id, scope);
CREATE INDEX sync_heard ON sync (workstation, seen_at_ms, draining);
ALTER TABLE sync DROP COLUMN report;
ALTER TABLE sync DROP COLUMN told;
ALTER TABLE sync DROP COLUMN bell;
";

const BORROWING: &str = "
ALTER TABLE product ADD COLUMN borrow_days_max BIGINT NOT NULL DEFAULT 14;
ALTER TABLE product ADD COLUMN return_at_end BIGINT NOT NULL DEFAULT 0;
ALTER TABLE product ADD COLUMN write_offs BIGINT NOT NULL DEFAULT 0;
";

const PINS: &str = "
CREATE TABLE pin (
    workstation TEXT NOT NULL REFERENCES workstation (id),
    license TEXT NOT NULL,
    seats BIGINT NOT NULL,
    days BIGINT NOT NULL,
    auto_renew BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (workstation, license)
);
ALTER TABLE sync ADD COLUMN pins_rev BIGINT NOT NULL DEFAULT 0;
ALTER TABLE grant_line ADD COLUMN pinned BIGINT NOT NULL DEFAULT 0;
";

// `receipt`: `rev` and `number` order those that keep some seats; `number` 0 is one that kept none. `usage_summary` is what
// the server said about usage, as JSON; empty if nothing. `write_off`: seats of servers that were declared lost and count as
// free, although they may be in use until `until_ms`.
const GIVING_UP: &str = "
ALTER TABLE receipt ADD COLUMN rev BIGINT NOT NULL DEFAULT 0;
ALTER TABLE receipt ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE receipt ADD COLUMN seats_kept BIGINT NOT NULL DEFAULT 0;
ALTER TABLE receipt ADD COLUMN usage_summary TEXT NOT NULL DEFAULT '';
CREATE INDEX receipt_workstation ON receipt (workstation, rev, number);
CREATE TABLE write_off (
    license TEXT NOT NULL,
    workstation TEXT NOT NULL REFERENCES workstation (id),
    seats BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL
);
CREATE INDEX write_off_license ON write_off (license, at_ms);
CREATE INDEX write_off_workstation ON write_off (workstation, at_ms);
";

// Seats on machines that are lost, counted as free at their license server.
const PASSES_WRITTEN_OFF: &str = "
CREATE TABLE pass_write_off (
    pass TEXT NOT NULL,
    license TEXT NOT NULL,
    workstation TEXT NOT NULL REFERENCES workstation (id),
    seats BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (pass, license)
);
CREATE INDEX pass_write_off_license ON pass_write_off (license, at_ms);
";

// `account.search`: what an account is found by, in lower case. `account.number`: what customers are called by; `portal_state.customers` is the newest one given. A session's id is made
// from the hash of its token, which tells nobody the token. `mail`: `link` stands apart from the text, so that it can be
// forgotten once it was sent or has ended. `ask`: what somebody asked for who has not signed in, before anybody has looked
// whether there is such an account: so the answer takes as long. `link.password_hash`: what was chosen by whoever signed up.
const OWN_ACCOUNTS: &str = "
ALTER TABLE account ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
UPDATE account SET number = 1000000 + (SELECT COUNT(*) FROM account other WHERE other.id <= account.id);
CREATE UNIQUE INDEX account_number ON account (number) WHERE number > 0;
ALTER TABLE account ADD COLUMN search TEXT NOT NULL DEFAULT '';
UPDATE account SET search = LOWER(name || ' ' || email || ' ' || CAST(number AS TEXT));
ALTER TABLE portal_state ADD COLUMN customers BIGINT NOT NULL DEFAULT 1000000;
ALTER TABLE portal_state ADD COLUMN sign_up_open BIGINT NOT NULL DEFAULT 1;
UPDATE portal_state SET customers = 1000000 + (SELECT COUNT(*) FROM account);
ALTER TABLE session ADD COLUMN id TEXT NOT NULL DEFAULT '';
UPDATE session SET id = 'sess_' || SUBSTR(token_sha256, 1, 32);
CREATE UNIQUE INDEX session_id ON session (id) WHERE id <> '';
CREATE TABLE mail (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    account TEXT REFERENCES account (id),
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    link TEXT NOT NULL,
    status TEXT NOT NULL,
    tries BIGINT NOT NULL,
    due_at_ms BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    good_until_ms BIGINT NOT NULL,
    ended_at_ms BIGINT,
    error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX mail_due ON mail (status, due_at_ms);
CREATE INDEX mail_status ON mail (status, id);
CREATE INDEX mail_account ON mail (account, id);
CREATE TABLE ask (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    address TEXT NOT NULL,
    asked_at_ms BIGINT NOT NULL
);
CREATE TABLE link (
    token_sha256 TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    account TEXT REFERENCES account (id),
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    expires_at_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX link_email ON link (kind, email);
CREATE TABLE email_change (
    account TEXT PRIMARY KEY REFERENCES account (id),
    email TEXT NOT NULL,
    old_sha256 TEXT NOT NULL UNIQUE,
    new_sha256 TEXT NOT NULL UNIQUE,
    old_confirmed BIGINT NOT NULL,
    new_confirmed BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL
);
CREATE TABLE api_token (
    id TEXT PRIMARY KEY,
    token_sha256 TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    used_at_ms BIGINT
);
CREATE INDEX api_token_account ON api_token (account, id);
";

const RUNNING_OUT: &str = "
ALTER TABLE report ADD COLUMN running_out BIGINT;
";

const PROMISES: &str = "
CREATE TABLE promise (
    license TEXT NOT NULL REFERENCES license (id),
    workstation TEXT NOT NULL REFERENCES workstation (id),
    rev BIGINT NOT NULL,
    seats BIGINT NOT NULL,
    pinned BIGINT NOT NULL,
    PRIMARY KEY (license, workstation)
);
CREATE INDEX promise_workstation ON promise (workstation);
";

const ROLES: &str = "
ALTER TABLE member ADD COLUMN role TEXT NOT NULL DEFAULT 'user';
ALTER TABLE session ADD COLUMN acts_for TEXT;
";

// Until now all licenses of whoever had an organization were its own, and stay so. Servers by file of those who have none
// work for their person.
const WHOSE: &str = "
ALTER TABLE license ADD COLUMN organization TEXT REFERENCES organization (id);
UPDATE license SET organization = (SELECT o.id FROM organization o WHERE o.owner = license.owner);
UPDATE workstation SET scope = 'person'
    WHERE mode = 'file' AND NOT EXISTS (SELECT 1 FROM organization o WHERE o.owner = workstation.owner);
";

// An account without a password hash was invited and is yet to be made; it has no number. `organization.confirmed`: it is one
// without a commercial license, because an operator says so.
const INVITATIONS: &str = "
ALTER TABLE member ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
ALTER TABLE organization ADD COLUMN pending_seats TEXT NOT NULL DEFAULT 'hold';
ALTER TABLE organization ADD COLUMN confirmed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX license_organization ON license (organization, channel);
CREATE TABLE invitation (
    organization TEXT NOT NULL REFERENCES organization (id),
    account TEXT NOT NULL REFERENCES account (id),
    token_sha256 TEXT NOT NULL UNIQUE,
    expires_at_ms BIGINT NOT NULL,
    PRIMARY KEY (organization, account)
);
CREATE INDEX invitation_account ON invitation (account);
CREATE INDEX invitation_expires ON invitation (expires_at_ms);
";

const HANDOVERS: &str = "
CREATE TABLE handover (
    organization TEXT PRIMARY KEY REFERENCES organization (id),
    account TEXT NOT NULL REFERENCES account (id),
    expires_at_ms BIGINT NOT NULL
);
CREATE INDEX handover_account ON handover (account);
";

const DEVICES: &str = "
CREATE TABLE device (
    device_sha256 TEXT PRIMARY KEY,
    user_code TEXT NOT NULL UNIQUE,
    client TEXT NOT NULL,
    scopes TEXT NOT NULL,
    address TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    interval_s BIGINT NOT NULL,
    polled_at_ms BIGINT,
    account TEXT REFERENCES account (id),
    allowed BIGINT
);
CREATE INDEX device_address ON device (address);
CREATE INDEX device_account ON device (account);
";

const AUDIT: &str = "
CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor TEXT,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    address TEXT NOT NULL
);
CREATE INDEX audit_subject ON audit (subject, id);
CREATE TABLE idempotency (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    answer TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (account, key)
);
CREATE INDEX idempotency_at ON idempotency (at_ms);
";
