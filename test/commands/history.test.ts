import Papa from 'papaparse'
import { afterEach, describe, expect, test, vi } from 'vitest'
import Check from '../../src/commands/check.js'
import History from '../../src/commands/history.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import Update from '../../src/commands/update.js'
import { useClassroom } from '../support/classroom.js'
import { names } from '../support/folder.js'
import { editLimits, keyNameOf, student, writeRoster } from '../support/people.js'
import { writePythonLedger } from '../support/python-ledger.js'
import { execute, query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal] = [student(1), student(2)]

afterEach(() => {
  vi.useRealTimers()
})

/** Sets the clock; only the dates, so that requests and pauses go on as they do. */
const at = (moment: string) => vi.useFakeTimers({ toFake: ['Date'], now: new Date(moment) })

const keyOf = (of: typeof ada) => {
  const key = room.sandbox.state.keys().find(({ name }) => name.endsWith(`_${of.mq_id}`))
  if (!key) throw new Error(`${of.email} has no key`)
  return key
}

/** Three days of a class in Sydney: two keys made, one limit raised, one key disabled by somebody else. */
async function threeDays() {
  vi.stubEnv('TZ', 'Australia/Sydney')
  at('2026-11-10T01:00:00Z')
  await room.ok(InitDb)
  writeRoster([ada, bilal])
  await room.ok(Provision)
  at('2026-11-11T01:00:00Z')
  editLimits({ [ada.email]: { target_limit: '5' } })
  await room.ok(Update)
  at('2026-11-12T01:00:00Z')
  room.sandbox.state.editKey(keyOf(bilal).hash, { disabled: true })
  await room.ok(Check)
  at('2026-11-12T02:00:00Z')
}

const actions = (json: { entries: { action: string }[] }) => json.entries.map(({ action }) => action)

describe('a changelog with times that cannot be read', () => {
  const TIMES = ["'x'", "'1719800000'", '1719800000', 'NULL', "'2026-02-19 20:52:27'"]
  const told = [
    '2026-02-20 07:52:27',
    'no time            ',
    '1719800000         ',
    '1719800000         ',
    'x                  ',
  ]

  function pythonLedger() {
    vi.stubEnv('TZ', 'Australia/Sydney')
    writePythonLedger('keys.db', {
      dialect: 'declared with hardly any constraint',
      students: [{ email: ada.email, first: 'Ada', last: 'Quill1', mqId: ada.mq_id }],
      keys: [{ hash: 'h', email: ada.email, name: keyNameOf(ada) }],
    })
    for (const time of TIMES)
      execute(
        'keys.db',
        `INSERT INTO changelog (key_hash, action, new_value, changed_at) VALUES ('h', 'provisioned', '3', ${time})`,
      )
  }

  test('shows those as they stand, and the others as ever', async () => {
    pythonLedger()
    const { stdout } = await room.ok(History)
    const rest = `  Ada Quill1 (${ada.email}): a key was made with a limit of $3.00`
    expect(stdout.trimEnd().split('\n')).toEqual(told.map((time) => time + rest))
  })

  test('has them in JSON and in CSV', async () => {
    pythonLedger()
    const { json } = await room.ok(History, '--json')
    expect(json.entries.map((entry: { at: string }) => entry.at)).toEqual([
      '2026-02-19T20:52:27.000Z',
      null,
      null,
      null,
      null,
    ])
    expect(json.entries.slice(1).map((entry: { unreadableAt: string }) => entry.unreadableAt)).toEqual([
      '',
      '1719800000',
      '1719800000',
      'x',
    ])
    expect(json.entries[0]).not.toHaveProperty('unreadableAt')
    const { stdout } = await room.ok(History, '--csv')
    const rows = Papa.parse<Record<string, string>>(stdout, { header: true, skipEmptyLines: true }).data
    expect(rows.map((row) => row.changed_at)).toEqual([
      '2026-02-19T20:52:27.000Z',
      '',
      '1719800000',
      '1719800000',
      'x',
    ])
  })
})

describe('what a person sees', () => {
  test('a sentence a change with its local time, the newest first', async () => {
    await threeDays()
    const { stdout } = await room.ok(History)
    expect(stdout.trimEnd().split('\n')).toEqual([
      `2026-11-12 12:00:00  Bilal Quill2 (${bilal.email}): the key was disabled, not by class-keys`,
      `2026-11-11 12:00:00  Ada Quill1 (${ada.email}): the limit was changed from $3.00 to $5.00`,
      expect.stringMatching(/^2026-11-10 12:00:00 {2}.+: a key was made with a limit of \$3\.00$/),
      expect.stringMatching(/^2026-11-10 12:00:00 {2}.+: a key was made with a limit of \$3\.00$/),
    ])
  })

  test('the same as one JSON document, times in UTC', async () => {
    await threeDays()
    const { json, stderr } = await room.ok(History, '--json')
    expect(stderr).toBe('')
    expect(actions(json)).toEqual(['observed_disabled', 'update_limit', 'provisioned', 'provisioned'])
    expect(json.entries[1]).toEqual({
      at: '2026-11-11T01:00:00.000Z',
      action: 'update_limit',
      oldValue: '3.00',
      newValue: '5.00',
      keyName: keyNameOf(ada, '20261110'),
      hash: keyOf(ada).hash,
      email: ada.email,
      name: 'Ada Quill1',
      mqId: ada.mq_id,
      sentence: 'the limit was changed from $3.00 to $5.00',
    })
  })

  test('that nothing fits, which is no error', async () => {
    await room.ok(InitDb)
    expect((await room.ok(History)).stdout).toBe('No changes match.\n')
    expect((await room.ok(History, '--json')).json).toEqual({ entries: [] })
  })

  test('every change that was seen in the dashboard, in words', async () => {
    await room.ok(InitDb)
    writeRoster([ada])
    const { hash } = room.giveKey(ada, { limit_reset: 'daily' })
    await room.ok(Check)
    room.sandbox.state.editKey(hash, { limit: null, limit_reset: null, name: `20260301_Ada Q_${ada.mq_id}` })
    await room.ok(Check)
    room.sandbox.state.deleteKey(hash)
    await room.ok(Check)
    const { json } = await room.ok(History, '--json')
    expect(json.entries.map(({ sentence }: { sentence: string }) => sentence)).toEqual([
      'the key was removed from OpenRouter, not by class-keys',
      'the reset period was changed from daily to none, not by class-keys',
      `the key was renamed from ${keyNameOf(ada)} to 20260301_Ada Q_${ada.mq_id}, not by class-keys`,
      'the limit was changed from $3.00 to unlimited, not by class-keys',
    ])
  })

  // Whoever is in the dashboard may name a key as they like; a terminal must not obey it.
  test('nothing that moves the cursor or changes the colour, whatever a key was named', async () => {
    await room.ok(InitDb)
    writeRoster([ada])
    const { hash } = room.giveKey(ada)
    await room.ok(Check)
    room.sandbox.state.editKey(hash, { name: `20260219_\u001b[2J\u0007Ada_${ada.mq_id}` })
    await room.ok(Check)
    const { stdout } = await room.ok(History)
    expect(stdout).toContain('the key was renamed')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
  })
})

describe('whose', () => {
  test.each([
    ['an address', ada.email],
    ['an address in other case', ada.email.toUpperCase()],
    ['an MQ ID', ada.mq_id],
    ['a part of a name', 'a quill1'],
    ['a first name in other case, with a space around', ' ADA '],
  ])('by %s', async (_, words) => {
    await threeDays()
    const { json } = await room.ok(History, words, '--json')
    expect(actions(json)).toEqual(['update_limit', 'provisioned'])
    expect(json.entries.every(({ email }: { email: string }) => email === ada.email)).toBe(true)
    const { stdout } = await room.ok(History, words)
    expect(stdout.trimEnd().split('\n')).toHaveLength(2)
    expect(stdout).not.toContain(bilal.email)
  })

  test('several, where a part of a name fits several', async () => {
    await threeDays()
    expect((await room.ok(History, 'quill', '--json')).json.entries).toHaveLength(4)
  })

  test.each([
    ['a part of an address', 'students.example.edu'],
    ['a part of an MQ ID', '4820000'],
    ['nothing at all', ''],
  ])('nobody, by %s', async (_, words) => {
    await threeDays()
    const { exitCode, stdout, stderr } = await room.run(History, words)
    const message = `Nobody in the ledger fits ${words}. Give an address, an MQ ID, or a part of the name.`
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`Error: ${message}\n`)
    const { json } = await room.run(History, words, '--json')
    expect(json).toEqual({ error: { code: 'no_such_student', message, exitCode: 2 } })
  })

  test('somebody to whom nothing has happened', async () => {
    await room.ok(InitDb)
    writeRoster([ada])
    room.giveKey(ada)
    await room.ok(Check)
    expect((await room.ok(History, ada.email)).stdout).toBe('No changes match.\n')
  })
})

describe('which', () => {
  test.each([
    // The day begins at local midnight: in Sydney that is 13:00 UTC of the day before.
    ['2026-11-12', ['observed_disabled']],
    ['2026-11-11', ['observed_disabled', 'update_limit']],
    ['25h', ['observed_disabled', 'update_limit']],
    ['24h', ['observed_disabled']],
    ['1d', ['observed_disabled']],
    ['0h', []],
    ['2026-11-11T01:00:00Z', ['observed_disabled', 'update_limit']],
    ['2026-11-11T01:00:01Z', ['observed_disabled']],
    ['2026-11-11 12:00', ['observed_disabled', 'update_limit']],
    ['2026-11-11 12:01', ['observed_disabled']],
    ['2026-11-13', []],
  ])('--since %s', async (since, wanted) => {
    await threeDays()
    expect(actions((await room.ok(History, '--since', since, '--json')).json)).toEqual(wanted)
  })

  test.each(['yesterday', '2026-02-31', '7w'])('--since %s is refused in words', async (since) => {
    await threeDays()
    const { exitCode, stderr, stdout } = await room.run(History, '--since', since)
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`${since} is neither a day such as 2026-11-01, nor a span such as 7d or 24h`)
    const refused = await room.run(History, '--since', since, '--json')
    expect(refused.exitCode).toBe(2)
    expect(refused.json.error).toMatchObject({ code: 'usage', exitCode: 2 })
  })

  test('--action, alone and with the others', async () => {
    await threeDays()
    expect((await room.ok(History, '--action', 'provisioned', '--json')).json.entries).toHaveLength(2)
    const one = await room.ok(History, 'bilal', '--action', 'provisioned', '--json')
    expect(one.json.entries).toHaveLength(1)
    const none = await room.ok(History, 'ada', '--since', '1d', '--action', 'update_limit')
    expect(none.stdout).toBe('No changes match.\n')
  })
})

describe('--csv', () => {
  const parsed = (text: string) =>
    Papa.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true })

  test('is nothing but CSV, times in UTC', async () => {
    await threeDays()
    const { stdout } = await room.ok(History, 'ada', '--csv')
    const { data, errors, meta } = parsed(stdout)
    expect(errors).toEqual([])
    expect(meta.fields?.join()).toBe('changed_at,email,name,mq_id,action,old_value,new_value,key_name,hash')
    expect(data).toHaveLength(2)
    expect(Object.values(data[0] ?? {})).toEqual([
      '2026-11-11T01:00:00.000Z',
      ada.email,
      'Ada Quill1',
      ada.mq_id,
      'update_limit',
      '3.00',
      '5.00',
      keyNameOf(ada, '20261110'),
      keyOf(ada).hash,
    ])
  })

  test('has its header where nothing fits', async () => {
    await room.ok(InitDb)
    const { stdout } = await room.ok(History, '--csv')
    expect(stdout).toBe('changed_at,email,name,mq_id,action,old_value,new_value,key_name,hash\n')
  })

  test('defuses formulas and keeps commas, quotes and line breaks in their cells', async () => {
    const hash = 'a'.repeat(64)
    const nasty = '+1,"x"\ny'
    writePythonLedger('keys.db', {
      students: [
        { email: ada.email, first: '=HYPERLINK("https://example.edu")', last: 'Quill1', mqId: 'A1' },
      ],
      keys: [{ hash, email: ada.email, name: '@SUM(1)' }],
      changelog: [{ hash, action: 'observed_name', old: nasty, new: '=1+1' }],
    })
    const { stdout } = await room.ok(History, '--csv')
    const { data, errors } = parsed(stdout)
    expect(errors).toEqual([])
    expect(data).toEqual([
      expect.objectContaining({
        name: `'=HYPERLINK("https://example.edu") Quill1`,
        old_value: `'${nasty}`,
        new_value: "'=1+1",
        key_name: "'@SUM(1)",
      }),
    ])
  })

  test('and --json exclude each other', async () => {
    await threeDays()
    const { exitCode, json } = await room.run(History, '--csv', '--json')
    expect(exitCode).toBe(2)
    expect(json.error.code).toBe('usage')
  })
})

test('goes on telling about a key that is deleted, and about a student who left', async () => {
  await threeDays()
  const { hash } = keyOf(ada)
  room.sandbox.state.deleteKey(hash)
  writeRoster([bilal])
  await room.ok(Check)
  const { json } = await room.ok(History, ada.mq_id, '--json')
  expect(actions(json)).toEqual(['observed_gone', 'update_limit', 'provisioned'])
  expect(json.entries.map((entry: { hash: string }) => entry.hash)).toEqual([hash, hash, hash])
  expect((await room.ok(History, ada.email)).stdout).toContain('the key was removed from OpenRouter')
})

test('needs neither the network nor a management key, and changes nothing', async () => {
  await threeDays()
  vi.stubEnv('OPENROUTER_PROVISIONING_KEY', undefined)
  room.sandbox.state.requests.length = 0
  const rows = () => query('keys.db', 'SELECT * FROM changelog')
  const [before, files] = [rows(), names()]
  await room.ok(History)
  await room.ok(History, '--json')
  await room.ok(History, '--csv')
  expect(room.requests()).toEqual([])
  expect([rows(), names()]).toEqual([before, files])
})

test('another ledger is named by --db', async () => {
  await threeDays()
  await room.ok(InitDb, '--db', 'other.db')
  expect((await room.ok(History, '--db', 'other.db', '--json')).json.entries).toEqual([])
})

test('a missing ledger is an error that says how to make one, and is not made', async () => {
  const { exitCode, stderr, stdout } = await room.run(History)
  expect([exitCode, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(/Error: .*keys\.db.*init-db/s)
  const { json, exitCode: again } = await room.run(History, '--json')
  expect(again).toBe(2)
  expect(json.error).toMatchObject({ code: 'ledger_missing', exitCode: 2 })
  expect(names()).toEqual([])
})

describe('a ledger of the Python tool', () => {
  const hash = 'b'.repeat(64)
  const write = () => {
    vi.stubEnv('TZ', 'Australia/Sydney')
    writePythonLedger('keys.db', {
      students: [
        { email: ada.email, first: 'Ada', last: 'Quill1', mqId: ada.mq_id },
        { email: bilal.email, first: 'Bilal', last: 'Quill2', mqId: null },
      ],
      keys: [
        { hash, email: ada.email, name: keyNameOf(ada) },
        { hash: 'c'.repeat(64), email: bilal.email, name: keyNameOf(bilal) },
        { hash: 'd'.repeat(64), email: 'not-there@example.edu', name: '20260219_Cy Reed_48299999' },
      ],
      changelog: [
        { hash, action: 'update_limit', old: 'None', new: '5.0' },
        { hash, action: 'update_disabled', old: 'False', new: 'True' },
        { hash: null, action: 'migrated', new: 'v2' },
        { hash: 'c'.repeat(64), action: 'update_limit', old: '1', new: '2' },
        { hash: 'd'.repeat(64), action: 'update_limit', old: '1', new: '2' },
        { hash: 'e'.repeat(64), action: 'update_limit', old: '1', new: '2' },
      ],
    })
    // With a T the Python tool wrote local time, with a space UTC: by summer time, eleven hours ahead.
    execute(
      'keys.db',
      `UPDATE changelog SET changed_at = CASE id % 2
         WHEN 1 THEN '2026-02-19T20:52:27.363244' ELSE '2026-02-19 20:52:27' END`,
    )
  }

  test('is told with its naive times as moments, and with the rows that are about no key it has', async () => {
    write()
    const { json } = await room.ok(History, '--json')
    expect(json.entries.map(({ at, action }: Record<string, string>) => [at, action])).toEqual([
      ['2026-02-19T20:52:27.000Z', 'update_limit'],
      ['2026-02-19T09:52:27.363Z', 'update_limit'],
      ['2026-02-19T20:52:27.000Z', 'update_limit'],
      ['2026-02-19T09:52:27.363Z', 'migrated'],
      ['2026-02-19T20:52:27.000Z', 'update_disabled'],
      ['2026-02-19T09:52:27.363Z', 'update_limit'],
    ])
    expect(json.entries[3]).toEqual({
      at: '2026-02-19T09:52:27.363Z',
      action: 'migrated',
      oldValue: null,
      newValue: 'v2',
      keyName: null,
      hash: null,
      sentence: 'migrated: nothing → v2',
    })
    expect(json.entries[5].sentence).toBe('the limit was changed from None to $5.00')
    const { stdout } = await room.ok(History)
    expect(stdout.trimEnd().split('\n')).toEqual([
      '2026-02-20 07:52:27  key eeeeeeee…: the limit was changed from $1.00 to $2.00',
      '2026-02-19 20:52:27  20260219_Cy Reed_48299999: the limit was changed from $1.00 to $2.00',
      `2026-02-20 07:52:27  Bilal Quill2 (${bilal.email}): the limit was changed from $1.00 to $2.00`,
      '2026-02-19 20:52:27  a key that is not in the ledger: migrated: nothing → v2',
      `2026-02-20 07:52:27  Ada Quill1 (${ada.email}): the key was disabled`,
      `2026-02-19 20:52:27  Ada Quill1 (${ada.email}): the limit was changed from None to $5.00`,
    ])
  })

  test('is filtered by moments, not by how they are written', async () => {
    write()
    const { json } = await room.ok(History, '--since', '2026-02-20', '--json')
    expect(json.entries).toHaveLength(3)
    expect((await room.ok(History, '--since', '2026-02-19', '--json')).json.entries).toHaveLength(6)
  })

  test('is filtered by student, a row of nobody belonging to none', async () => {
    write()
    expect((await room.ok(History, ada.mq_id, '--json')).json.entries).toHaveLength(2)
    expect((await room.ok(History, bilal.email, '--json')).json.entries).toHaveLength(1)
  })

  // Bilal's row has no MQ ID, which is not the same as an empty one that somebody asks for.
  test('has a student without an MQ ID, whom no empty word finds', async () => {
    write()
    expect((await room.run(History, '', '--json')).json.error.code).toBe('no_such_student')
  })

  test('goes into CSV with empty cells', async () => {
    write()
    const { stdout } = await room.ok(History, '--action', 'migrated', '--csv')
    expect(stdout.split('\n')[1]).toBe('2026-02-19T09:52:27.363Z,,,,migrated,,v2,,')
  })

  test('can be without a single change', async () => {
    writePythonLedger('keys.db')
    expect((await room.ok(History)).stdout).toBe('No changes match.\n')
  })
})
