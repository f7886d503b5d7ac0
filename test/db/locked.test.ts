import { inspect } from 'node:util'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { connect } from '../../src/db/connection.js'
import { asLedgerError, LedgerError } from '../../src/db/errors.js'
import { bringUpToDate, migrations } from '../../src/db/migrate.js'
import { createLedger, openLedger } from '../../src/db/open.js'
import { fileState, useFolder } from '../support/folder.js'
import { person, requestOf } from '../support/model.js'
import { writePythonLedger } from '../support/python-ledger.js'
import { execute, query } from '../support/sqlite.js'

useFolder()
const ada = person('1', 'ada@x.edu')

/** Another program with the ledger open, in the middle of something. */
function otherProgram(begin: 'BEGIN EXCLUSIVE' | 'BEGIN IMMEDIATE'): { end(): void } {
  const sqlite = new Database('keys.db')
  sqlite.exec(begin)
  return { end: () => sqlite.close() }
}

describe('a ledger that another program has locked', () => {
  test('is waited for a few seconds, then said to be locked; nothing is changed, and all works when it is free', async () => {
    await createLedger('keys.db')
    const ledger = await openLedger('keys.db')
    const other = otherProgram('BEGIN IMMEDIATE')
    const before = fileState('keys.db')
    const started = performance.now()
    const error = await ledger.intend([requestOf(ada)], new Date()).catch((e: unknown) => e)
    const waited = performance.now() - started
    expect(error).toBeInstanceOf(LedgerError)
    expect(error).toMatchObject({ code: 'ledger_locked', exitCode: 1 })
    expect((error as Error).message).toMatch(/keys\.db is locked by another program\. Close/)
    expect(waited).toBeGreaterThan(4000)
    expect(waited).toBeLessThan(10_000)
    expect(fileState('keys.db')).toEqual(before)
    // Reading goes on meanwhile.
    expect(await ledger.unsettledCreations()).toEqual([])
    other.end()
    await ledger.intend([requestOf(ada)], new Date())
    await ledger.close()
  })

  test('exclusively, is not even looked at, and that is said too', async () => {
    await createLedger('keys.db')
    const other = otherProgram('BEGIN EXCLUSIVE')
    const error = await openLedger('keys.db').catch((e: unknown) => e)
    other.end()
    expect(error).toMatchObject({ code: 'ledger_locked', exitCode: 1 })
  })

  test('while a migration is applied, is said to be locked as well', async () => {
    writePythonLedger('keys.db')
    const [baseline] = migrations()
    execute(
      'keys.db',
      `CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric);
       INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('${baseline?.hash}', ${baseline?.folderMillis})`,
    )
    const other = otherProgram('BEGIN IMMEDIATE')
    const connection = connect('keys.db', { busyTimeout: 0 })
    let error: unknown
    try {
      bringUpToDate(connection, [baseline?.hash ?? ''], 'keys.db')
    } catch (thrown) {
      error = asLedgerError(thrown, 'keys.db')
    }
    connection.sqlite.close()
    other.end()
    expect(error).toMatchObject({ code: 'ledger_locked' })
    expect((error as Error).message).not.toContain('CREATE TABLE')
  })
})

test('each write takes the lock at its start, so that it never has to give up between reading and writing', async () => {
  await createLedger('keys.db')
  const said: string[] = []
  const sqlite = new Database('keys.db', { verbose: (statement) => said.push(String(statement)) })
  const { drizzle } = await import('drizzle-orm/better-sqlite3')
  const tables = await import('../../src/db/tables.js')
  const { Ledger } = await import('../../src/db/ledger.js')
  const ledger = new Ledger({ sqlite, db: drizzle({ client: sqlite, schema: tables }) }, 'keys.db')
  const [id = 0] = await ledger.intend([requestOf(ada)], new Date())
  await ledger.closeEmptyCreations([id], 'refused', new Date())
  await ledger.close()
  expect(said.filter((statement) => /^BEGIN/i.test(statement))).toEqual([
    'BEGIN IMMEDIATE',
    'BEGIN IMMEDIATE',
  ])
})

describe('what SQLite says is said in words', () => {
  const cases: [code: string, ours: string, exitCode: number, words: RegExp][] = [
    ['SQLITE_NOTADB', 'ledger_not_ours', 2, /not an SQLite database/],
    ['SQLITE_BUSY_SNAPSHOT', 'ledger_locked', 1, /locked by another program/],
    ['SQLITE_FULL', 'disk_full', 1, /disk is full/],
    ['SQLITE_READONLY_DIRECTORY', 'ledger_unwritable', 1, /read-only/],
    ['SQLITE_CANTOPEN', 'ledger_unwritable', 1, /cannot be opened/],
    ['SQLITE_IOERR_WRITE', 'ledger_unwritable', 1, /disk reports an error/],
    ['SQLITE_CORRUPT', 'ledger_damaged', 1, /damaged/],
    // The system's own words for the same things.
    ['ENOSPC', 'disk_full', 1, /disk is full/],
    ['EDQUOT', 'disk_full', 1, /disk is full/],
    ['EROFS', 'ledger_unwritable', 1, /read-only/],
    ['EACCES', 'ledger_unwritable', 1, /cannot be opened/],
  ]
  for (const [code, ours, exitCode, words] of cases) {
    test(code, () => {
      const said = asLedgerError(Object.assign(new Error('raw'), { code }), 'my.db')
      expect(said).toMatchObject({ code: ours, exitCode })
      expect((said as Error).message).toMatch(words)
      expect((said as Error).message).toContain('my.db')
    })
  }

  test('also where something else is wrapped around it, of whose words none are kept', () => {
    const inner = Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' })
    const outer = new Error('Failed query: insert … params: sk-or-v1-made-up-secret', { cause: inner })
    const said = asLedgerError(outer, 'my.db') as Error
    expect(said).toMatchObject({ code: 'ledger_locked' })
    expect(inspect(said, { depth: 9, showHidden: true })).not.toContain('made-up-secret')
  })

  test('and anything else comes back as it is', () => {
    const error = new TypeError('a bug')
    expect(asLedgerError(error, 'my.db')).toBe(error)
  })
})

test('a ledger on a disk that takes no writes is said to be read-only, and no secret is half written', async () => {
  await createLedger('keys.db')
  const connection = connect('keys.db')
  // As root, permission bits do not bind; SQLite's own switch stands in for the disk's.
  connection.sqlite.pragma('query_only = ON')
  const { Ledger } = await import('../../src/db/ledger.js')
  const ledger = new Ledger(connection, 'keys.db')
  const error = await ledger.intend([requestOf(ada)], new Date()).catch((e: unknown) => e)
  expect(error).toMatchObject({ code: 'ledger_unwritable' })
  expect((error as Error).message).toMatch(/read-only/)
  await ledger.close()
  expect(query('keys.db', 'SELECT * FROM creation')).toEqual([])
})

test('a full disk is found out before an answer is taken as written down', async () => {
  await createLedger('keys.db')
  const connection = connect('keys.db')
  const pages = Number(connection.sqlite.pragma('page_count', { simple: true }))
  connection.sqlite.pragma(`max_page_count = ${pages}`)
  const { Ledger } = await import('../../src/db/ledger.js')
  const ledger = new Ledger(connection, 'keys.db')
  const long = requestOf(person('1', 'ada@x.edu', { lastName: 'Q'.repeat(20_000) }))
  const error = await ledger.intend([long], new Date()).catch((e: unknown) => e)
  expect(error).toMatchObject({ code: 'disk_full' })
  await ledger.close()
  expect(query('keys.db', 'SELECT * FROM creation')).toEqual([])
})
