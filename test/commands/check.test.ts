import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import { openLedger } from '../../src/db/open.js'
import { takeRunLock } from '../../src/db/run-lock.js'
import { useClassroom } from '../support/classroom.js'
import { modeOf, names, only } from '../support/folder.js'
import { requestOf } from '../support/model.js'
import { headerOf, keyNameOf, readCsv, student, students, writeRoster } from '../support/people.js'
import { query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal, chiara] = [student(1), student(2), student(3)]

/** A ledger, a roster of three, a key for two of them, and one of somebody else. */
async function term() {
  await room.ok(InitDb)
  writeRoster([ada, bilal, chiara])
  const foreign = room.sandbox.state.addKey({ name: 'thesis pipeline', usage: 4.5, disabled: true })
  const adas = room.giveKey(ada, { usage: 1.25, limit: 3, limit_reset: 'weekly' })
  const bilals = room.giveKey(bilal, { limit: null })
  return { foreign, adas, bilals }
}

describe('what a person sees', () => {
  test('the counts, the orphans with their usage, and a table of the matched', async () => {
    await term()
    const { stdout, stderr } = await room.ok(Check)
    const snapshot = only(/^snapshot_/)
    const lines = stdout.split('\n')
    const cells = (start: string) => lines.find((line) => line.startsWith(start))?.split(/ {2,}/)
    for (const line of ['Keys in OpenRouter: 3', 'Matched: 2', 'Orphaned: 1', 'Students without a key: 1'])
      expect(stdout).toMatch(new RegExp(`^${line}\\b`, 'm'))
    expect(cells('thesis pipeline')).toEqual(
      expect.arrayContaining(['thesis pipeline', '$4.50', 'unlimited', expect.stringMatching(/disabled$/)]),
    )
    expect(cells('ADDRESS')).toEqual([
      'ADDRESS',
      'NAME',
      'MQ ID',
      'KEY NAME',
      'USAGE',
      'LIMIT',
      'RESET',
      'STATUS',
    ])
    expect(cells(ada.email)).toEqual([
      ada.email,
      'Ada Quill1',
      ada.mq_id,
      keyNameOf(ada),
      '$1.25',
      '$3.00',
      'weekly',
      'OK',
    ])
    expect(cells(bilal.email)).toEqual([
      bilal.email,
      'Bilal Quill2',
      bilal.mq_id,
      keyNameOf(bilal),
      '$0.00',
      'unlimited',
      'OK',
    ])
    expect(stdout).toContain(`\nSnapshot: ${snapshot}\n`)
    // Amounts stand one below the other, whatever the width of the others.
    const end = (start: string, cell: string) => {
      const line = lines.find((each) => each.startsWith(start)) ?? ''
      return line.indexOf(cell) + cell.length
    }
    expect(end(ada.email, '$3.00')).toBe(end(bilal.email, 'unlimited'))
    const stepTitles = stderr.split('\n').map((line) => line.replace(/:.*/, ''))
    expect(stepTitles).toEqual([
      'Read the roster',
      'Open the ledger',
      'Fetch the keys',
      'Update the ledger',
      'Write the snapshot',
      '',
    ])
  })

  test('the same as one JSON document, and nothing else', async () => {
    const { adas, bilals, foreign } = await term()
    const { json, stderr } = await room.ok(Check, '--json')
    expect(stderr).toBe('')
    expect(json).toMatchObject({
      roster: 'roster.csv',
      counts: { keys: 3, matched: 2, orphaned: 1, keyless: 1 },
      matched: [
        {
          email: ada.email,
          name: 'Ada Quill1',
          mqId: ada.mq_id,
          keyName: keyNameOf(ada),
          hash: adas.hash,
          usage: 1.25,
          limit: 3,
          limitRemaining: 1.75,
          limitReset: 'weekly',
          disabled: false,
          status: 'OK',
        },
        expect.objectContaining({ email: bilal.email, hash: bilals.hash, limit: null, limitRemaining: null }),
      ],
      orphaned: [
        expect.objectContaining({
          keyName: 'thesis pipeline',
          hash: foreign.hash,
          usage: 4.5,
          limit: null,
          disabled: true,
        }),
      ],
      keyless: [{ email: chiara.email, name: 'Chiara Quill3', mqId: chiara.mq_id }],
      duplicates: [],
      inDoubt: [],
      files: { snapshot: only(/^snapshot_/) },
      retries: { rateLimited: 0, serverErrors: 0, timeouts: 0, lostConnections: 0 },
    })
  })

  test('every key that deserves a look says why in its status', async () => {
    await room.ok(InitDb)
    const nobody = student(4, { email: 'unknown@FIXME.mq.edu.au' })
    const emptied = student(5)
    writeRoster([ada, bilal, chiara, nobody, emptied])
    room.giveKey(ada, { limit: 3, usage: 3 })
    room.giveKey(bilal, { disabled: true })
    room.giveKey(chiara)
    room.giveKey(nobody)
    room.giveKey(emptied, { limit: 0 })
    const { json } = await room.ok(Check, '--json')
    const status = Object.fromEntries(
      json.matched.map((key: { mqId: string; status: string }) => [key.mqId, key.status]),
    )
    expect(status).toEqual({
      [ada.mq_id]: 'over limit',
      [bilal.mq_id]: 'disabled',
      [chiara.mq_id]: 'OK',
      [nobody.mq_id]: 'FIX EMAIL',
      [emptied.mq_id]: 'over limit',
    })
  })

  test('a limit that refills is not over as long as something is left of this period', async () => {
    await room.ok(InitDb)
    writeRoster([ada])
    const key = room.giveKey(ada, { limit: 3, limit_reset: 'monthly' })
    room.sandbox.state.addUsage(key.hash, 50, new Date('2020-01-01'))
    const { json } = await room.ok(Check, '--json')
    expect(json.matched[0]).toMatchObject({ usage: 50, limitRemaining: 3, status: 'OK' })
  })

  test('a student with two enabled keys is pointed out; one with an enabled and a disabled key is not', async () => {
    await room.ok(InitDb)
    writeRoster([ada, bilal])
    const first = room.giveKey(ada)
    const second = room.giveKey(ada, { name: keyNameOf(ada, '20260301') })
    room.giveKey(bilal)
    room.giveKey(bilal, { disabled: true })
    const { stdout } = await room.ok(Check)
    const { json } = await room.ok(Check, '--json')
    expect(stdout).toContain(
      `Ada Quill1 (${ada.email}) has 2 enabled keys (hashes ${json.duplicates[0].hashes.map((hash: string) => `${hash.slice(0, 8)}…`).join(', ')}). Disable all but one through limits.csv.`,
    )
    expect(stdout.match(/2 keys/g)).toHaveLength(2)
    expect(stdout).not.toContain('Bilal Quill2 (')
    expect(json.duplicates).toHaveLength(1)
    expect(json.duplicates[0]).toMatchObject({ mqId: ada.mq_id })
    expect(json.duplicates[0].hashes.sort()).toEqual([first.hash, second.hash].sort())
  })

  test('a creation in doubt is shown with the student, also after the roster has lost them', async () => {
    await room.ok(InitDb)
    writeRoster([ada, bilal])
    const ledger = await openLedger('keys.db')
    const person = { firstName: 'Ada', lastName: 'Quill1', email: ada.email, mqId: ada.mq_id }
    const request = requestOf(person, { keyName: keyNameOf(ada) })
    await ledger.intend([request], new Date())
    await ledger.intend([request], new Date())
    await ledger.close()
    const { stdout } = await room.ok(Check)
    expect(stdout).toContain(
      `Ada Quill1 (${ada.email}): a creation is in doubt. class-keys provision settles it.`,
    )
    writeRoster([bilal])
    const { json } = await room.ok(Check, '--json')
    expect(json.inDoubt).toEqual([{ email: ada.email, name: 'Ada Quill1', mqId: ada.mq_id }])
  })
})

describe('no roster', () => {
  test('makes every key orphaned, and is no error', async () => {
    await term()
    rmSync('roster.csv')
    const { stdout, exitCode, stderr } = await room.run(Check)
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^Keys in OpenRouter: 3\nMatched: 0\nOrphaned: 3\b/)
    expect(stdout).toContain('There is no roster, so every key is orphaned.')
    expect(stdout).toContain(keyNameOf(ada))
    expect(stderr).toContain('Read the roster: no roster.csv')
    const { json } = await room.ok(Check, '--json')
    expect(json).toMatchObject({ roster: null, counts: { keys: 3, matched: 0, orphaned: 3, keyless: 0 } })
  })

  test('and no key at all is no error either', async () => {
    await room.ok(InitDb)
    const { stdout } = await room.ok(Check)
    expect(stdout).toMatch(/^Keys in OpenRouter: 0\nMatched: 0\nOrphaned: 0\b/)
    expect(stdout).not.toMatch(/ADDRESS|KEY NAME/)
    expect(readCsv(only(/^snapshot_/))).toEqual([])
  })
})

describe('a roster', () => {
  test('with mistakes stops before anything is sent or written, and every mistake is named', async () => {
    await room.ok(InitDb)
    writeFileSync(
      'roster.csv',
      'first_name,last_name,email,mq_id,budget,limit_reset\nAda,Quill,ada@x.edu,48-1,lots,\n,Marsh,bilal@x.edu,2,1,yearly\n',
    )
    const before = names()
    const { stderr, stdout, exitCode } = await room.run(Check)
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain('Error: roster.csv has 4 problems. Nothing was sent to OpenRouter.')
    expect(stderr).toMatch(/ {2}line 2, mq_id, "48-1": may consist of letters and digits only/)
    expect(stderr).toMatch(/ {2}line 2, budget, "lots": is not an amount of dollars/)
    expect(stderr).toMatch(/ {2}line 3, first_name: is empty/)
    expect(stderr).toMatch(/ {2}line 3, limit_reset, "yearly": is not daily/)
    expect(room.requests()).toEqual([])
    expect(names()).toEqual(before)
  })

  test('as a spreadsheet of another country writes it is understood', async () => {
    await room.ok(InitDb)
    room.giveKey(ada)
    const text = `\ufeffMQ ID;Email ;First Name;LAST_NAME;Note\r\n\r\n ${ada.mq_id} ; ${ada.email};Ada;Quill1;x\r\n`
    writeFileSync('roster.csv', text)
    const { json } = await room.ok(Check, '--json')
    expect(json.counts).toMatchObject({ keys: 1, matched: 1, orphaned: 0, keyless: 0 })
  })

  test('is named by --roster or CLASS_KEYS_ROSTER', async () => {
    await room.ok(InitDb)
    room.giveKey(ada)
    writeRoster([ada], 'class-a.csv')
    writeRoster([bilal], 'class-b.csv')
    vi.stubEnv('CLASS_KEYS_ROSTER', 'class-b.csv')
    expect((await room.ok(Check, '--json')).json).toMatchObject({
      roster: 'class-b.csv',
      counts: { matched: 0 },
    })
    const { json } = await room.ok(Check, '--json', '--roster', 'class-a.csv')
    expect(json).toMatchObject({ roster: 'class-a.csv', counts: { matched: 1 } })
  })

  test('that is a folder is refused in words', async () => {
    await room.ok(InitDb)
    mkdirSync('roster.csv')
    const { stderr, exitCode } = await room.run(Check)
    expect(exitCode).toBe(2)
    expect(stderr).toContain('Error: roster.csv is a folder, not a roster.')
  })
})

describe('more than 250 keys, disabled ones among them', () => {
  test('are all counted, matched and recorded', async () => {
    room.replaceSandbox({ keys: 263 })
    await room.ok(InitDb)
    const there = room.sandbox.state.keys()
    const disabled = there.filter((key) => key.disabled)
    expect(disabled.length).toBeGreaterThan(20)
    // A roster made from the names of the keys, one student for each that has an MQ ID.
    const roster = there.flatMap(({ name }) => {
      const parts = /^\d{8}_(\S+) (.+)_(\w+)$/.exec(name)
      const [, first_name = '', last_name = '', mq_id = ''] = parts ?? []
      return parts ? [student(1, { first_name, last_name, mq_id, email: `s${mq_id}@x.edu` })] : []
    })
    writeRoster(roster)
    const { json } = await room.ok(Check, '--json')
    expect(json.counts).toMatchObject({
      keys: 263,
      matched: roster.length,
      orphaned: 263 - roster.length,
      keyless: 0,
    })
    const matchedDisabled = json.matched.filter((key: { disabled: boolean }) => key.disabled)
    expect(matchedDisabled).toHaveLength(disabled.filter((key) => /_482\d{5}$/.test(key.name)).length)
    expect(query('keys.db', 'SELECT count(*) AS n FROM key')).toEqual([{ n: roster.length }])
    expect(query('keys.db', 'SELECT count(*) AS n FROM usage')).toEqual([{ n: roster.length }])
    expect(readCsv(only(/^snapshot_/))).toHaveLength(roster.length)
    const emails = json.matched.map((key: { email: string }) => key.email)
    expect(emails).toEqual([...emails].sort())
    expect(json.duplicates).toEqual([])
  })
})

describe('what is written', () => {
  test('the snapshot: its name, its columns, its cells', async () => {
    const { adas, bilals } = await term()
    await room.ok(Check)
    const file = only(/^snapshot_\d{8}_\d{6}\.csv$/)
    expect(headerOf(file)).toBe('email,name,mq_id,key_name,hash,usage,limit,limit_reset,disabled')
    expect(readCsv(file).map(Object.values)).toEqual([
      [ada.email, 'Ada Quill1', ada.mq_id, keyNameOf(ada), adas.hash, '1.25', '3.00', 'weekly', 'false'],
      [
        bilal.email,
        'Bilal Quill2',
        bilal.mq_id,
        keyNameOf(bilal),
        bilals.hash,
        '0.00',
        'unlimited',
        '',
        'false',
      ],
    ])
    const now = new Date()
    const day = [now.getFullYear(), now.getMonth() + 1, now.getDate()]
      .map((n) => String(n).padStart(2, '0'))
      .join('')
    expect(file).toContain(`snapshot_${day}_`)
  })

  test('another snapshot in the same second, which never takes the place of the first', async () => {
    await term()
    vi.useFakeTimers({ toFake: ['Date'], now: new Date(2026, 1, 19, 20, 52, 27) })
    await room.ok(Check)
    await room.ok(Check)
    await room.ok(Check)
    vi.useRealTimers()
    expect(names().filter((name) => name.startsWith('snapshot'))).toEqual([
      'snapshot_20260219_205227-2.csv',
      'snapshot_20260219_205227-3.csv',
      'snapshot_20260219_205227.csv',
    ])
  })

  test('students, keys, and one usage row a matched key and run', async () => {
    await term()
    await room.ok(Check)
    await room.ok(Check)
    expect(query('keys.db', 'SELECT mq_id FROM student ORDER BY mq_id').map((row) => row.mq_id)).toEqual([
      ada.mq_id,
      bilal.mq_id,
      chiara.mq_id,
    ])
    expect(query('keys.db', 'SELECT count(*) AS n FROM key')).toEqual([{ n: 2 }])
    expect(query('keys.db', 'SELECT usage FROM usage ORDER BY usage').map((row) => row.usage)).toEqual([
      0, 0, 1.25, 1.25,
    ])
    expect(query('keys.db', 'SELECT * FROM changelog')).toEqual([])
  })

  test('nothing at OpenRouter, whatever is wrong there', async () => {
    await term()
    room.giveKey(ada)
    await room.ok(Check)
    expect(new Set(room.requests().map((request) => request.method))).toEqual(new Set(['GET']))
  })

  test('no limits file, and no file with secrets', async () => {
    await term()
    await room.ok(Check)
    expect(names()).toEqual(['keys.db', 'roster.csv', only(/^snapshot_/)])
    expect(modeOf('keys.db')).toBe('600')
  })

  test('an unwritable folder is said in words', async () => {
    await term()
    // As root, permission bits do not bind; a folder that is gone is as unwritable.
    const gone = `${process.cwd()}/gone`
    const here = process.cwd()
    mkdirSync(gone)
    process.chdir(gone)
    rmSync(gone, { recursive: true })
    vi.spyOn(process, 'cwd').mockReturnValue(gone)
    const { stderr, exitCode } = await room.run(
      Check,
      '--db',
      `${here}/keys.db`,
      '--roster',
      `${here}/roster.csv`,
    )
    vi.restoreAllMocks()
    process.chdir(here)
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/Error: snapshot_\S+ cannot be written in \. \(the folder does not exist\)/)
    expect(stderr).not.toMatch(/\n\s+at /)
  })
})

test('runs beside a provision that holds the ledger', async () => {
  await term()
  const lock = takeRunLock('keys.db', 'provision', new Date())
  await room.ok(Check)
  lock.release()
})

test('a key that was changed at OpenRouter by hand is recorded as observed, once', async () => {
  const { adas } = await term()
  await room.ok(Check)
  room.sandbox.state.editKey(adas.hash, { limit: 20, disabled: true })
  await room.ok(Check)
  await room.ok(Check)
  expect(query('keys.db', 'SELECT action, old_value, new_value FROM changelog').map(Object.values)).toEqual([
    ['observed_limit', '3.00', '20.00'],
    ['observed_disabled', 'false', 'true'],
  ])
})

test('two students who swap addresses keep their own keys and secrets', async () => {
  await room.ok(InitDb)
  writeRoster([ada, bilal])
  await room.ok(Provision)
  const secretOf = () =>
    query(
      'keys.db',
      'SELECT s.mq_id, x.secret FROM student s JOIN key k USING (email) JOIN secret x USING (key_hash)',
    )
  const before = new Map(secretOf().map((row) => [row.mq_id, row.secret]))
  writeRoster([
    { ...ada, email: bilal.email },
    { ...bilal, email: ada.email },
  ])
  const { json } = await room.ok(Check, '--json')
  expect(json.counts).toMatchObject({ matched: 2, orphaned: 0, keyless: 0 })
  expect(new Map(secretOf().map((row) => [row.mq_id, row.secret]))).toEqual(before)
})

test('wide tables are not shortened in a pipe, and names of other scripts stay in line', async () => {
  await room.ok(InitDb)
  const long = student(1, { first_name: '美咲', last_name: 'A'.repeat(60) })
  writeRoster([long, bilal])
  room.giveKey(long)
  room.giveKey(bilal)
  const { stdout } = await room.ok(Check)
  expect(stdout).toContain(`美咲 ${'A'.repeat(60)}`)
})

test('a roster of a whole faculty is matched in a moment', async () => {
  await room.ok(InitDb)
  const many = students(600)
  writeRoster(many)
  for (const each of many.slice(0, 350)) room.giveKey(each)
  const { json } = await room.ok(Check, '--json')
  expect(json.counts).toMatchObject({ keys: 350, matched: 350, orphaned: 0, keyless: 250 })
})
