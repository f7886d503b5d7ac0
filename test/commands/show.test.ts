import { afterEach, describe, expect, test, vi } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import Show from '../../src/commands/show.js'
import { useClassroom } from '../support/classroom.js'
import { runCommand } from '../support/command.js'
import { names } from '../support/folder.js'
import { keyNameOf, student, writeRoster } from '../support/people.js'
import { writePythonLedger } from '../support/python-ledger.js'
import { execute, query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal, chiara] = [student(1), student(2), student(3)]

afterEach(() => {
  vi.useRealTimers()
})

/** Sets the clock; only the dates, so that requests go on as they do. */
const at = (moment: string) => vi.useFakeTimers({ toFake: ['Date'], now: new Date(moment) })

const keyOf = (of: typeof ada) => {
  const key = room.sandbox.state.keys().find(({ name }) => name.endsWith(`_${of.mq_id}`))
  if (!key) throw new Error(`${of.email} has no key`)
  return key
}

/** A class of three; the keys of the first two were made here, that of the third was made elsewhere. */
async function term() {
  await room.ok(InitDb)
  writeRoster([ada, bilal, chiara])
  room.giveKey(chiara)
  await room.ok(Provision)
  room.sandbox.state.requests.length = 0
}

/**
 * Runs a command outside of the classroom, whose end would fail for the secret that --reveal is there to
 * print. Nothing else may be run so.
 */
const reveal = (...argv: string[]) => runCommand(Show, [...argv, '--reveal'])

const revealed = () =>
  query('keys.db', "SELECT key_hash FROM changelog WHERE action = 'revealed' ORDER BY id").map(
    (row) => row.key_hash,
  )

describe('one student on one screen', () => {
  test('identity, key, limit, what is left, secret, usage, history', async () => {
    vi.stubEnv('TZ', 'Australia/Sydney')
    at('2026-11-18T01:00:00Z')
    await term()
    room.sandbox.state.addUsage(keyOf(ada).hash, 1.25)
    await room.ok(Check)
    const { stdout } = await room.ok(Show, ada.email)
    expect(stdout).toBe(
      [
        `Ada Quill1  ${ada.email}  MQ ID ${ada.mq_id}`,
        '',
        keyNameOf(ada, '20261118'),
        '  limit   $3.00',
        '  left    $1.75',
        '  spent   $1.25 in all',
        '  secret  in this ledger; --reveal shows it',
        '  usage   █',
        '          1 check: $1.25 on 2026-11-18 12:00 to $1.25 on 2026-11-18 12:00',
        '',
        'History',
        '  2026-11-18 12:00  a key was made with a limit of $3.00',
        '',
      ].join('\n'),
    )
  })

  test('the same as one JSON document', async () => {
    at('2026-11-18T01:00:00Z')
    await term()
    const { hash } = keyOf(ada)
    room.sandbox.state.addUsage(hash, 1.25)
    await room.ok(Check)
    const { json, stderr } = await room.ok(Show, ada.mq_id, '--json')
    expect(stderr).toBe('')
    const name = { email: ada.email, name: 'Ada Quill1', mqId: ada.mq_id }
    expect(json).toEqual({
      student: name,
      keys: [
        {
          keyName: keyOf(ada).name,
          hash,
          exists: true,
          disabled: false,
          limit: 3,
          limitRemaining: 1.75,
          limitReset: null,
          refillsAt: null,
          expiresAt: null,
          expired: false,
          usage: 1.25,
          secretHere: true,
          usageOverTime: [{ at: '2026-11-18T01:00:00.000Z', usage: 1.25 }],
        },
      ],
      history: [
        {
          ...name,
          at: '2026-11-18T01:00:00.000Z',
          action: 'provisioned',
          oldValue: null,
          newValue: '3.00',
          keyName: keyOf(ada).name,
          hash,
          sentence: 'a key was made with a limit of $3.00',
        },
      ],
    })
  })

  test('only this student, with one request a key, and nothing changed anywhere', async () => {
    await term()
    const rows = () => query('keys.db', 'SELECT * FROM changelog')
    const [before, files] = [rows(), names()]
    const { stdout } = await room.ok(Show, 'bilal')
    expect(stdout).not.toContain(ada.email)
    expect(room.requests().map(({ method, path }) => [method, path])).toEqual([
      ['GET', `/keys/${keyOf(bilal).hash}`],
    ])
    expect([rows(), names()]).toEqual([before, files])
  })

  test('the limit as it is at OpenRouter now, not as the ledger last saw it', async () => {
    await term()
    room.sandbox.state.editKey(keyOf(ada).hash, { limit: null, name: `20260301_Ada Q_${ada.mq_id}` })
    const { json } = await room.ok(Show, ada.email, '--json')
    expect(json.keys[0]).toMatchObject({
      keyName: `20260301_Ada Q_${ada.mq_id}`,
      limit: null,
      limitRemaining: null,
      usage: 0,
    })
    const { stdout } = await room.ok(Show, ada.email)
    expect(stdout).toMatch(/^ {2}limit {3}unlimited$/m)
    expect(stdout).toMatch(/^ {2}left {4}unlimited$/m)
  })

  test('several keys, the oldest first, and a disabled one as such', async () => {
    await room.ok(InitDb)
    writeRoster([ada])
    room.giveKey(ada, { name: keyNameOf(ada, '20260301'), limit: 7, created_at: new Date('2026-03-01') })
    room.giveKey(ada, { disabled: true, created_at: new Date('2026-02-19') })
    await room.ok(Check)
    const { json } = await room.ok(Show, ada.email, '--json')
    expect(json.keys).toMatchObject([
      { keyName: keyNameOf(ada), disabled: true, limit: 3 },
      { keyName: keyNameOf(ada, '20260301'), disabled: false, limit: 7 },
    ])
    const { stdout } = await room.ok(Show, ada.email)
    const lines = stdout.split('\n').filter((line) => /^\d{8}_/.test(line))
    expect(lines).toEqual([`${keyNameOf(ada)}  disabled`, keyNameOf(ada, '20260301')])
  })

  test('a student without a key, and with no history', async () => {
    await room.ok(InitDb)
    writeRoster([ada])
    await room.ok(Check)
    room.sandbox.state.requests.length = 0
    const { stdout } = await room.ok(Show, ada.email)
    expect(stdout).toContain('No key. class-keys provision makes one')
    expect(stdout).toContain('No history yet.')
    expect((await room.ok(Show, ada.email, '--json')).json).toMatchObject({ keys: [], history: [] })
    expect(room.requests()).toEqual([])
  })

  test('a student who left the roster', async () => {
    await term()
    writeRoster([bilal])
    await room.ok(Check)
    const { json } = await room.ok(Show, ada.email, '--json')
    expect(json.keys).toMatchObject([{ exists: true }])
  })

  test('a key whose secret is not here', async () => {
    await term()
    const { stdout } = await room.ok(Show, chiara.email)
    expect(stdout).toContain('  secret  not in this ledger, since the key was made elsewhere')
    expect((await room.ok(Show, chiara.email, '--json')).json.keys).toMatchObject([{ secretHere: false }])
  })

  test('when the key expires', async () => {
    vi.stubEnv('TZ', 'Australia/Sydney')
    await room.ok(InitDb)
    writeRoster([ada])
    room.giveKey(ada, { expires_at: new Date('2126-11-30T12:59:59Z') })
    await room.ok(Check)
    expect((await room.ok(Show, ada.email)).stdout).toContain('  expires 2126-11-30 23:59\n')
    const { json } = await room.ok(Show, ada.email, '--json')
    expect(Date.parse(json.keys[0].expiresAt)).toBe(Date.parse('2126-11-30T12:59:59Z'))
    expect(json.keys[0].expired).toBe(false)
  })

  test('that the key has expired, whatever is left of its limit', async () => {
    await room.ok(InitDb)
    writeRoster([ada])
    room.giveKey(ada, { expires_at: new Date('2020-11-30T12:59:59Z') })
    await room.ok(Check)
    const { stdout } = await room.ok(Show, ada.email)
    expect(stdout).toContain('  left    nothing can be spent any more: the key has expired\n')
    expect(stdout).toMatch(/^ {2}expired 2020-/m)
    const { json } = await room.ok(Show, ada.email, '--json')
    expect(json.keys[0]).toMatchObject({ expired: true, limitRemaining: 3 })
  })

  // Whoever is in the dashboard may name a key as they like; a terminal must not obey it.
  test('nothing that moves the cursor or changes the colour, whatever the key is named', async () => {
    await term()
    room.sandbox.state.editKey(keyOf(ada).hash, { name: `20260219_\u001b[2J\u0007Ada_${ada.mq_id}` })
    const { stdout } = await room.ok(Show, ada.email)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
  })
})

describe('a key that is gone', () => {
  test('is shown as gone before a check has noticed, and asked for', async () => {
    await term()
    const { hash, name } = keyOf(ada)
    room.sandbox.state.deleteKey(hash)
    const { stdout } = await room.ok(Show, ada.email)
    expect(stdout).toContain(`${name}\n  is gone from OpenRouter\n`)
    expect(stdout).not.toMatch(/limit {3}|left {4}/)
    // The key, and then the list: it may be another account.
    const paths = room.requests().map(({ path }) => path)
    expect([...new Set(paths)]).toEqual([`/keys/${hash}`, '/keys'])
    const { json } = await room.ok(Show, ada.email, '--json')
    expect(json.keys).toMatchObject([
      { keyName: name, exists: false, disabled: null, limit: null, usage: null, refillsAt: null },
    ])
  })

  test('is not asked for once a check has noticed, and keeps its usage and its history', async () => {
    await term()
    const { hash } = keyOf(ada)
    room.sandbox.state.addUsage(hash, 2)
    await room.ok(Check)
    room.sandbox.state.deleteKey(hash)
    await room.ok(Check)
    room.sandbox.state.requests.length = 0
    const { json } = await room.ok(Show, ada.email, '--json')
    expect(room.requests()).toEqual([])
    expect(json.keys).toMatchObject([{ exists: false, usageOverTime: [{ usage: 2 }] }])
    expect(json.history.map(({ action }: { action: string }) => action)).toEqual([
      'observed_gone',
      'provisioned',
    ])
    const { stdout } = await room.ok(Show, ada.email)
    expect(stdout).toContain('  is gone from OpenRouter\n  usage   █\n')
    expect(stdout).toContain('the key was removed from OpenRouter, not by class-keys')
  })
})

describe('when a limit refills', () => {
  test.each([
    // A Wednesday evening in UTC, which is a Thursday morning in Sydney.
    ['daily', '2026-11-19T00:00:00.000Z', '2026-11-19 11:00'],
    ['weekly', '2026-11-23T00:00:00.000Z', '2026-11-23 11:00'],
    ['monthly', '2026-12-01T00:00:00.000Z', '2026-12-01 11:00'],
  ] as const)('%s: at midnight UTC, told in local time', async (limit_reset, utc, local) => {
    vi.stubEnv('TZ', 'Australia/Sydney')
    at('2026-11-18T22:30:00Z')
    await room.ok(InitDb)
    writeRoster([ada])
    const { hash } = room.giveKey(ada, { limit_reset })
    // Spent in an earlier period: gone from what is left, and not from what was spent in all.
    room.sandbox.state.addUsage(hash, 2, new Date('2026-10-01T00:00:00Z'))
    room.sandbox.state.addUsage(hash, 0.5)
    await room.ok(Check)
    const { json } = await room.ok(Show, ada.email, '--json')
    expect(json.keys).toMatchObject([
      { limit: 3, limitRemaining: 2.5, limitReset: limit_reset, usage: 2.5, refillsAt: utc },
    ])
    const { stdout } = await room.ok(Show, ada.email)
    expect(stdout).toContain(
      [
        `  limit   $3.00 ${limit_reset}`,
        `  left    $2.50, refills ${local}`,
        '  spent   $2.50 in all',
        '',
      ].join('\n'),
    )
  })

  test('never, without a period', async () => {
    await term()
    const { stdout } = await room.ok(Show, ada.email)
    expect(stdout).toMatch(/^ {2}left {4}\$3\.00$/m)
    expect(stdout).not.toContain('refills')
  })
})

test('usage over time grows from check to check', async () => {
  vi.stubEnv('TZ', 'Australia/Sydney')
  at('2026-11-10T01:00:00Z')
  await term()
  const days = [0, 0.5, 1, 1.25]
  for (const [i, spent] of days.entries()) {
    at(`2026-11-1${i + 1}T01:00:00Z`)
    if (spent > 0) room.sandbox.state.addUsage(keyOf(ada).hash, spent)
    await room.ok(Check)
  }
  const { json } = await room.ok(Show, ada.email, '--json')
  expect(json.keys[0].usageOverTime).toEqual([
    { at: '2026-11-11T01:00:00.000Z', usage: 0 },
    { at: '2026-11-12T01:00:00.000Z', usage: 0.5 },
    { at: '2026-11-13T01:00:00.000Z', usage: 1.5 },
    { at: '2026-11-14T01:00:00.000Z', usage: 2.75 },
  ])
  const { stdout } = await room.ok(Show, ada.email)
  expect(stdout).toContain('  usage   ▁▂▅█\n')
  expect(stdout).toContain('4 checks: $0.00 on 2026-11-11 12:00 to $2.75 on 2026-11-14 12:00\n')
  // Each student's own: nobody else has spent anything.
  expect((await room.ok(Show, bilal.email)).stdout).toContain('  usage   ▁▁▁▁\n')
})

test('what is no point of a chart is left out of it, and a change without a time is shown', async () => {
  const { hash } = room.giveKey(ada)
  writePythonLedger('keys.db', {
    dialect: 'declared with hardly any constraint',
    students: [{ email: ada.email, first: ada.first_name, last: ada.last_name, mqId: ada.mq_id }],
    keys: [{ hash, email: ada.email, name: keyNameOf(ada) }],
    usage: [{ hash, usage: 0.5 }],
  })
  execute(
    'keys.db',
    `INSERT INTO usage (key_hash, usage, checked_at) VALUES ('${hash}', 1, 'x'), ('${hash}', 2, NULL)`,
  )
  execute(
    'keys.db',
    `INSERT INTO usage (key_hash, usage, checked_at) VALUES ('${hash}', 'lots', '2026-02-19 20:52:27')`,
  )
  execute(
    'keys.db',
    `INSERT INTO changelog (key_hash, action, new_value, changed_at) VALUES ('${hash}', 'provisioned', '3', 'x')`,
  )
  const { json } = await room.ok(Show, ada.mq_id, '--json')
  expect(json.keys[0].usageOverTime).toEqual([{ at: expect.any(String), usage: 0.5 }])
  const { stdout } = await room.ok(Show, ada.mq_id)
  expect(stdout).toContain('1 check: $0.50')
  expect(stdout).toMatch(/^ {2}x {15} {2}a key was made with a limit of \$3\.00$/m)
})

test('the ten newest changes, and where the others are', async () => {
  await term()
  for (let limit = 4; limit < 16; limit++) {
    room.sandbox.state.editKey(keyOf(ada).hash, { limit })
    await room.ok(Check)
  }
  const { stdout } = await room.ok(Show, ada.email)
  const history = stdout.slice(stdout.indexOf('History\n')).trimEnd().split('\n').slice(1)
  expect(history).toHaveLength(11)
  expect(history[0]).toContain('the limit was changed from $14.00 to $15.00')
  expect(history[9]).toContain('from $5.00 to $6.00')
  expect(history[10]).toBe(`  … 3 earlier changes: class-keys history ${ada.mq_id}`)
  expect((await room.ok(Show, ada.email, '--json')).json.history).toHaveLength(13)
})

describe('who is meant', () => {
  test('one whose name another name begins with', async () => {
    await room.ok(InitDb)
    writeRoster([ada, student(11)])
    await room.ok(Check)
    const { json } = await room.ok(Show, 'ada quill1', '--json')
    expect(json.student.mqId).toBe(ada.mq_id)
  })

  test.each([
    ['ambiguous_student', 'quill', /quill fits 3 students: Ada Quill1 \(ada\.quill1@/],
    ['no_such_student', 'zoltan', /Nobody in the ledger fits zoltan\./],
  ])('%s: refused, and nothing asked of OpenRouter', async (code, words, message) => {
    await term()
    for (const flags of [[], ['--reveal']]) {
      const { exitCode, stdout, stderr } = await room.run(Show, words, ...flags)
      expect([exitCode, stdout]).toEqual([2, ''])
      expect(stderr).toMatch(message)
    }
    const { exitCode, json } = await room.run(Show, words, '--json')
    expect(exitCode).toBe(2)
    expect(json.error).toMatchObject({ code, exitCode: 2 })
    expect(room.requests()).toEqual([])
    expect(revealed()).toEqual([])
  })

  test('nobody is no student', async () => {
    await term()
    const { exitCode, stderr } = await room.run(Show)
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/^Error: .*student/m)
    expect(room.requests()).toEqual([])
  })
})

test('a missing ledger and a missing management key are said in words', async () => {
  const missing = await room.run(Show, ada.email, '--json')
  expect(missing.exitCode).toBe(2)
  expect(missing.json.error.code).toBe('ledger_missing')
  vi.stubEnv('OPENROUTER_PROVISIONING_KEY', undefined)
  const keyless = await room.run(Show, ada.email, '--json')
  expect(keyless.exitCode).toBe(2)
  expect(keyless.json.error.code).toBe('no_management_key')
  expect(names()).toEqual([])
})

describe('the secret', () => {
  // The classroom looks for it in everything; this says which places were looked at.
  test('is nowhere without --reveal, not in JSON either', async () => {
    await term()
    const { secret } = keyOf(ada)
    for (const flags of [[], ['--json']]) {
      const { stdout, stderr, result } = await room.ok(Show, ada.email, ...flags)
      expect([stdout, stderr, JSON.stringify(result)].join('\n')).not.toContain(secret.slice(9))
    }
    expect(revealed()).toEqual([])
  })

  test('is printed by --reveal, whole and after everything else, and the changelog knows', async () => {
    at('2026-11-18T01:00:00Z')
    await term()
    const { secret, name, hash } = keyOf(ada)
    const { stdout, stderr, exitCode, thrown, result } = await reveal(ada.email)
    expect([exitCode, thrown]).toEqual([0, undefined])
    expect(stdout.endsWith(`\n\n${name}  ${secret}\n`)).toBe(true)
    expect(stdout).toContain(`Ada Quill1  ${ada.email}`)
    expect(stderr).not.toContain(secret)
    expect(JSON.stringify(result)).not.toContain(secret)
    expect(revealed()).toEqual([hash])
    expect(query('keys.db', "SELECT * FROM changelog WHERE action = 'revealed'")).toMatchObject([
      { old_value: null, new_value: null, changed_at: '2026-11-18T01:00:00.000+00:00' },
    ])
    const { json } = await room.ok(Show, ada.email, '--json')
    expect(json.history[0]).toMatchObject({
      action: 'revealed',
      sentence: 'the secret was shown on a screen',
    })
  })

  test('is not printed where the changelog cannot be written', async () => {
    await term()
    const { secret } = keyOf(ada)
    execute(
      'keys.db',
      "CREATE TRIGGER full BEFORE INSERT ON changelog BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    )
    const { exitCode, stdout, stderr } = await reveal(ada.email)
    expect(exitCode).not.toBe(0)
    expect(stdout + stderr).not.toContain(secret)
    expect(revealed()).toEqual([])
  })

  test('is not printed where OpenRouter cannot be reached, and nothing is written down', async () => {
    await term()
    const { secret } = keyOf(ada)
    vi.stubEnv('OPENROUTER_PROVISIONING_KEY', 'sk-or-v1-another')
    const { exitCode, stdout, stderr } = await reveal(ada.email)
    expect(exitCode).toBe(1)
    expect(stdout + stderr).not.toContain(secret)
    expect(revealed()).toEqual([])
  })

  test('and --json exclude each other', async () => {
    await term()
    for (const argv of [
      [ada.email, '--reveal', '--json'],
      [ada.email, '--json', '--reveal'],
    ]) {
      const { exitCode, json, stdout } = await room.run(Show, ...argv)
      expect(exitCode).toBe(2)
      expect(json.error).toMatchObject({ code: 'usage', exitCode: 2 })
      expect(stdout).not.toContain(keyOf(ada).secret)
    }
    expect(revealed()).toEqual([])
    expect(room.requests()).toEqual([])
  })

  test('is refused in words where it is not here', async () => {
    await term()
    const { exitCode, stdout, stderr } = await room.run(Show, chiara.email, '--reveal')
    expect(exitCode).toBe(2)
    expect(stdout).toContain('not in this ledger')
    expect(stderr).toContain(
      `Error: This ledger holds no secret of ${chiara.email}: the key was made elsewhere.`,
    )
    expect(revealed()).toEqual([])
  })

  test('of a key that is here, where the student has another from elsewhere', async () => {
    await term()
    const made = keyOf(ada)
    const elsewhere = room.giveKey(ada, { name: keyNameOf(ada, '20260301') })
    await room.ok(Check)
    const { stdout, exitCode } = await reveal(ada.email)
    expect(exitCode).toBe(0)
    expect(stdout).toContain(made.secret)
    expect(stdout).not.toContain(elsewhere.secret)
    expect(revealed()).toEqual([made.hash])
  })

  test('of a key that is known to be gone is not shown', async () => {
    await term()
    const { secret, hash } = keyOf(ada)
    room.sandbox.state.deleteKey(hash)
    await room.ok(Check)
    const { exitCode, stdout, stderr } = await reveal(ada.email)
    expect(exitCode).toBe(2)
    expect(stdout + stderr).not.toContain(secret)
    expect(revealed()).toEqual([])
    expect(stderr).toContain(ada.email)
  })

  // Where no key is left, an instructor must not go looking for a secret somewhere else.
  test('is not said to have been made elsewhere where there is no key any more', async () => {
    await term()
    room.sandbox.state.deleteKey(keyOf(ada).hash)
    await room.ok(Check)
    const { stderr } = await room.run(Show, ada.email, '--reveal')
    expect(stderr).toMatch(/^Error: /m)
    expect(stderr).not.toContain('made elsewhere')
  })
})
