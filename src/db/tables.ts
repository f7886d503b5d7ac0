import { index, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/*
 * Schema v2: these five tables keep exactly these columns, so that a ledger made by the Python tool that came
 * before opens as it is, and stays readable by it. Everything else goes into tables of its own, below.
 */

/** The people of the class; the address is the key, the MQ ID the identity. */
export const student = sqliteTable('student', {
  email: text('email').primaryKey(),
  firstName: text('first_name').notNull(),
  lastName: text('last_name').notNull(),
  mqId: text('mq_id').unique(),
  createdAt: text('created_at').notNull(),
})

/** The keys of the people of the class. */
export const key = sqliteTable('key', {
  keyHash: text('key_hash').primaryKey(),
  /** The masked form that OpenRouter shows. */
  keyLabel: text('key_label'),
  email: text('email')
    .notNull()
    .references(() => student.email),
  keyName: text('key_name').notNull(),
  createdAt: text('created_at').notNull(),
  /** US dollars; null is unlimited. */
  creditLimit: real('credit_limit'),
  disabled: integer('disabled', { mode: 'boolean' }).notNull().default(false),
})

/** What a key had spent when it was looked at, in US dollars. */
export const usage = sqliteTable('usage', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  keyHash: text('key_hash')
    .notNull()
    .references(() => key.keyHash),
  usage: real('usage').notNull(),
  checkedAt: text('checked_at').notNull(),
})

/** Every change to a key. Rows are only ever added. */
export const changelog = sqliteTable('changelog', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  keyHash: text('key_hash').references(() => key.keyHash),
  action: text('action').notNull(),
  oldValue: text('old_value'),
  newValue: text('new_value'),
  changedAt: text('changed_at').notNull(),
})

/** One row: 2. */
export const schemaVersion = sqliteTable('schema_version', { version: integer('version').notNull() })

/* Tables of our own. */

/** What we know of a key beyond schema v2. */
export const keyState = sqliteTable('key_state', {
  keyHash: text('key_hash').primaryKey(),
  limitReset: text('limit_reset', { enum: ['daily', 'weekly', 'monthly'] }),
  expiresAt: text('expires_at'),
  /** When this tool last changed the key or saw it: an older listing knows less than the ledger. */
  knownAt: integer('known_at', { mode: 'timestamp_ms' }).notNull(),
  /** When the key was found to be gone from OpenRouter, or was deleted by us. */
  goneAt: text('gone_at'),
  /** When `offboard` set out to disable the key; null where it is disabled for another reason, or enabled again. */
  offboardedAt: integer('offboarded_at', { mode: 'timestamp_ms' }),
})

/** The plaintext of keys, each from the answer to its creation. */
export const secret = sqliteTable('secret', {
  keyHash: text('key_hash').primaryKey(),
  secret: text('secret').notNull(),
  obtainedAt: text('obtained_at').notNull(),
  /** The file that it was handed out in; null as long as no file has ever held it. */
  handedOutIn: text('handed_out_in'),
})

/** The journal of creations: an entry is committed before its request is sent. */
export const creation = sqliteTable(
  'creation',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    mqId: text('mq_id').notNull(),
    email: text('email').notNull(),
    firstName: text('first_name').notNull(),
    lastName: text('last_name').notNull(),
    keyName: text('key_name').notNull(),
    creditLimit: real('credit_limit'),
    limitReset: text('limit_reset', { enum: ['daily', 'weekly', 'monthly'] }),
    state: text('state', { enum: ['open', 'undoing', 'done', 'refused', 'absent', 'undone'] }).notNull(),
    keyHash: text('key_hash'),
    intendedAt: integer('intended_at', { mode: 'timestamp_ms' }).notNull(),
    closedAt: integer('closed_at', { mode: 'timestamp_ms' }),
    expiresAt: text('expires_at'),
    /** The key that this one is made in place of, by `rotate`. */
    replaces: text('replaces'),
  },
  (table) => [index('creation_state').on(table.state)],
)

/** Changes that are about to be sent: what comes true without its answer being committed is found in the next listing. */
export const pendingChange = sqliteTable('pending_change', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  keyHash: text('key_hash').notNull(),
  action: text('action').notNull(),
  oldValue: text('old_value'),
  newValue: text('new_value'),
  intendedAt: integer('intended_at', { mode: 'timestamp_ms' }).notNull(),
})

/** One row at most: the workspace that the keys of this ledger are in; none is the account's default one. */
export const workspace = sqliteTable('workspace', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
})

/** The guardrails that keys were made with: written with the key, so that a lost assignment is made up for later. */
export const keyGuardrail = sqliteTable('key_guardrail', {
  keyHash: text('key_hash').primaryKey(),
  guardrailId: text('guardrail_id').notNull(),
  guardrailName: text('guardrail_name').notNull(),
  /** Null as long as OpenRouter has not confirmed it. */
  assignedAt: integer('assigned_at', { mode: 'timestamp_ms' }),
})

/** The journal of rotations: all that a run sets out to do is committed before the first new key is asked for. */
export const rotation = sqliteTable('rotation', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  mqId: text('mq_id').notNull(),
  oldHash: text('old_hash').notNull(),
  /** Null as long as the new key is not made. */
  newHash: text('new_hash'),
  /** Whether the old key is deleted in the end, instead of disabled. */
  deleteOld: integer('delete_old', { mode: 'boolean' }).notNull(),
  /** When the old key is to be retired; it is not before the new one is made. */
  retireAt: integer('retire_at', { mode: 'timestamp_ms' }).notNull(),
  plannedAt: integer('planned_at', { mode: 'timestamp_ms' }).notNull(),
  retiredAt: integer('retired_at', { mode: 'timestamp_ms' }),
  /** When nothing was left to do for the run that began it, but to retire an old key that is kept. */
  closedAt: integer('closed_at', { mode: 'timestamp_ms' }),
})

/** What a relative target of limits.csv came to: however often the run is repeated, it is added once. */
export const relativeTarget = sqliteTable('relative_target', {
  keyHash: text('key_hash').primaryKey(),
  /** The cell as the instructor wrote it: `+5`. */
  written: text('written').notNull(),
  /** US dollars. */
  target: real('target').notNull(),
  intendedAt: integer('intended_at', { mode: 'timestamp_ms' }).notNull(),
})

/** One row at most: when a run of `offboard` has come to its end for the last time. */
export const offboardRun = sqliteTable('offboard_run', {
  finishedAt: integer('finished_at', { mode: 'timestamp_ms' }).primaryKey(),
})

/** One row at most: the last row of the changelog that a check has told a person about. */
export const toldChange = sqliteTable('told_change', {
  changelogId: integer('changelog_id').primaryKey(),
})
