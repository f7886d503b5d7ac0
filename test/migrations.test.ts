import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { getTableConfig, type SQLiteTable } from 'drizzle-orm/sqlite-core'
import { expect, test } from 'vitest'
import { connect } from '../src/db/connection.js'
import { bringUpToDate, migrations } from '../src/db/migrate.js'
import { createLedger } from '../src/db/open.js'
import * as tables from '../src/db/tables.js'
import { fileState, useFolder } from './support/folder.js'
import { columnsOf, execute, query } from './support/sqlite.js'

useFolder()

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DRIZZLE = join(ROOT, 'drizzle')
const journal: { entries: { idx: number; when: number; tag: string }[] } = JSON.parse(
  readFileSync(join(DRIZZLE, 'meta/_journal.json'), 'utf8'),
)

/** What has landed: the file of each migration, by its SHA-256. Lines are only ever added here. */
const LANDED: Record<string, string> = {
  '0000_baseline.sql': 'd645bb65c0cbbfcf76005a387eb65b6c262c2d2be6993143c46b6d46c9753ab7',
  '0001_secrets_and_journal.sql': '4d0f70c69609e9e6437683981337d0a8f75cf714909e7120eaf85df16a4cc9b1',
  '0002_term_of_a_key.sql': '05927eb4e4fbaaaf67d6c7b819118f50c01a1e70a1d69a61b6894260bbace08d',
  '0003_told_change.sql': '321af04971aa55af4e9562050189fb9f2000194176ffba70c5711cfdfabb196c',
  '0004_offboard_run.sql': 'e01963daf97332c14a5fd44f0a6b6fa96c0dde3a2c9067c4c1fb7822dabe6d12',
}

const sqlFiles = readdirSync(DRIZZLE).filter((name) => name.endsWith('.sql'))
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

test.each(Object.keys(LANDED))('%s is as it landed', (name) => {
  expect(
    sha256(join(DRIZZLE, name)),
    `${name} has landed: people's ledgers have had it. It must never be edited; write a new migration: npm run migrations`,
  ).toBe(LANDED[name])
})

test('no migration is without its place in the list above, or gone', () => {
  expect(
    sqlFiles.sort(),
    'a new migration: add its SHA-256 to LANDED. A migration that is gone must come back: ledgers have had it',
  ).toEqual(Object.keys(LANDED).sort())
})

test('the journal has each migration once, in order, with its file', () => {
  expect(journal.entries.map(({ tag }) => `${tag}.sql`)).toEqual(Object.keys(LANDED).sort())
  expect(journal.entries.map(({ idx }) => idx)).toEqual(journal.entries.map((_, i) => i))
})

test('the times of the journal increase: one that is out of order would be skipped without a word', () => {
  const times = journal.entries.map(({ when }) => when)
  expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
})

test('the tables in the source and the migrations agree: nothing is left to generate', () => {
  const folder = mkdtempSync(join(tmpdir(), 'class-keys-migrations-'))
  try {
    // drizzle-kit takes every path as one below the folder it runs in.
    const out = join(folder, 'drizzle')
    cpSync(DRIZZLE, out, { recursive: true })
    cpSync(join(ROOT, 'src/db/tables.ts'), join(folder, 'tables.ts'))
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    const kit = join(ROOT, 'node_modules/drizzle-kit/bin.cjs')
    const ran = spawnSync(
      process.execPath,
      [kit, 'generate', '--dialect', 'sqlite', '--schema', 'tables.ts', '--out', 'drizzle'],
      { cwd: folder, encoding: 'utf8', timeout: 60_000 },
    )
    expect(`${ran.stdout}${ran.stderr}`, 'npm run migrations mends this').toContain('No schema changes')
    expect(readdirSync(out).sort()).toEqual(readdirSync(DRIZZLE).sort())
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('what the migrations make has the columns that the source thinks it has', async () => {
  await createLedger('keys.db')
  const declared = Object.values(tables) as SQLiteTable[]
  for (const table of declared) {
    const { name, columns } = getTableConfig(table)
    const info = query(
      'keys.db',
      'SELECT name, type, "notnull", pk FROM pragma_table_info(?) ORDER BY cid',
      name,
    )
    expect(info, name).toEqual(
      columns.map((column) => ({
        name: column.name,
        type: column.getSQLType().toUpperCase(),
        notnull: column.notNull ? 1 : 0,
        pk: column.primary ? 1 : 0,
      })),
    )
  }
  const made = query(
    'keys.db',
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  )
  expect(
    made
      .map((row) => String(row.name))
      .filter((name) => name !== '__drizzle_migrations')
      .sort(),
  ).toEqual(declared.map((table) => getTableConfig(table).name).sort())
})

test('migrations that have been applied are not applied again, and the file is left alone', async () => {
  await createLedger('keys.db')
  const before = fileState('keys.db')
  const connection = connect('keys.db')
  bringUpToDate(
    connection,
    migrations().map((migration) => migration.hash),
    'keys.db',
  )
  connection.sqlite.close()
  expect(fileState('keys.db')).toEqual(before)
})

test('each migration is applied to a ledger that stopped at any of those before it', async () => {
  const all = migrations()
  await createLedger('whole.db')
  const schemaOf = (path: string) =>
    query(path, "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
  for (let had = 1; had <= all.length; had++) {
    const path = `after-${had}.db`
    const sqlite = new Database(path)
    sqlite.exec(
      'CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)',
    )
    for (const { sql, hash, folderMillis } of all.slice(0, had)) {
      for (const statement of sql) sqlite.exec(statement)
      sqlite
        .prepare('INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)')
        .run(hash, folderMillis)
    }
    sqlite.close()
    const connection = connect(path)
    bringUpToDate(
      connection,
      all.slice(0, had).map((migration) => migration.hash),
      path,
    )
    connection.sqlite.close()
    expect(query(path, 'SELECT hash FROM __drizzle_migrations').map((row) => row.hash)).toEqual(
      all.map((migration) => migration.hash),
    )
    expect(schemaOf(path).map(({ type, name }) => [type, name])).toEqual(
      schemaOf('whole.db').map(({ type, name }) => [type, name]),
    )
  }
})

test('references between rows are looked after again once the migrations are through', async () => {
  execute('keys.db', 'CREATE TABLE t (x)')
  rmSync('keys.db')
  await createLedger('keys.db')
  execute('keys.db', 'DELETE FROM __drizzle_migrations WHERE rowid > 1')
  for (const { name } of query('keys.db', "SELECT name FROM sqlite_master WHERE type = 'table'")) {
    const ofV2 = [
      'student',
      'key',
      'usage',
      'changelog',
      'schema_version',
      '__drizzle_migrations',
      'sqlite_sequence',
    ]
    if (!ofV2.includes(String(name))) execute('keys.db', `DROP TABLE ${name}`)
  }
  const connection = connect('keys.db')
  bringUpToDate(connection, [migrations()[0]?.hash ?? ''], 'keys.db')
  expect(connection.sqlite.pragma('foreign_keys', { simple: true })).toBe(1)
  connection.sqlite.close()
  expect(columnsOf('keys.db', 'secret')).toContain('secret')
})

test('the package takes the migrations along, and finds them from dist as from src', () => {
  const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  expect(files).toContain('drizzle')
  const dist = join(ROOT, 'dist')
  expect(existsSync(dist), 'npm run build makes dist/').toBe(true)
  const looking = readdirSync(dist, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js'))
    .filter((path) => /new URL\(["'`]\.\.\/\.\.\/drizzle["'`]/.test(readFileSync(join(dist, path), 'utf8')))
  expect(looking).not.toEqual([])
  for (const path of looking) expect(resolve(join(dist, path), '../../../drizzle'), path).toBe(DRIZZLE)
})
