import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import Check from '../../src/commands/check.js'
import History from '../../src/commands/history.js'
import InitDb from '../../src/commands/init-db.js'
import Offboard from '../../src/commands/offboard.js'
import Provision from '../../src/commands/provision.js'
import Rotate from '../../src/commands/rotate.js'
import Update from '../../src/commands/update.js'
import type { SandboxKey } from '../../src/lib/sandbox/state.js'
import { useClassroom } from '../support/classroom.js'
import { folderState, names, only } from '../support/folder.js'
import {
  editLimits,
  type RosterLine,
  readCsv,
  student,
  students,
  writeLimits,
  writeRoster,
} from '../support/people.js'
import { execute, query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal, chiara] = [student(1), student(2), student(3)]

/** A class that `provision` has made the keys of; what is asked of OpenRouter from here on is the test's. */
async function aClass(people: RosterLine[] = [ada, bilal, chiara]) {
  await room.ok(InitDb)
  writeRoster(people)
  await room.ok(Provision)
  forgetFiles()
  room.sandbox.state.requests.length = 0
}

/** Takes the files away that a run leaves beside limits.csv. */
function forgetFiles() {
  for (const name of names()) if (/^(snapshot|usage|api_keys)_/.test(name)) rmSync(name)
}

const leave = (...staying: RosterLine[]) => writeRoster(staying)
const keysOf = ({ mq_id }: RosterLine): SandboxKey[] =>
  room.sandbox.state.keys().filter(({ name }) => name.endsWith(`_${mq_id}`))
const keyOf = (of: RosterLine): SandboxKey => {
  const [key, ...more] = keysOf(of)
  if (!key || more.length > 0) throw new Error(`${of.email} has not one key`)
  return key
}
/** For each of some students: whether the key is disabled, or that it is gone. */
const states = (...of: RosterLine[]) =>
  of.map((each) => {
    const [key] = keysOf(each)
    return key ? (key.disabled ? 'off' : 'on') : 'gone'
  })
const writes = () =>
  room
    .requests()
    .filter(({ method }) => method !== 'GET')
    .map(({ method, body }) => [method, body])
const actions = ({ hash }: { hash: string }) =>
  query(
    'keys.db',
    'SELECT action, old_value, new_value FROM changelog WHERE key_hash = ? ORDER BY id',
    hash,
  ).map(Object.values)
const DISABLED = ['update_disabled', 'false', 'true']
const ENABLED = ['update_disabled', 'true', 'false']
const emails = (path: string) => readCsv(path).map(({ email }) => email)
const targets = (of: RosterLine) =>
  readCsv('limits.csv')
    .filter(({ email }) => email === of.email)
    .map((row) => [row.target_limit, row.target_disabled, row.target_limit_reset])

describe('students who have left', () => {
  beforeEach(() => aClass())

  test('have their keys disabled, and nobody else has', async () => {
    leave(ada, chiara)
    const { stdout, stderr } = await room.ok(Offboard, '--yes')
    expect(writes()).toEqual([['PATCH', { disabled: true }]])
    expect(states(ada, bilal, chiara)).toEqual(['on', 'off', 'on'])
    expect(actions(keyOf(bilal)).at(-1)).toEqual(DISABLED)
    expect(stdout).toContain('Plan: 1 key to disable; 0 already disabled.\n')
    expect(stdout).toMatch(
      /\nDisabled: 1\nAlready disabled: 0\nLimits: limits\.csv\nSnapshot: snapshot_.*\n$/,
    )
    expect(stderr).toMatch(/^Read the roster: 2 students$/m)
    expect(stderr).toMatch(/^Take the keys out of use: 1$/m)
  })

  test('are nobody where everybody is on the roster; nothing is asked, and nothing sent', async () => {
    const { stdout } = await room.ok(Offboard)
    expect(writes()).toEqual([])
    expect(stdout).toContain('Plan: 0 keys to disable; 0 already disabled.\n')
  })

  test('are done with once', async () => {
    leave(ada, chiara)
    await room.ok(Offboard, '--yes')
    const { json } = await room.ok(Offboard, '--json')
    expect(json.plan).toMatchObject({ changes: [], disabledAlready: 1 })
    expect(writes()).toHaveLength(1)
    expect(actions(keyOf(bilal)).filter(([action]) => action === 'update_disabled')).toEqual([DISABLED])
  })

  test('are told to a script, with the plan and one line for each key', async () => {
    leave(chiara)
    const { json, stderr } = await room.ok(Offboard, '--json', '--yes')
    expect(stderr).toBe('')
    const line = (of: RosterLine) => ({
      email: of.email,
      name: `${of.first_name} ${of.last_name}`,
      mqId: of.mq_id,
      keyName: keyOf(of).name,
      hash: keyOf(of).hash,
    })
    expect(json).toEqual({
      plan: expect.objectContaining({
        version: 1,
        command: 'offboard',
        changes: [ada, bilal].map((each) => ({ kind: 'disable', ...line(each) })),
      }),
      students: [ada, bilal].map((each) => ({ ...line(each), outcome: 'disabled' })),
      counts: { disabled: 2 },
      deletedLost: [],
      drift: [],
      files: { limits: 'limits.csv', snapshot: only(/^snapshot_/) },
      retries: expect.any(Object),
    })
  })

  test('are out of limits.csv and the snapshot then, which tell of the class that is', async () => {
    leave(ada, chiara)
    await room.ok(Offboard, '--yes')
    expect(emails('limits.csv')).toEqual([ada.email, chiara.email])
    expect(emails(only(/^snapshot_/))).toEqual([ada.email, chiara.email])
    expect(names().filter((name) => name.startsWith('usage_'))).toEqual([])
  })

  test('are known by the ledger, whatever their keys are called now', async () => {
    room.sandbox.state.editKey(keyOf(bilal).hash, { name: 'for the demo' })
    leave(ada, chiara)
    const { json } = await room.ok(Offboard, '--yes', '--json')
    expect(json.students).toMatchObject([
      { email: bilal.email, keyName: 'for the demo', outcome: 'disabled' },
    ])
    expect(json.drift).toMatchObject([{ action: 'observed_name', newValue: 'for the demo' }])
  })

  test('are not those whose key carries an MQ ID of the roster now: it was corrected', async () => {
    const corrected = { ...bilal, mq_id: '49999999' }
    room.sandbox.state.editKey(keyOf(bilal).hash, { name: '20260219_Bilal Quill2_49999999' })
    leave(ada, corrected, chiara)
    const { json } = await room.ok(Offboard, '--yes', '--json', '--delete')
    expect(json.plan.changes).toEqual([])
    expect(states(corrected)).toEqual(['on'])
  })

  test('and whose key this ledger has never seen keep it: it may be another class’s', async () => {
    const guest = student(7)
    const theirs = room.giveKey(guest)
    const foreign = room.sandbox.state.addKey({ name: 'production', limit: null })
    leave(ada, chiara)
    for (const flags of [['--yes'], ['--yes', '--delete'], ['--end-of-term', '--yes', '--delete']])
      await room.ok(Offboard, ...flags)
    expect(states(guest)).toEqual(['on'])
    for (const { hash } of [theirs, foreign])
      expect(room.requests().some(({ path }) => path.includes(hash))).toBe(false)
  })

  test('and whose key was made elsewhere are pointed out, once this ledger knows them', async () => {
    const guest = student(7)
    room.giveKey(guest)
    leave(ada, bilal, chiara, guest)
    await room.ok(Check)
    leave(ada, bilal)
    const { stdout } = await room.ok(Offboard, '--dry-run')
    expect(stdout).toContain(
      '1 of these keys was made elsewhere. If another class uses the same account, it may be using them.\n',
    )
    expect((await room.ok(Offboard, '--dry-run', '--json')).json.madeElsewhere).toBe(1)
  })
})

describe('without a roster', () => {
  beforeEach(async () => {
    await aClass()
    rmSync('roster.csv')
  })

  test('nobody can be told to have left', async () => {
    const { stderr, exitCode } = await room.run(Offboard, '--yes')
    expect(exitCode).toBe(2)
    expect(stderr).toContain('Name it with --roster, or put it there')
    expect(room.requests()).toEqual([])
  })

  test('the end of the term takes everybody the ledger knows, and all rows and lines stay', async () => {
    editLimits({ [bilal.email]: { target_limit: '7' } })
    const { stderr } = await room.ok(Offboard, '--end-of-term', '--yes')
    expect(stderr).toMatch(/^Read the roster: no roster\.csv$/m)
    expect(states(ada, bilal, chiara)).toEqual(['off', 'off', 'off'])
    const everybody = [ada.email, bilal.email, chiara.email]
    expect(emails('limits.csv')).toEqual(everybody)
    expect(readCsv('limits.csv').map((row) => row.actual_disabled)).toEqual(['true', 'true', 'true'])
    expect(emails(only(/^snapshot_/))).toEqual(everybody)
    expect(emails(only(/^usage_/))).toEqual(everybody)
  })
})

describe('--delete', () => {
  beforeEach(async () => {
    await aClass()
    leave(ada, chiara)
  })

  test('disables first; a second run deletes what is disabled already', async () => {
    const before = keyOf(bilal)
    await room.ok(Offboard, '--delete', '--yes')
    expect(states(ada, bilal, chiara)).toEqual(['on', 'off', 'on'])
    const { stdout } = await room.ok(Offboard, '--delete', '--yes')
    expect(writes()).toEqual([
      ['PATCH', { disabled: true }],
      ['DELETE', undefined],
    ])
    expect(states(ada, bilal, chiara)).toEqual(['on', 'gone', 'on'])
    expect(stdout).toContain('Plan: 0 keys to disable, 1 to delete; 0 already disabled.\n')
    expect(stdout).toContain('This plan deletes 1 key for good: it needs a yes, or --yes.\n')
    expect(stdout).toMatch(/\nDisabled: 0\nDeleted: 1\nAlready disabled: 0\n/)
    expect(actions(before).slice(-2)).toEqual([DISABLED, ['deleted', before.name, null]])
    const { json } = await room.ok(Offboard, '--delete', '--json')
    expect(json.plan.changes).toEqual([])
  })

  test('deletes nothing of those on the roster, disabled or not', async () => {
    editLimits({ [ada.email]: { target_disabled: 'true' } })
    await room.ok(Update)
    await room.ok(Offboard, '--delete', '--yes')
    await room.ok(Offboard, '--delete', '--yes')
    expect(states(ada, bilal, chiara)).toEqual(['off', 'gone', 'on'])
  })
})

describe('--end-of-term', () => {
  test('writes what everybody has spent before the first request that disables', async () => {
    await aClass()
    room.sandbox.state.addUsage(keyOf(ada).hash, 1.25)
    room.sandbox.state.addUsage(keyOf(bilal).hash, 0.5)
    leave(ada, chiara)
    let there: Record<string, string>[] | undefined
    room.sandbox.faults.add({
      method: 'PATCH',
      nth: 1,
      effect: { kind: 'before', run: () => (there = readCsv(only(/^usage_/))) },
    })
    const { stdout } = await room.ok(Offboard, '--end-of-term', '--yes')
    expect(there?.map((row) => [row.email, row.usage, row.disabled])).toEqual([
      [ada.email, '1.25', 'false'],
      [bilal.email, '0.50', 'false'],
      [chiara.email, '0.00', 'false'],
    ])
    expect(stdout).toContain(`Usage: ${only(/^usage_/)}\n`)
    expect(states(ada, bilal, chiara)).toEqual(['off', 'off', 'off'])
  })

  test('does not disable anything where the usage cannot be written', async () => {
    await aClass()
    const { exitCode } = await room.run(Offboard, '--end-of-term', '--yes', '--limits', 'nowhere/limits.csv')
    expect(exitCode).not.toBe(0)
    expect(writes()).toEqual([])
  })

  test('writes what keys had spent that are gone: deleted by rotate, or by offboard', async () => {
    await aClass()
    const [adas, bilals] = [keyOf(ada), keyOf(bilal)]
    room.sandbox.state.addUsage(adas.hash, 1.5)
    room.sandbox.state.addUsage(bilals.hash, 0.75)
    await room.ok(Check)
    room.sandbox.state.addUsage(adas.hash, 0.25)
    await room.ok(Rotate, ada.email, '--delete-old', '--yes')
    leave(ada, chiara)
    await room.ok(Offboard, '--yes')
    // Spent after the last check, and before the key was disabled: the last that was seen counts.
    await room.ok(Offboard, '--delete', '--yes')
    await room.ok(Offboard, '--end-of-term', '--yes')
    const rows = readCsv(only(/^usage_/))
    const row = (hash: string) => rows.find((each) => each.hash === hash)
    expect(row(adas.hash)).toMatchObject({ email: ada.email, usage: '1.75', key_name: adas.name })
    expect(row(bilals.hash)).toMatchObject({ email: bilal.email, usage: '0.75', limit: '3.00' })
    expect(row(adas.hash)?.gone_at).toMatch(/^20/)
    expect(rows.filter((each) => each.gone_at === '').map((each) => each.email)).toEqual([
      ada.email,
      chiara.email,
    ])
  })

  test('writes what was spent since the last check into the ledger too', async () => {
    await aClass()
    room.sandbox.state.addUsage(keyOf(bilal).hash, 0.4)
    await room.ok(Offboard, '--end-of-term', '--yes')
    const spent = 'SELECT usage FROM usage WHERE key_hash = ?'
    expect(query('keys.db', spent, keyOf(bilal).hash)).toEqual([{ usage: 0.4 }])
    expect(query('keys.db', spent, keyOf(ada).hash)).toEqual([{ usage: 0 }])
  })

  test('a key that offboard has disabled and deletes in a later run: both runs look at its usage', async () => {
    await aClass()
    leave(ada, chiara)
    room.sandbox.state.addUsage(keyOf(bilal).hash, 0.4)
    await room.ok(Offboard, '--yes')
    await room.ok(Offboard, '--delete', '--yes')
    const rows = query('keys.db', 'SELECT usage FROM usage WHERE usage > 0')
    expect(rows).toEqual([{ usage: 0.4 }, { usage: 0.4 }])
  })
})

describe('somebody who is on the roster again', () => {
  const everybody = [ada, bilal, chiara]
  beforeEach(async () => {
    await aClass()
    leave(ada, chiara)
    await room.ok(Offboard, '--yes')
    writeRoster([...everybody, student(4)])
    forgetFiles()
    room.sandbox.state.requests.length = 0
  })

  test('gets the old key enabled, told apart from a new one in plan, result and changelog', async () => {
    const old = keyOf(bilal)
    const { json } = await room.ok(Provision, '--yes', '--json')
    expect(json.plan.changes.map(({ kind, email }: Record<string, string>) => [kind, email])).toEqual([
      ['enable', bilal.email],
      ['create', student(4).email],
    ])
    expect(json.plan.safety).toMatchObject({ grade: 'grave', enabled: 1 })
    expect(json.plan.keyHolders.map(({ email }: Record<string, string>) => email)).toEqual([
      ada.email,
      chiara.email,
    ])
    expect(json.counts).toEqual({ created: 1, enabled: 1, 'already had one': 2 })
    expect(json.students[1]).toMatchObject({ email: bilal.email, outcome: 'enabled', hash: old.hash })
    expect(states(...everybody)).toEqual(['on', 'on', 'on'])
    expect(actions(old).slice(-2)).toEqual([DISABLED, ENABLED])
    expect(room.requests('POST')).toHaveLength(1)
    // The secret that the student has is not handed out again.
    expect(emails(only(/^api_keys_/))).toEqual([student(4).email])
    expect(readCsv('limits.csv').find((row) => row.email === bilal.email)?.actual_disabled).toBe('false')
  })

  test('is told to a person', async () => {
    const { stdout, stderr } = await room.ok(Provision, '--yes')
    expect(stdout).toContain(
      `Bilal Quill2 (${bilal.email}) is back: ${keyOf(bilal).name} will be enabled again.\n`,
    )
    expect(stdout).toContain('Plan: 1 key to make, 1 to enable again; 2 students already have one.\n')
    expect(stdout).toContain('This plan enables 1 key: it needs a yes, or --yes.\n')
    expect(stdout).toMatch(/\nCreated: 1\nAlready had one: 2\nEnabled again: 1\n/)
    expect(stderr).toMatch(/^Change keys that are there: 1$/m)
    const { stdout: history } = await room.ok(History, 'bilal')
    expect(history).toMatch(/the key was enabled.*\n.*the key was disabled/)
  })

  test('is done with once, and can leave and come back as often as need be', async () => {
    await room.ok(Provision, '--yes')
    expect((await room.ok(Provision, '--json')).json.plan.changes).toEqual([])
    leave(ada, chiara)
    await room.ok(Offboard, '--yes')
    writeRoster(everybody)
    await room.ok(Provision, '--yes')
    expect(states(bilal)).toEqual(['on'])
    expect(actions(keyOf(bilal)).slice(1)).toEqual([DISABLED, ENABLED, DISABLED, ENABLED])
  })

  test('and whom limits.csv asks to be disabled stays so', async () => {
    const { email, mq_id } = bilal
    writeLimits([{ email, mq_id, target_disabled: 'true', hash: keyOf(bilal).hash }])
    const { json } = await room.ok(Provision, '--yes', '--json')
    expect(json.counts).toEqual({ created: 1, 'already had one': 3 })
    expect(states(bilal)).toEqual(['off'])
  })

  test('and whom limits.csv asked to be disabled stays so after an update, and another offboard', async () => {
    leave(ada, chiara)
    writeLimits([{ email: bilal.email, target_disabled: 'true', hash: keyOf(bilal).hash }])
    await room.ok(Update)
    leave(ada)
    await room.ok(Offboard, '--yes')
    writeRoster(everybody)
    await room.ok(Provision, '--yes')
    expect(states(...everybody)).toEqual(['on', 'off', 'on'])
  })

  test('and whose key somebody has enabled and disabled elsewhere has it left as it is', async () => {
    const { hash } = keyOf(bilal)
    room.sandbox.state.editKey(hash, { disabled: false })
    await room.ok(Check)
    room.sandbox.state.editKey(hash, { disabled: true })
    const { json } = await room.ok(Provision, '--json')
    expect(json.counts).toEqual({ created: 1, 'already had one': 3 })
    expect(states(bilal)).toEqual(['off'])
  })

  test('and whose key was deleted gets a new one', async () => {
    leave(ada, chiara)
    await room.ok(Offboard, '--delete', '--yes')
    writeRoster(everybody)
    const { json } = await room.ok(Provision, '--json')
    expect(json.counts).toEqual({ created: 1, 'already had one': 2 })
  })
})

describe('a student whom the instructor has disabled through limits.csv', () => {
  beforeEach(async () => {
    await aClass()
    editLimits({ [bilal.email]: { target_disabled: 'true' } })
    await room.ok(Update)
  })

  test.each([true, false])(
    'stays disabled after leaving and coming back (the row stays: %s)',
    async (row) => {
      if (!row) rmSync('limits.csv')
      leave(ada, chiara)
      expect((await room.ok(Offboard, '--yes', '--json')).json.plan).toMatchObject({
        changes: [],
        disabledAlready: 1,
      })
      writeRoster([ada, bilal, chiara])
      expect((await room.ok(Provision, '--json')).json.plan.changes).toEqual([])
      expect(states(bilal)).toEqual(['off'])
    },
  )

  test('stays disabled where offboard had tried to disable the key before', async () => {
    editLimits({ [bilal.email]: { target_disabled: 'false' } })
    await room.ok(Update, '--yes')
    leave(ada, chiara)
    room.sandbox.faults.add({ method: 'PATCH', effect: { kind: 'error', status: 400 } })
    expect((await room.run(Offboard, '--yes')).exitCode).toBe(3)
    room.sandbox.faults.clear()
    writeRoster([ada, bilal, chiara])
    await room.ok(Provision)
    editLimits({ [bilal.email]: { target_disabled: 'true' } })
    await room.ok(Update)
    rmSync('limits.csv')
    expect((await room.ok(Provision, '--json')).json.plan.changes).toEqual([])
    expect(states(bilal)).toEqual(['off'])
  })

  test('stays disabled where offboard had disabled the key before', async () => {
    editLimits({ [bilal.email]: { target_disabled: 'false' } })
    await room.ok(Update, '--yes')
    leave(ada, chiara)
    await room.ok(Offboard, '--yes')
    writeRoster([ada, bilal, chiara])
    await room.ok(Provision, '--yes')
    editLimits({ [bilal.email]: { target_disabled: 'true' } })
    await room.ok(Update)
    rmSync('limits.csv')
    expect((await room.ok(Provision, '--json')).json.plan.changes).toEqual([])
  })
})

describe('limits.csv', () => {
  beforeEach(async () => {
    await aClass()
    leave(ada, chiara)
  })

  test.each([
    [
      'cannot be read',
      'email,target_limit,target_disabled\nada@x.edu,lots,\n',
      'line 2, target_limit, "lots"',
    ],
    ['has a column twice', 'email,target_limit,target_disabled,email\n', 'limits.csv has one problem'],
  ])('that %s stops it before the first request', async (_, text, message) => {
    writeFileSync('limits.csv', text)
    for (const flags of [['--yes'], ['--end-of-term', '--yes']]) {
      const { exitCode, stderr } = await room.run(Offboard, ...flags)
      expect([exitCode, room.requests()]).toEqual([2, []])
      expect(stderr).toContain(message)
      expect(readFileSync('limits.csv', 'utf8')).toBe(text)
    }
  })

  test('whose columns were sorted apart stops it before anything is changed', async () => {
    const rows = readCsv('limits.csv')
    writeLimits(rows.map((row, i) => ({ ...row, hash: rows[(i + 1) % rows.length]?.hash ?? '' })))
    const { exitCode, stderr } = await room.run(Offboard, '--yes')
    expect([exitCode, writes()]).toEqual([2, []])
    expect(stderr).toContain('were the columns sorted apart?')
    expect(states(bilal)).toEqual(['on'])
  })

  test('does not bring back a key that is out of use: its row asks for nothing more', async () => {
    writeRoster([ada, bilal, chiara])
    editLimits({
      [ada.email]: { target_limit: '5', target_disabled: 'false', target_limit_reset: 'weekly' },
      [bilal.email]: { target_limit: '5' },
    })
    await room.ok(Offboard, '--end-of-term', '--yes')
    expect([targets(ada), targets(bilal)]).toEqual([[['', '', '']], [['', '', '']]])
    expect((await room.ok(Update, '--json')).json.plan.changes).toEqual([])
    expect(states(ada)).toEqual(['off'])
  })

  test('has no row any more of a key that is deleted, whatever it asked for', async () => {
    editLimits({ [bilal.email]: { target_limit: '5', target_disabled: 'true' } })
    await room.ok(Offboard, '--yes')
    await room.ok(Offboard, '--yes', '--delete')
    expect(emails('limits.csv')).toEqual([ada.email, chiara.email])
  })

  test('keeps what it asks for others', async () => {
    editLimits({ [ada.email]: { target_limit: '5' }, [bilal.email]: { target_limit: '6' } })
    await room.ok(Offboard, '--yes')
    expect([targets(ada), targets(bilal)]).toEqual([[['5', '', '']], []])
  })

  test('keeps what it asks for the next key of a student whose key is gone', async () => {
    editLimits({ [ada.email]: { target_limit: '5' } })
    room.sandbox.state.deleteKey(keyOf(ada).hash)
    await room.ok(Offboard, '--yes')
    expect(targets(ada)).toEqual([['5', '', '']])
  })

  test.each([
    ['offboarded', true],
    ['nearly offboarded: OpenRouter refused it', false],
  ])('keeps what it asks for a student who is back, and was %s', async (_, disabled) => {
    if (!disabled) room.sandbox.faults.add({ method: 'PATCH', effect: { kind: 'error', status: 400 } })
    expect((await room.run(Offboard, '--yes')).exitCode).toBe(disabled ? 0 : 3)
    room.sandbox.faults.clear()
    writeRoster([ada, bilal, chiara])
    await room.ok(Provision, '--yes')
    editLimits({ [bilal.email]: { target_limit: '6' } })
    leave(ada, bilal)
    await room.ok(Offboard, '--yes')
    expect(targets(bilal)).toEqual([['6', '', '']])
  })
})

describe('broken off and run again', () => {
  const many = students(9)
  const END = ['--end-of-term', '--yes'] as const
  beforeEach(async () => {
    await aClass(many)
    editLimits(
      Object.fromEntries(many.map(({ email }) => [email, { target_limit: '5', target_disabled: 'false' }])),
    )
  })

  async function expectOver() {
    expect(new Set(states(...many))).toEqual(new Set(['off']))
    for (const each of many) {
      expect(actions(keyOf(each)).filter(([action]) => action === 'update_disabled')).toEqual([DISABLED])
      expect(targets(each)).toEqual([['', '', '']])
    }
    expect(query('keys.db', 'SELECT count(*) AS n FROM pending_change')).toEqual([{ n: 0 }])
    expect((await room.ok(Update, '--json')).json.plan.changes).toEqual([])
    // All of them count as offboarded: whoever is back gets the key again.
    expect((await room.ok(Provision, '--dry-run', '--json')).json.safety.enabled).toBe(9)
  }

  test.each(['SIGTERM', 'SIGINT'] as const)('%s while keys are disabled', async (signal) => {
    const before = readFileSync('limits.csv', 'utf8')
    room.sandbox.faults.add({
      method: 'PATCH',
      nth: 3,
      effect: { kind: 'before', run: () => void process.emit(signal, signal) },
    })
    const { exitCode, json } = await room.run(Offboard, ...END, '--json', '--concurrency', '2')
    expect(exitCode).toBe(signal === 'SIGINT' ? 130 : 143)
    expect(json.counts.disabled + json.counts['not tried']).toBe(9)
    expect(json.counts['not tried']).toBeGreaterThan(0)
    expect(json.files).toEqual({ usage: only(/^usage_/) })
    expect(readFileSync('limits.csv', 'utf8')).toBe(before)
    await room.ok(Offboard, ...END)
    await expectOver()
  })

  test('a student who is refused stops nobody else', async () => {
    room.sandbox.faults.add({
      method: 'PATCH',
      nth: 4,
      effect: { kind: 'error', status: 400, message: 'no' },
    })
    const { exitCode, json, stderr } = await room.run(Offboard, ...END, '--json')
    expect([exitCode, stderr]).toEqual([3, ''])
    expect(json.counts).toEqual({ disabled: 8, failed: 1 })
    const again = await room.ok(Offboard, ...END, '--json')
    expect(again.json.counts).toEqual({ disabled: 1 })
    await expectOver()
  })

  test.each([
    ['answers are lost', { kind: 'lose-answer' }],
    ['answers make no sense', { kind: 'wrong-shape' }],
    ['answers are errors, after the work', { kind: 'error-after' }],
  ] as const)('%s: what has come true is found to be so', async (_, effect) => {
    room.sandbox.faults.add({ method: 'PATCH', nth: [2, 5], effect })
    await room.ok(Offboard, ...END)
    await expectOver()
  })

  test('OpenRouter says that it was not done: a failure, and never a success', async () => {
    const other = keyOf(many[2] as RosterLine)
    const { secret: _, ...shown } = other
    room.sandbox.faults.add({
      method: 'PATCH',
      path: new RegExp(other.hash),
      times: 1,
      effect: { kind: 'wrong-shape', body: { data: shown } },
    })
    const { exitCode, json } = await room.run(Offboard, ...END, '--json')
    expect(exitCode).toBe(3)
    expect(json.students).toContainEqual(
      expect.objectContaining({
        outcome: 'failed',
        reason: 'OpenRouter says disabled false instead of true',
      }),
    )
  })

  test('a management key that is not valid any more stops it, and what was done is told', async () => {
    room.sandbox.faults.add({
      method: 'PATCH',
      nth: [3, 4, 5, 6, 7, 8, 9],
      effect: { kind: 'error', status: 401 },
    })
    const { exitCode, json } = await room.run(Offboard, ...END, '--json', '--concurrency', '1')
    expect(exitCode).toBe(1)
    expect(json.counts).toEqual({ disabled: 2, failed: 1, 'not tried': 6 })
    expect(json.stopped).toMatchObject({ message: expect.any(String) })
    room.sandbox.faults.clear()
    await room.ok(Offboard, ...END)
    await expectOver()
  })

  test.each(['SIGTERM', 'refused'])('while keys are deleted: %s', async (how) => {
    await room.ok(Offboard, ...END)
    editLimits({ [ada.email]: { target_limit: '9', target_disabled: 'true' } })
    const effect =
      how === 'refused'
        ? ({ kind: 'error', status: 400 } as const)
        : ({ kind: 'before', run: () => void process.emit('SIGTERM', 'SIGTERM') } as const)
    room.sandbox.faults.add({ method: 'DELETE', nth: 3, effect })
    const { exitCode } = await room.run(Offboard, ...END, '--delete', '--concurrency', '1')
    expect(exitCode).toBe(how === 'refused' ? 3 : 143)
    await room.ok(Offboard, ...END, '--delete')
    expect(new Set(states(...many))).toEqual(new Set(['gone']))
    expect(query('keys.db', "SELECT count(*) AS n FROM changelog WHERE action = 'deleted'")).toEqual([
      { n: 9 },
    ])
    expect(readCsv('limits.csv')).toEqual([])
  })
})

test('a lost key is deleted first, without a row of its own in the plan’s figures', async () => {
  await aClass([ada, bilal])
  writeRoster([ada, bilal, chiara])
  const sigterm = () => void process.emit('SIGTERM', 'SIGTERM')
  room.sandbox.faults.add({ method: 'POST', effect: { kind: 'before', run: sigterm } })
  room.sandbox.faults.add({ method: 'POST', effect: { kind: 'lose-answer' } })
  await room.run(Provision)
  room.sandbox.faults.clear()
  expect(states(chiara)).toEqual(['on'])
  leave(ada, bilal)
  const { json } = await room.ok(Offboard, '--json', '--yes')
  expect(json.deletedLost).toMatchObject([{ email: chiara.email }])
  expect(states(ada, bilal, chiara)).toEqual(['on', 'on', 'gone'])
})

describe('whether it may', () => {
  const twelve = students(12)

  test('it wants a yes even for one key, and nobody can be asked here: exit 4', async () => {
    await aClass()
    leave(ada, chiara)
    const before = folderState()
    const { exitCode, stderr } = await room.run(Offboard)
    expect([exitCode, writes()]).toEqual([4, []])
    expect(stderr).toContain(
      'Error: This plan has to be agreed to, and nobody can be asked here. Nothing was changed.',
    )
    expect(folderState()['limits.csv']).toEqual(before['limits.csv'])
    const { json } = await room.run(Offboard, '--json')
    expect(json.error).toMatchObject({ code: 'not_confirmed', exitCode: 4 })
    await room.ok(Offboard, '-y')
  })

  test('half of the class is refused, and --yes is not enough', async () => {
    await aClass(twelve)
    leave(...twelve.slice(0, 6))
    const { exitCode, stderr } = await room.run(Offboard, '--yes')
    expect([exitCode, writes()]).toEqual([4, []])
    expect(stderr).toContain(
      'disables, deletes or lowers 6 of 12 keys (50%), and more than 30% is refused. Nothing was changed.',
    )
    const { json } = await room.run(Offboard, '--yes', '--json')
    expect(json.error).toMatchObject({ code: 'too_many_changes', exitCode: 4 })
    // --force is about how many, and not about whether.
    expect((await room.run(Offboard, '--force')).exitCode).toBe(4)
    expect(writes()).toEqual([])
    await room.ok(Offboard, '--yes', '--force')
    expect(states(...twelve).filter((state) => state === 'off')).toHaveLength(6)
  })

  test.each([
    ['50', 0],
    ['49', 4],
  ])('--max-change %s for six of twelve: exit %i', async (share, code) => {
    await aClass(twelve)
    leave(...twelve.slice(0, 6))
    expect((await room.run(Offboard, '--yes', '--max-change', share)).exitCode).toBe(code)
    expect(writes()).toHaveLength(code === 0 ? 6 : 0)
  })

  test('no usage is written, and nothing else either, by what is refused', async () => {
    await aClass(twelve)
    const { exitCode } = await room.run(Offboard, '--end-of-term', '--yes')
    expect(exitCode).toBe(4)
    expect(names().filter((name) => /^(usage|snapshot)_/.test(name))).toEqual([])
  })
})

describe('--dry-run', () => {
  beforeEach(async () => {
    await aClass(students(12))
    leave(...students(6))
  })

  test.each([[[]], [['--end-of-term']], [['--end-of-term', '--delete']]])(
    '%j writes nothing anywhere',
    async (flags) => {
      const before = folderState()
      const { stdout } = await room.ok(Offboard, '--dry-run', ...flags)
      expect(folderState()).toEqual(before)
      expect(writes()).toEqual([])
      expect(stdout).toContain('it needs --force.\n')
      expect(stdout).toMatch(/This was a dry run: nothing was sent, and nothing was written\.\n$/)
    },
  )

  test('--json gives the plan itself', async () => {
    const { json } = await room.ok(Offboard, '--dry-run', '--json')
    expect(json).toMatchObject({ version: 1, command: 'offboard', endOfTerm: false, disabledAlready: 0 })
    expect(json.changes).toHaveLength(6)
    expect(json.safety).toMatchObject({ grade: 'massive', hit: 6, total: 12 })
  })
})

describe('a run of --delete that did not come to its end', () => {
  const off = (...more: string[]) =>
    room.run(Offboard, '--end-of-term', '--delete', '--yes', '--force', ...more)
  const left = () => room.sandbox.state.keys().map(({ disabled }) => disabled)

  test.each(['an error', 'an interruption before the files'])(
    '%s: run again it goes on, and deletes nothing that was only to be disabled',
    async (what) => {
      await room.ok(InitDb)
      writeRoster(students(4))
      await room.ok(Provision)
      const [first, second] = room.sandbox.state.keys()
      room.sandbox.state.editKey(first?.hash ?? '', { disabled: true })
      if (what === 'an error')
        room.sandbox.faults.add({
          method: 'PATCH',
          path: new RegExp(second?.hash ?? 'none'),
          effect: { kind: 'error', status: 400 },
        })
      else
        execute(
          'keys.db',
          "CREATE TRIGGER no_end BEFORE INSERT ON offboard_run BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
      expect((await off()).exitCode).not.toBe(0)
      room.sandbox.faults.clear()
      execute('keys.db', 'DROP TRIGGER IF EXISTS no_end')
      expect((await off()).exitCode).toBe(0)
      expect(left()).toEqual([true, true, true])
      // Whoever says the same again, once all is done, means those that are disabled by now.
      expect((await off()).exitCode).toBe(0)
      expect(left()).toEqual([])
    },
  )
})
