import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import Check from '../../src/commands/check.js'
import ExportKeys from '../../src/commands/export-keys.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import Update from '../../src/commands/update.js'
import { createLedger, openLedger } from '../../src/db/open.js'
import { useClassroom } from '../support/classroom.js'
import { ROOT } from '../support/command.js'
import { modeOf, names, only } from '../support/folder.js'
import { editLimits, keyNameOf, readCsv, student, writeRoster } from '../support/people.js'
import { DIALECTS, everyCell, TABLES, writePythonLedger } from '../support/python-ledger.js'
import { columnsOf, execute, query } from '../support/sqlite.js'

const room = useClassroom()

const [ada, bilal, chiara] = [student(1), student(2), student(3)]
const person = (of: typeof ada) => ({
  email: of.email,
  first: of.first_name,
  last: of.last_name,
  mqId: of.mq_id,
})

/** A term that the Python tool has kept the books of, with what real files of it hold: gaps and broken references. */
function pythonTerm(dialect: keyof typeof DIALECTS) {
  const adas = room.giveKey(ada, { limit: 3, usage: 1.25 })
  const bilals = room.giveKey(bilal, { limit: null, disabled: true })
  writePythonLedger('keys.db', {
    dialect,
    students: [
      person(ada),
      person(bilal),
      { email: 'guest@example.edu', first: 'Guest', last: 'One', mqId: null },
    ],
    keys: [
      { hash: adas.hash, email: ada.email, name: keyNameOf(ada), limit: 3 },
      { hash: bilals.hash, email: bilal.email, name: keyNameOf(bilal), limit: null, disabled: true },
      // Of somebody whose row was deleted by hand.
      {
        hash: 'aaaa',
        label: null,
        email: 'gone@example.edu',
        name: '20260219_Gone Away_48299999',
        limit: 2.5,
      },
    ],
    usage: [
      { hash: adas.hash, usage: 0.5 },
      { hash: 'bbbb', usage: 0.75 },
    ],
    changelog: [
      { hash: adas.hash, action: 'provisioned', new: '3.0' },
      { hash: null, action: 'init', old: null, new: null },
      { hash: 'cccc', action: 'update_limit', old: '3.0', new: '5.0' },
    ],
  })
  return { adas, bilals }
}

for (const dialect of Object.keys(DIALECTS) as (keyof typeof DIALECTS)[]) {
  describe(`a ledger of the Python tool, ${dialect}`, () => {
    test('is adopted without a change to any row, column or type', async () => {
      pythonTerm(dialect)
      const before = everyCell('keys.db')
      const columns = TABLES.map((table) => columnsOf('keys.db', table))
      const { json } = await room.ok(InitDb, '--json')
      expect(json).toEqual({ db: 'keys.db', created: false, adopted: true, schemaVersion: 2 })
      expect(everyCell('keys.db')).toEqual(before)
      expect(TABLES.map((table) => columnsOf('keys.db', table))).toEqual(columns)
      expect(names()).toEqual(['keys.db'])
    })

    test('is readable by its owner alone from then on', async () => {
      pythonTerm(dialect)
      chmodSync('keys.db', 0o644)
      await (await openLedger('keys.db')).close()
      expect(modeOf('keys.db')).toBe('600')
    })

    test('keeps every old row through check, provision and update, and what is written since can be read by it', async () => {
      const { adas, bilals } = pythonTerm(dialect)
      const before = everyCell('keys.db')
      const columns = TABLES.map((table) => columnsOf('keys.db', table))
      writeRoster([ada, bilal, chiara])
      await room.ok(Check)
      await room.ok(Provision)
      editLimits({ [ada.email]: { target_limit: '5' } })
      await room.ok(Update)

      const after = everyCell('keys.db')
      for (const table of ['usage', 'changelog', 'schema_version'] as const)
        expect(after[table]?.slice(0, before[table]?.length), table).toEqual(before[table])
      expect(after.student).toEqual(expect.arrayContaining(before.student ?? []))
      // What the tool itself has changed at OpenRouter, and what went from OpenRouter, is all that differs.
      const key = (hash: string) => after.key?.find((row) => row.key_hash === hash)
      for (const row of before.key ?? []) {
        const {
          credit_limit,
          'type of credit_limit': _,
          key_label,
          'type of key_label': __,
          created_at,
          ...rest
        } = row
        expect(key(String(row.key_hash))).toMatchObject({ ...rest, created_at })
      }
      expect(key(adas.hash)).toMatchObject({ credit_limit: 5, disabled: 0 })
      expect(key(bilals.hash)).toMatchObject({ credit_limit: null, disabled: 1 })
      expect(key('aaaa')).toMatchObject({ credit_limit: 2.5, key_label: null, email: 'gone@example.edu' })
      expect(TABLES.map((table) => columnsOf('keys.db', table))).toEqual(columns)

      // Reads as a Python program would do them, over old rows and new ones.
      const joined = query(
        'keys.db',
        'SELECT s.email, k.credit_limit, k.disabled, s.created_at FROM student s JOIN key k ON k.email = s.email ORDER BY s.mq_id',
      )
      expect(joined.map(({ email, credit_limit, disabled }) => [email, credit_limit, disabled])).toEqual([
        [ada.email, 5, 0],
        [bilal.email, null, 1],
        [chiara.email, 3, 0],
      ])
      for (const { created_at } of joined)
        expect(String(created_at)).toMatch(/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00)?$/)
      expect(
        query(
          'keys.db',
          'SELECT u.usage FROM usage u JOIN key k USING (key_hash) WHERE k.email = ? ORDER BY u.id',
          ada.email,
        ),
      ).toEqual([{ usage: 0.5 }, { usage: 1.25 }])
      const made = query(
        'keys.db',
        "SELECT * FROM changelog WHERE action IN ('provisioned', 'update_limit') AND id > 3",
      )
      expect(made.map(({ action, old_value, new_value }) => [action, old_value, new_value])).toEqual([
        ['provisioned', null, '3.00'],
        ['update_limit', '3.00', '5.00'],
      ])
    })
  })
}

test('a key of which only the ledger of the Python tool knows whose it is, is exported and says that its secret is not here', async () => {
  pythonTerm('declared as in SQL textbooks')
  const { json } = await room.ok(ExportKeys, '--json')
  expect(json).toMatchObject({ withoutSecret: json.keys })
  const exported = readCsv(only(/^api_keys_/))
  expect(exported.map((row) => [row.email, row.api_key])).toEqual(
    expect.arrayContaining([
      [ada.email, 'not known to this ledger'],
      [bilal.email, 'not known to this ledger'],
    ]),
  )
  expect(exported).toHaveLength(3)
})

test('provision leaves the keys of the Python tool alone, counts them, and makes the missing one', async () => {
  pythonTerm('declared as in SQL textbooks')
  writeRoster([ada, bilal, chiara])
  const { stdout } = await room.ok(Provision)
  expect(stdout).toMatch(/Created: 1\nAlready had one: 2/)
  expect(stdout).toMatch(/2 students have keys whose secrets are not in this ledger/)
  expect(room.requests('POST')).toHaveLength(1)
  expect([...room.requests('PATCH'), ...room.requests('DELETE')]).toEqual([])
})

test('what had changed at OpenRouter before the adoption is recorded as observed', async () => {
  const { adas } = pythonTerm('declared as in SQL textbooks')
  room.sandbox.state.editKey(adas.hash, { limit: 9 })
  writeRoster([ada, bilal])
  await room.ok(Check)
  expect(
    query('keys.db', 'SELECT action, old_value, new_value FROM changelog WHERE id > 3').map(Object.values),
  ).toEqual(
    expect.arrayContaining([
      ['observed_limit', '3.00', '9.00'],
      ['observed_gone', '20260219_Gone Away_48299999', null],
    ]),
  )
})

test('an adoption that was interrupted after its first step is finished by the next command', async () => {
  pythonTerm('declared as in SQL textbooks')
  const { migrations } = await import('../../src/db/migrate.js')
  const [baseline] = migrations()
  execute(
    'keys.db',
    `CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric);
     INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('${baseline?.hash}', ${baseline?.folderMillis})`,
  )
  const before = everyCell('keys.db')
  await (await openLedger('keys.db')).close()
  expect(everyCell('keys.db')).toEqual(before)
  expect(columnsOf('keys.db', 'secret')).toContain('secret')
})

test('an adoption that was interrupted before its first row is finished by the next command', async () => {
  pythonTerm('declared as in SQL textbooks')
  execute(
    'keys.db',
    'CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)',
  )
  const before = everyCell('keys.db')
  await (await openLedger('keys.db')).close()
  expect(everyCell('keys.db')).toEqual(before)
})

test('an adoption that was written down twice does not hide a migration that is still to come', async () => {
  pythonTerm('declared as in SQL textbooks')
  const { migrations } = await import('../../src/db/migrate.js')
  const [baseline] = migrations()
  const row = `('${baseline?.hash}', ${baseline?.folderMillis})`
  const rows = migrations().map(() => row)
  execute(
    'keys.db',
    `CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric);
     INSERT INTO __drizzle_migrations (hash, created_at) VALUES ${rows.join(', ')}`,
  )
  await (await openLedger('keys.db')).close()
  expect(columnsOf('keys.db', 'secret')).toContain('secret')
})

test('two commands that adopt one ledger at the same moment both get through, and it is adopted once', async () => {
  pythonTerm('declared as in SQL textbooks')
  const before = everyCell('keys.db')
  // Processes, since two adoptions within one cannot meet: each is done before the other begins.
  const openings = Array.from({ length: 4 }, () => {
    const script = `${ROOT}test/support/open-ledger.ts`
    return spawn(process.execPath, ['--import', 'tsx', script, `${process.cwd()}/keys.db`], {
      cwd: ROOT,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
  })
  const said = openings.map(() => '')
  openings.forEach((child, i) => {
    child.stdout.on('data', (chunk) => {
      said[i] += chunk
    })
  })
  // All are loaded and wait; then all are let go at once.
  await Promise.all(openings.map((child) => once(child.stdout, 'data')))
  for (const child of openings) child.stdin.end('go')
  await Promise.all(openings.map((child) => once(child, 'close')))
  expect(said).toEqual(said.map(() => 'ready\nopened\n'))
  expect(everyCell('keys.db')).toEqual(before)
  expect(
    query('keys.db', 'SELECT hash, count(*) AS n FROM __drizzle_migrations GROUP BY hash HAVING n > 1'),
  ).toEqual([])
})

test('a ledger that has been adopted since it was looked at is not adopted again', async () => {
  pythonTerm('declared as in SQL textbooks')
  const { connect } = await import('../../src/db/connection.js')
  const { bringUpToDate, migrations } = await import('../../src/db/migrate.js')
  const [first, second] = [connect('keys.db'), connect('keys.db')]
  // Both have looked at the file before either has written.
  bringUpToDate(first, [], 'keys.db')
  bringUpToDate(second, [], 'keys.db')
  expect(query('keys.db', 'SELECT hash FROM __drizzle_migrations').map((row) => row.hash)).toEqual(
    migrations().map((migration) => migration.hash),
  )
  first.sqlite.close()
  second.sqlite.close()
})

test('two commands of one process that adopt one ledger both get through', async () => {
  pythonTerm('declared as in SQL textbooks')
  const ledgers = await Promise.all([openLedger('keys.db'), openLedger('keys.db'), createLedger('keys.db')])
  for (const ledger of ledgers) if (typeof ledger === 'object') await ledger.close()
  expect(query('keys.db', 'SELECT count(*) AS n FROM __drizzle_migrations')).toEqual([
    { n: (await import('../../src/db/migrate.js')).migrations().length },
  ])
})
