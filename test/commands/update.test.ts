import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import RefreshLimitsFile from '../../src/commands/refresh-limits-file.js'
import Update from '../../src/commands/update.js'
import { takeRunLock } from '../../src/db/run-lock.js'
import type { SandboxKey } from '../../src/lib/sandbox/state.js'
import { useClassroom } from '../support/classroom.js'
import { folderState, modeOf, names, only } from '../support/folder.js'
import { hurry } from '../support/hurry.js'
import {
  editLimits,
  headerOf,
  LIMITS_HEADER,
  readCsv,
  student,
  students,
  writeLimits,
  writeRoster,
} from '../support/people.js'
import { query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal, chiara] = [student(1), student(2), student(3)]
let [adas, bilals, chiaras]: SandboxKey[] = []

/** A class of three whose keys and limits.csv are there; what is asked of OpenRouter from here on is `update`'s. */
beforeEach(async () => {
  await room.ok(InitDb)
  writeRoster([ada, bilal, chiara])
  adas = room.giveKey(ada, { limit: 3 })
  bilals = room.giveKey(bilal, { limit: 3 })
  chiaras = room.giveKey(chiara, { limit: null })
  await room.ok(RefreshLimitsFile)
  room.sandbox.state.requests.length = 0
})

const patches = () => room.requests('PATCH').map(({ path, body }) => ({ hash: path.split('/').at(-1), body }))
const limitOf = (key: SandboxKey | undefined) => room.sandbox.state.key(key?.hash ?? '')?.limit
const isDisabled = (key: SandboxKey | undefined) => room.sandbox.state.key(key?.hash ?? '')?.disabled
const log = () =>
  query('keys.db', 'SELECT key_hash, action, old_value, new_value FROM changelog ORDER BY id').map(
    Object.values,
  )

/** `--yes` where the command has it: what is grave is asked about there, and is not what these tests are about. */
const yes = () => ('yes' in Update.flags ? ['--yes'] : [])

describe('what limits.csv asks for', () => {
  test('is sent in one request for each key, with all that differs', async () => {
    editLimits({
      [ada.email]: { target_limit: '5', target_disabled: 'true' },
      [bilal.email]: { target_limit: '4.5' },
      [chiara.email]: { target_disabled: 'yes' },
    })
    await room.ok(Update, ...yes())
    expect(patches()).toHaveLength(3)
    expect(patches()).toEqual(
      expect.arrayContaining([
        { hash: adas?.hash, body: { limit: 5, disabled: true } },
        { hash: bilals?.hash, body: { limit: 4.5 } },
        { hash: chiaras?.hash, body: { disabled: true } },
      ]),
    )
  })

  test('unlimited is sent as null, and zero as zero', async () => {
    editLimits({
      [ada.email]: { target_limit: 'Unlimited' },
      [bilal.email]: { target_limit: '0' },
      [chiara.email]: { target_limit: '0.00' },
    })
    await room.ok(Update, ...yes())
    expect(patches()).toEqual(
      expect.arrayContaining([
        { hash: adas?.hash, body: { limit: null } },
        { hash: bilals?.hash, body: { limit: 0 } },
        { hash: chiaras?.hash, body: { limit: 0 } },
      ]),
    )
    expect([limitOf(adas), limitOf(bilals), limitOf(chiaras)]).toEqual([null, 0, 0])
  })

  test.each(['3', '3.0', '3.00', '$3', ' 3.000000 ', '03'])(
    'an amount that is the same, written as %j, sends nothing',
    async (written) => {
      editLimits({ [ada.email]: { target_limit: written, target_disabled: 'FALSE' } })
      const { json } = await room.ok(Update, '--json')
      expect(patches()).toEqual([])
      expect(json.plan).toMatchObject({ changes: [], unchanged: 3 })
    },
  )

  test('an amount that differs by a hundredth of a cent is sent', async () => {
    editLimits({ [ada.email]: { target_limit: '3.0001' } })
    await room.ok(Update)
    expect(patches()).toEqual([{ hash: adas?.hash, body: { limit: 3.0001 } }])
  })

  test('an empty target leaves the key as it is', async () => {
    const { stdout } = await room.ok(Update)
    expect(patches()).toEqual([])
    expect(stdout).toMatch(
      /^Plan: 0 keys to change; 3 already as asked for\.\n\nUpdated: 0\nAlready as asked for: 3\n/,
    )
  })

  test('a key is turned on again', async () => {
    room.sandbox.state.editKey(adas?.hash ?? '', { disabled: true })
    editLimits({ [ada.email]: { target_disabled: 'no' } })
    await room.ok(Update, ...yes())
    expect(isDisabled(adas)).toBe(false)
  })

  test('is done once: a second time there is nothing left', async () => {
    editLimits({ [ada.email]: { target_limit: '5' } })
    await room.ok(Update)
    await room.ok(Update)
    expect(patches()).toHaveLength(1)
    expect(log()).toEqual([[adas?.hash, 'update_limit', '3.00', '5.00']])
  })
})

describe('the reset period', () => {
  const resetOf = (key: SandboxKey | undefined) => room.sandbox.state.key(key?.hash ?? '')?.limit_reset
  const resets = () => readCsv('limits.csv').map((row) => [row.target_limit_reset, row.actual_limit_reset])

  test('is sent with whatever else differs, logged with old and new value, and written into the file', async () => {
    room.sandbox.state.editKey(bilals?.hash ?? '', { limit_reset: 'daily' })
    await room.ok(RefreshLimitsFile)
    expect(resets()).toEqual([
      ['', 'none'],
      ['', 'daily'],
      ['', 'none'],
    ])
    editLimits({
      [ada.email]: { target_limit: '5', target_limit_reset: 'Weekly' },
      [bilal.email]: { target_limit_reset: 'none' },
    })
    const { stdout } = await room.ok(Update)
    expect(stdout).toMatch(/^ADDRESS +NAME +LIMIT +RESET +DISABLED$/m)
    expect(stdout).toMatch(
      new RegExp(`^${ada.email} +Ada Quill1 +\\$3\\.00 → \\$5\\.00 weekly +none → weekly$`, 'm'),
    )
    expect(stdout).toMatch(new RegExp(`^${bilal.email} +Bilal Quill2 +daily → none$`, 'm'))
    expect(patches()).toHaveLength(2)
    expect(patches()).toEqual(
      expect.arrayContaining([
        { hash: adas?.hash, body: { limit: 5, limit_reset: 'weekly' } },
        { hash: bilals?.hash, body: { limit_reset: null } },
      ]),
    )
    expect([resetOf(adas), resetOf(bilals)]).toEqual(['weekly', null])
    expect(log().filter(([, action]) => String(action).startsWith('update_'))).toEqual(
      expect.arrayContaining([
        [adas?.hash, 'update_limit_reset', null, 'weekly'],
        [bilals?.hash, 'update_limit_reset', 'daily', null],
      ]),
    )
    expect(resets()).toEqual([
      ['Weekly', 'weekly'],
      ['none', 'none'],
      ['', 'none'],
    ])
    expect(query('keys.db', 'SELECT * FROM pending_change')).toEqual([])
    await room.ok(Update)
    expect(patches()).toHaveLength(2)
  })

  test('has no column in the table where none is to change, and none is sent', async () => {
    editLimits({ [ada.email]: { target_limit: '5' }, [bilal.email]: { target_limit_reset: 'never' } })
    const { stdout } = await room.ok(Update)
    expect(stdout).not.toContain('RESET')
    expect(patches()).toEqual([{ hash: adas?.hash, body: { limit: 5 } }])
  })

  test('is in the plan with --json, and another word is a problem of the file', async () => {
    editLimits({ [ada.email]: { target_limit_reset: 'MONTHLY' } })
    const { json } = await room.ok(Update, '--dry-run', '--json')
    expect(json.changes).toMatchObject([{ hash: adas?.hash, limitReset: { from: null, to: 'monthly' } }])
    editLimits({ [ada.email]: { target_limit_reset: 'yearly' }, [bilal.email]: { target_limit: 'lots' } })
    const { json: refused, exitCode } = await room.run(Update, '--json')
    expect(exitCode).toBe(2)
    expect(refused.error.problems).toMatchObject([
      { line: 2, column: 'target_limit_reset', value: 'yearly' },
      { line: 3, column: 'target_limit', value: 'lots' },
    ])
    expect(patches()).toEqual([])
  })

  test('that OpenRouter did not take over is a failure', async () => {
    editLimits({ [ada.email]: { target_limit_reset: 'daily' } })
    room.sandbox.faults.add({
      method: 'PATCH',
      effect: { kind: 'wrong-shape', body: { data: { ...adas, secret: undefined, limit_reset: 'weekly' } } },
    })
    const { json, exitCode } = await room.run(Update, '--json')
    expect(exitCode).toBe(3)
    expect(json.students).toMatchObject([
      { outcome: 'failed', reason: 'OpenRouter says limit_reset weekly instead of daily' },
    ])
    // The changelog has what it came to.
    expect(log()).toEqual([[adas?.hash, 'update_limit_reset', null, 'weekly']])
  })
})

describe('a relative target', () => {
  const targets = () => readCsv('limits.csv').map((row) => [row.target_limit, row.actual_limit])
  const kept = () =>
    query('keys.db', 'SELECT key_hash, written, target FROM relative_target').map(Object.values)

  test('is added to what OpenRouter says, logged, and becomes the amount in the file', async () => {
    editLimits({ [ada.email]: { target_limit: '+5' }, [bilal.email]: { target_limit: '+ $0.10' } })
    const { stdout } = await room.ok(Update)
    expect(stdout).toMatch(new RegExp(`^${ada.email} +Ada Quill1 +\\$3\\.00 → \\$8\\.00`, 'm'))
    expect(patches()).toHaveLength(2)
    expect(patches()).toEqual(
      expect.arrayContaining([
        { hash: adas?.hash, body: { limit: 8 } },
        { hash: bilals?.hash, body: { limit: 3.1 } },
      ]),
    )
    expect(log()).toHaveLength(2)
    expect(log()).toContainEqual([adas?.hash, 'update_limit', '3.00', '8.00'])
    expect(targets()).toEqual([
      ['8.00', '8.00'],
      ['3.10', '3.10'],
      ['', 'unlimited'],
    ])
    expect(kept()).toEqual([])
    await room.ok(Update)
    expect(patches()).toHaveLength(2)
  })

  test('is added again when it is written again', async () => {
    for (const limit of [8, 13, 18]) {
      editLimits({ [ada.email]: { target_limit: '+5' } })
      await room.ok(Update)
      expect(limitOf(adas)).toBe(limit)
    }
    expect(log().map((row) => row.slice(2))).toEqual([
      ['3.00', '8.00'],
      ['8.00', '13.00'],
      ['13.00', '18.00'],
    ])
  })

  test('is refused where the limit was changed at OpenRouter since, until the file is looked at again', async () => {
    editLimits({ [ada.email]: { target_limit: '+5' }, [bilal.email]: { target_limit: '4' } })
    room.sandbox.state.editKey(adas?.hash ?? '', { limit: 0.1 })
    const before = readFileSync('limits.csv', 'utf8')
    for (const flags of [['--dry-run'], ['--yes', '--force']]) {
      const { stderr, exitCode } = await room.run(Update, ...flags)
      expect(exitCode).toBe(2)
      expect(stderr).toContain(
        'line 2, target_limit, "+5": is to be added to $3.00, and the limit is $0.10 now. Write the new limit itself, or run class-keys refresh-limits-file and look at the row again',
      )
    }
    expect(patches()).toEqual([])
    expect(kept()).toEqual([])
    expect(readFileSync('limits.csv', 'utf8')).toBe(before)
    // The file is brought up to what is, and the wish stays.
    await room.ok(RefreshLimitsFile)
    expect(targets()[0]).toEqual(["'+5", '0.10'])
    await room.ok(Update)
    expect([limitOf(adas), limitOf(bilals)]).toEqual([5.1, 4])
  })

  test('is refused in an old copy of the file that was saved over a newer one: nothing is added twice', async () => {
    editLimits({ [ada.email]: { target_limit: '+5' } })
    const old = readFileSync('limits.csv', 'utf8')
    await room.ok(Update)
    expect(limitOf(adas)).toBe(8)
    writeFileSync('limits.csv', old)
    const { stderr, exitCode } = await room.run(Update)
    expect(exitCode).toBe(2)
    expect(stderr).toContain('is to be added to $3.00, and the limit is $8.00 now')
    expect(limitOf(adas)).toBe(8)
    expect(patches()).toHaveLength(1)
  })

  test('is shown by a dry run, which writes nothing and spends nothing of it', async () => {
    editLimits({ [ada.email]: { target_limit: '+5' } })
    const before = folderState()
    for (let n = 0; n < 2; n++) {
      const { stdout } = await room.ok(Update, '--dry-run')
      expect(stdout).toMatch(new RegExp(`^${ada.email} +Ada Quill1 +\\$3\\.00 → \\$8\\.00`, 'm'))
    }
    const { json } = await room.ok(Update, '--dry-run', '--json')
    expect(json.changes).toMatchObject([{ hash: adas?.hash, limit: { from: 3, to: 8 } }])
    expect(folderState()).toEqual(before)
  })

  test('of a key without a limit is a warning, the row is kept, and the rest goes on', async () => {
    editLimits({ [bilal.email]: { target_limit: '+1' }, [chiara.email]: { target_limit: '+5' } })
    const { stdout } = await room.ok(Update)
    expect(stdout).toContain(
      `Warning: line 4 (${chiara.email}): its key has no limit that +5 could be added to. Nothing is done for it.`,
    )
    expect(patches()).toEqual([{ hash: bilals?.hash, body: { limit: 4 } }])
    expect(targets()[2]).toEqual(["'+5", 'unlimited'])
    expect(kept()).toEqual([])
  })

  test('stays as it is written in a file that refresh-limits-file or provision writes', async () => {
    editLimits({ [ada.email]: { target_limit: '+5' }, [bilal.email]: { target_limit: '+ $2.50' } })
    const { stdout } = await room.ok(RefreshLimitsFile)
    expect(stdout).toMatch(new RegExp(`^${ada.email} +Ada Quill1 +\\$3\\.00 → \\$8\\.00`, 'm'))
    await room.ok(Provision)
    expect(targets().slice(0, 2)).toEqual([
      ["'+5", '3.00'],
      ["'+ $2.50", '3.00'],
    ])
    await room.ok(Update)
    expect([limitOf(adas), limitOf(bilals)]).toEqual([8, 5.5])
  })

  test('that is refused stays, and means the same amount in the next run', async () => {
    editLimits({ [ada.email]: { target_limit: '+5' }, [bilal.email]: { target_limit: '+5' } })
    const fault = room.sandbox.faults.add({
      method: 'PATCH',
      path: new RegExp(bilals?.hash ?? ''),
      effect: { kind: 'error', status: 400 },
    })
    expect((await room.run(Update)).exitCode).toBe(3)
    expect(targets().slice(0, 2)).toEqual([
      ['8.00', '8.00'],
      ["'+5", '3.00'],
    ])
    expect(kept()).toEqual([[bilals?.hash, '+5', 8]])
    fault.remove()
    await room.ok(Update)
    expect([limitOf(adas), limitOf(bilals)]).toEqual([8, 8])
    expect(kept()).toEqual([])
  })

  test('that is refused, and then taken back, is forgotten: the same words later are a new wish', async () => {
    editLimits({ [ada.email]: { target_limit: '+5' } })
    const fault = room.sandbox.faults.add({ method: 'PATCH', effect: { kind: 'error', status: 400 } })
    expect((await room.run(Update)).exitCode).toBe(3)
    fault.remove()
    editLimits({ [ada.email]: { target_limit: '' } })
    await room.ok(Update, '--dry-run')
    expect(kept()).toHaveLength(1)
    await room.ok(Update)
    expect(kept()).toEqual([])
    room.sandbox.state.editKey(adas?.hash ?? '', { limit: 10 })
    await room.ok(RefreshLimitsFile)
    editLimits({ [ada.email]: { target_limit: '+5' } })
    await room.ok(Update)
    expect(limitOf(adas)).toBe(15)
  })

  test('is not added twice where the limit came true, and another change of the key did not', async () => {
    editLimits({ [ada.email]: { target_limit: '+5', target_disabled: 'true' } })
    room.sandbox.faults.add({
      method: 'PATCH',
      nth: 1,
      effect: { kind: 'wrong-shape', body: { data: { ...adas, secret: undefined, limit: 8 } } },
    })
    room.sandbox.state.editKey(adas?.hash ?? '', { limit: 3 })
    expect((await room.run(Update)).exitCode).toBe(3)
    expect(targets()[0]).toEqual(['8.00', '8.00'])
    await room.ok(Update)
    expect([limitOf(adas), isDisabled(adas)]).toEqual([8, true])
  })

  test('of a row that means its key by the address becomes the amount, though the key is disabled with it', async () => {
    room.giveKey(ada, { disabled: true, limit: 1 })
    writeLimits([{ email: ada.email, target_limit: '+5', target_disabled: 'true' }])
    await room.ok(Update)
    const row = readCsv('limits.csv').find(({ hash }) => hash === adas?.hash)
    expect(row).toMatchObject({ target_limit: '8.00', actual_limit: '8.00', actual_disabled: 'true' })
    expect(readCsv('limits.csv')).toHaveLength(4)
    await room.ok(Update)
    expect(patches()).toHaveLength(1)
  })

  test('stays with all others where the run is ended early, and nothing is added twice', async () => {
    const many = students(20)
    writeRoster(many)
    for (const each of many.slice(3)) room.giveKey(each)
    room.sandbox.state.editKey(chiaras?.hash ?? '', { limit: 3 })
    writeLimits(many.map((each) => ({ email: each.email, target_limit: '+5' })))
    const before = readFileSync('limits.csv', 'utf8')
    const fault = room.sandbox.faults.add({
      method: 'PATCH',
      while: () => patches().length > 10,
      effect: { kind: 'error', status: 401 },
    })
    expect((await room.run(Update)).exitCode).toBe(1)
    expect(readFileSync('limits.csv', 'utf8')).toBe(before)
    expect(kept()).toHaveLength(20)
    fault.remove()
    const { json } = await room.ok(Update, '--json')
    expect(json.counts).toEqual({ updated: 10 })
    expect(room.sandbox.state.keys().map(({ limit }) => limit)).toEqual(many.map(() => 8))
    expect(log()).toHaveLength(21)
    expect(kept()).toEqual([])
  })

  test('in other words, that the instructor saves while the run is at work, is for the next run', async () => {
    editLimits({ [ada.email]: { target_limit: '+5' }, [bilal.email]: { target_limit: '+1' } })
    room.sandbox.faults.add({
      method: 'PATCH',
      nth: 2,
      effect: {
        kind: 'before',
        run: () => writeLimits([{ email: ada.email, target_limit: '+6', hash: adas?.hash ?? '' }]),
      },
    })
    await room.ok(Update)
    expect(targets()[0]).toEqual(["'+6", '8.00'])
    await room.ok(Update)
    expect(limitOf(adas)).toBe(14)
    expect(limitOf(bilals)).toBe(4)
  })

  test('that cannot be written down is not sent', async () => {
    editLimits({ [ada.email]: { target_limit: '+5' } })
    const { execute } = await import('../support/sqlite.js')
    execute(
      'keys.db',
      "CREATE TRIGGER stop BEFORE INSERT ON relative_target BEGIN SELECT RAISE(ABORT, 'stop'); END",
    )
    expect((await room.run(Update)).exitCode).toBe(1)
    expect(patches()).toEqual([])
  })

  test('is nothing to be taken away', async () => {
    editLimits({ [ada.email]: { target_limit: '-5' } })
    expect((await room.run(Update)).exitCode).toBe(2)
  })
})

describe('limits.csv of the nine columns', () => {
  const nine = LIMITS_HEADER.split(',')
  /** Takes the two last columns away, as a program does that knows only the nine. */
  const cutToNine = () => writeLimits(readCsv('limits.csv'), nine)

  test('that the Python tool wrote works as it is in every command, and gets the new columns', async () => {
    const row = (of: typeof ada, hash: string | undefined, over: Record<string, string> = {}) => ({
      email: of.email,
      name: `${of.first_name} ${of.last_name}`,
      mq_id: of.mq_id,
      actual_limit: '3.0',
      actual_disabled: 'False',
      hash: hash ?? '',
      ...over,
    })
    writeLimits([
      row(ada, adas?.hash, { target_limit: '5.0', target_disabled: 'False' }),
      row(bilal, bilals?.hash, { target_limit: '3.0', target_disabled: 'True' }),
      row(chiara, chiaras?.hash, { target_limit: 'unlimited', actual_limit: 'unlimited' }),
    ])
    const file = readFileSync('limits.csv', 'utf8')
    await room.ok(Check)
    expect(readFileSync('limits.csv', 'utf8')).toBe(file)
    expect((await room.ok(Update, '--dry-run', '--json')).json.changes).toHaveLength(2)
    await room.ok(RefreshLimitsFile)
    expect(headerOf('limits.csv')).toBe(`${LIMITS_HEADER},target_limit_reset,actual_limit_reset`)
    writeFileSync('limits.csv', file)
    await room.ok(Update)
    expect(headerOf('limits.csv')).toBe(`${LIMITS_HEADER},target_limit_reset,actual_limit_reset`)
    expect(readCsv('limits.csv').map((each) => [each.target_limit, each.actual_limit])).toEqual([
      ['5.0', '5.00'],
      ['3.0', '3.00'],
      ['unlimited', 'unlimited'],
    ])
    expect([limitOf(adas), limitOf(bilals), isDisabled(bilals)]).toEqual([5, 3, true])
  })

  test('cut out of ours by another program, works too, and asks for nothing new', async () => {
    room.sandbox.state.editKey(adas?.hash ?? '', { limit_reset: 'daily' })
    editLimits({ [ada.email]: { target_limit: '5', target_limit_reset: 'daily' } })
    await room.ok(Update)
    expect(patches()).toEqual([{ hash: adas?.hash, body: { limit: 5 } }])
    cutToNine()
    await room.ok(Update)
    cutToNine()
    await room.ok(RefreshLimitsFile)
    expect(patches()).toHaveLength(1)
    expect(readCsv('limits.csv')[0]).toMatchObject({ target_limit: '5', target_limit_reset: '' })
  })

  test('are the first of ours, in the same order, with the instructor’s own at the end', async () => {
    writeLimits([{ email: ada.email, Note: 'tutor' }], [...nine, 'Note'])
    await room.ok(Update)
    expect(headerOf('limits.csv').split(',')).toEqual([
      ...nine,
      'target_limit_reset',
      'actual_limit_reset',
      'Note',
    ])
    expect(readCsv('limits.csv')[0]).toMatchObject({ email: ada.email, hash: adas?.hash, Note: 'tutor' })
  })
})

describe('rows are found', () => {
  test('by hash, whatever the address says', async () => {
    writeLimits([{ email: 'somebody@else.edu', hash: bilals?.hash ?? '', target_limit: '8' }])
    await room.ok(Update)
    expect(patches()).toEqual([{ hash: bilals?.hash, body: { limit: 8 } }])
  })

  test('by address, case aside, where the hash is not there or is nobody’s', async () => {
    writeLimits([
      { email: ada.email.toUpperCase(), target_limit: '8' },
      { email: bilal.email, hash: 'no-such-hash', target_limit: '9' },
    ])
    await room.ok(Update)
    expect([limitOf(adas), limitOf(bilals)]).toEqual([8, 9])
  })

  test('by an address that had to be defused for spreadsheets', async () => {
    const plus = student(4, { email: '+dov@x.edu' })
    writeRoster([plus])
    const theirs = room.giveKey(plus)
    await room.ok(RefreshLimitsFile)
    editLimits({ "'+dov@x.edu": { hash: '', target_limit: '6' } })
    await room.ok(Update)
    expect(limitOf(theirs)).toBe(6)
  })

  test('by an address that the ledger knows of a student who is no longer on the roster', async () => {
    writeRoster([bilal])
    writeLimits([{ email: ada.email, target_disabled: 'true' }])
    await room.ok(Update)
    expect(isDisabled(adas)).toBe(true)
  })

  test('without a roster, among those whom the ledger knows', async () => {
    rmSync('roster.csv')
    editLimits({ [ada.email]: { target_limit: '8' } })
    await room.ok(Update)
    expect(limitOf(adas)).toBe(8)
    expect(readCsv('limits.csv')).toHaveLength(3)
  })

  test('by address to the one enabled key of a student who has a disabled one too', async () => {
    const second = room.giveKey(ada, { disabled: true, limit: 1 })
    writeLimits([{ email: ada.email, target_limit: '8' }])
    await room.ok(Update)
    expect([limitOf(adas), limitOf(second)]).toEqual([8, 1])
  })

  test('not at all: a warning, and the rest goes on', async () => {
    writeLimits([
      { email: 'nobody@x.edu', target_limit: '5' },
      { email: '', hash: 'f00d', target_limit: '5' },
      { email: bilal.email, target_limit: '5' },
    ])
    const { stdout, exitCode } = await room.run(Update)
    expect(exitCode).toBe(0)
    expect(stdout).toContain(
      'Warning: line 2 (nobody@x.edu): no key of this address. Nothing is done for it.',
    )
    expect(stdout).toContain('Warning: line 3 (f00d): no such key. Nothing is done for it.')
    expect(stdout).toContain('Updated: 1\n')
    expect(limitOf(bilals)).toBe(5)
    const { json } = await room.ok(Update, '--json')
    expect(json.plan.unmatched).toHaveLength(2)
    expect(json.plan.unmatched).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ email: 'nobody@x.edu', why: 'no key of this address' }),
        expect.objectContaining({ hash: 'f00d', why: 'no such key' }),
      ]),
    )
  })

  test('twice for one key: the row with its hash counts, the other is a warning, and both stay', async () => {
    writeLimits([
      { email: ada.email, target_limit: '5' },
      { email: 'x@x.edu', hash: adas?.hash ?? '', target_limit: '9' },
    ])
    const { stdout } = await room.ok(Update)
    expect(stdout).toContain(`Warning: line 2 (${ada.email}): line 3 is about the same key`)
    expect(patches()).toEqual([{ hash: adas?.hash, body: { limit: 9 } }])
    expect(readCsv('limits.csv').map((row) => row.target_limit)).toEqual(expect.arrayContaining(['5', '9']))
  })

  test('for an address with two enabled keys: neither is touched', async () => {
    room.giveKey(ada)
    writeLimits([{ email: ada.email, target_limit: '5' }])
    const { stdout } = await room.ok(Update)
    expect(stdout).toContain(`${ada.email} has 2 keys`)
    expect(patches()).toEqual([])
  })

  test('a key that is not of the class is never touched, not even by its hash', async () => {
    const foreign = room.sandbox.state.addKey({ name: 'thesis pipeline', limit: 10 })
    const another = room.giveKey(student(9), { limit: 10 })
    writeLimits([
      { email: '', hash: foreign.hash, target_limit: '0' },
      { email: '', hash: another.hash, target_disabled: 'true' },
    ])
    const { json } = await room.ok(Update, '--json')
    expect(patches()).toEqual([])
    expect(json.plan.unmatched).toHaveLength(2)
  })
})

describe('cells that cannot be read', () => {
  test('stop the run before the first request, are all named, and the file stays as it is', async () => {
    editLimits({
      [ada.email]: { target_limit: 'lots' },
      [bilal.email]: { target_limit: '5' },
      [chiara.email]: { target_limit: '-3', target_disabled: 'perhaps' },
    })
    const before = folderState()
    const { stderr, stdout, exitCode } = await room.run(Update)
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(
      'Error: limits.csv has 3 problems. Nothing was changed, and the file is as it was.',
    )
    expect(stderr).toContain(
      '  line 2, target_limit, "lots": is neither an amount of dollars, nor unlimited, nor empty',
    )
    expect(stderr).toMatch(/ {2}line 4, target_limit, "-3": /)
    expect(stderr).toMatch(/ {2}line 4, target_disabled, "perhaps": /)
    expect(room.requests()).toEqual([])
    expect(folderState()).toEqual(before)
    const { json } = await room.run(Update, '--json')
    expect(json.error).toMatchObject({ code: 'bad_file', exitCode: 2, file: 'limits.csv' })
    expect(json.error.problems).toHaveLength(3)
  })

  test.each(['1,50', '1e2', 'NaN', 'null', 'none', '5 dollars', '١'])('%s is one of them', async (cell) => {
    editLimits({ [ada.email]: { target_limit: cell } })
    expect((await room.run(Update)).exitCode).toBe(2)
    expect(room.requests()).toEqual([])
  })

  test('a key with two rows is a mistake that is named', async () => {
    const hash = adas?.hash ?? ''
    writeLimits([
      { email: ada.email, hash, target_limit: '5' },
      { email: ada.email, hash, target_limit: '6' },
    ])
    const { stderr, exitCode } = await room.run(Update)
    expect(exitCode).toBe(2)
    expect(stderr).toContain('line 2 is about the same key')
  })

  test('a file that is missing names the command that makes one', async () => {
    rmSync('limits.csv')
    const { stderr, exitCode } = await room.run(Update)
    expect(exitCode).toBe(2)
    expect(stderr).toContain(
      'Error: There is no limits file at limits.csv. class-keys refresh-limits-file makes one.',
    )
    expect(names()).not.toContain('limits.csv')
  })

  test('a file without the columns that count names them', async () => {
    writeFileSync('limits.csv', 'address,limit\nada@x.edu,5\n')
    const { json } = await room.run(Update, '--json')
    expect(json.error.problems.map((p: { column: string }) => p.column)).toEqual([
      'email',
      'target_limit',
      'target_disabled',
    ])
  })
})

describe('--dry-run', () => {
  test('shows each change and the warnings, writes nothing anywhere, and sends nothing but reading', async () => {
    editLimits({
      [ada.email]: { target_limit: '5', target_disabled: 'true' },
      [bilal.email]: { target_limit: 'unlimited' },
    })
    const before = folderState()
    const { stdout } = await room.ok(Update, '--dry-run')
    expect(stdout).toMatch(
      new RegExp(`^${ada.email} +Ada Quill1 +\\$3\\.00 → \\$5\\.00 +(no|false) → (yes|true)`, 'm'),
    )
    expect(stdout).toMatch(new RegExp(`^${bilal.email} +Bilal Quill2 +\\$3\\.00 → unlimited`, 'm'))
    expect(stdout).toContain('\nPlan: 2 keys to change; 1 already as asked for.\n')
    expect(stdout).toContain('\nThis plan lifts the limit of 1 key: it needs a yes, or --yes.\n')
    expect(stdout).toContain('This was a dry run: nothing was sent, and nothing was written.')
    const { json } = await room.ok(Update, '--dry-run', '--json')
    expect(json).toMatchObject({ version: 1, command: 'update', unchanged: 1, unmatched: [] })
    expect(json.changes).toMatchObject([
      { kind: 'update', hash: adas?.hash, limit: { from: 3, to: 5 }, disabled: { from: false, to: true } },
      { kind: 'update', hash: bilals?.hash, limit: { from: 3, to: null } },
    ])
    expect(folderState()).toEqual(before)
    expect(new Set(room.requests().map((request) => request.method))).toEqual(new Set(['GET']))
  })
})

describe('afterwards', () => {
  test('the changelog has each change once, with old and new value', async () => {
    editLimits({
      [ada.email]: { target_limit: '5', target_disabled: 'true' },
      [chiara.email]: { target_limit: '0' },
    })
    await room.ok(Update)
    expect(log()).toHaveLength(3)
    expect(log()).toEqual(
      expect.arrayContaining([
        [adas?.hash, 'update_limit', '3.00', '5.00'],
        [adas?.hash, 'update_disabled', 'false', 'true'],
        [chiaras?.hash, 'update_limit', 'unlimited', '0.00'],
      ]),
    )
  })

  test('the ledger has the keys as they are now, and nothing is pending', async () => {
    editLimits({ [ada.email]: { target_limit: '5', target_disabled: 'true' } })
    await room.ok(Update)
    expect(query('keys.db', 'SELECT credit_limit, disabled FROM key WHERE key_hash = ?', adas?.hash)).toEqual(
      [{ credit_limit: 5, disabled: 1 }],
    )
    expect(query('keys.db', 'SELECT * FROM pending_change')).toEqual([])
  })

  test('limits.csv has the new actuals, and the targets as they were written', async () => {
    editLimits({ [ada.email]: { target_limit: '$5.0', target_disabled: 'Yes' } })
    await room.ok(Update)
    expect(headerOf('limits.csv').startsWith(LIMITS_HEADER)).toBe(true)
    expect(readCsv('limits.csv')).toMatchObject([
      {
        email: ada.email,
        target_limit: '$5.0',
        actual_limit: '5.00',
        target_disabled: 'Yes',
        actual_disabled: 'true',
      },
      {
        email: bilal.email,
        target_limit: '',
        actual_limit: '3.00',
        target_disabled: '',
        actual_disabled: 'false',
      },
      { email: chiara.email, actual_limit: 'unlimited' },
    ])
  })

  test('limits.csv keeps the instructor’s columns, rows that match no key, and its permissions', async () => {
    const { chmodSync } = await import('node:fs')
    writeLimits(
      [
        { email: 'later@x.edu', name: 'Late Comer', target_limit: '5', 'Why so?': 'joins in week 3' },
        { email: ada.email, target_limit: '4', hash: adas?.hash ?? '', 'Why so?': 'asked, twice; "please"' },
      ],
      [...LIMITS_HEADER.split(','), 'Why so?'],
    )
    // Open to the group: the permissions of a new file under the usual umask would not be.
    chmodSync('limits.csv', 0o664)
    await room.ok(Update)
    expect(modeOf('limits.csv')).toBe('664')
    expect(headerOf('limits.csv')).toMatch(/,Why so\?$/)
    const rows = readCsv('limits.csv')
    expect(rows.map((row) => row.email)).toEqual([ada.email, bilal.email, chiara.email, 'later@x.edu'])
    expect(rows[0]).toMatchObject({
      target_limit: '4',
      actual_limit: '4.00',
      'Why so?': 'asked, twice; "please"',
    })
    expect(rows[3]).toMatchObject({
      name: 'Late Comer',
      target_limit: '5',
      actual_limit: '',
      'Why so?': 'joins in week 3',
    })
  })

  test('limits.csv of a spreadsheet of another country is read, and its targets come back', async () => {
    const hash = adas?.hash ?? ''
    writeFileSync(
      'limits.csv',
      `\ufeffEmail;Target Limit;Target Disabled;Hash\r\n${ada.email};4;;${hash}\r\n`,
    )
    await room.ok(Update)
    expect(limitOf(adas)).toBe(4)
    expect(readCsv('limits.csv')[0]).toMatchObject({
      email: ada.email,
      target_limit: '4',
      actual_limit: '4.00',
    })
  })

  test('a name that a spreadsheet would run as a formula comes back unchanged, however often', async () => {
    const formula = student(4, { first_name: '=HYPERLINK("x")', last_name: '+1' })
    writeRoster([formula])
    room.giveKey(formula)
    await room.ok(RefreshLimitsFile)
    const first = readFileSync('limits.csv', 'utf8')
    await room.ok(Update)
    await room.ok(RefreshLimitsFile)
    expect(readFileSync('limits.csv', 'utf8')).toBe(first)
    expect(readCsv('limits.csv').map((row) => row.name)).toContain(`'=HYPERLINK("x") +1`)
  })

  test('so does a cell of the instructor’s own, and the name in a row of no key', async () => {
    writeLimits(
      [{ email: 'later@x.edu', name: "'=1+1", target_limit: '5', Note: "'-see mail" }],
      [...LIMITS_HEADER.split(','), 'Note'],
    )
    await room.ok(Update)
    await room.ok(Update)
    const row = readCsv('limits.csv').find((each) => each.email === 'later@x.edu')
    expect(row).toMatchObject({ name: "'=1+1", Note: "'-see mail" })
  })

  test('the snapshot has the keys as they are now', async () => {
    editLimits({ [ada.email]: { target_limit: '5' } })
    await room.ok(Update)
    expect(readCsv(only(/^snapshot_/))[0]).toMatchObject({ email: ada.email, limit: '5.00' })
  })

  test('the summary tells what was changed, and where the files are', async () => {
    editLimits({ [ada.email]: { target_limit: '5' } })
    const { stdout } = await room.ok(Update)
    expect(stdout).toMatch(new RegExp(`^${ada.email} +Ada Quill1 +\\$3\\.00 → \\$5\\.00`, 'm'))
    expect(stdout).toContain('Updated: 1\nAlready as asked for: 2\n')
    expect(stdout).toContain('Limits: limits.csv\n')
    expect(stdout).toContain(`Snapshot: ${only(/^snapshot_/)}\n`)
  })

  test('--json tells of each student', async () => {
    editLimits({ [ada.email]: { target_limit: '5' } })
    const { json, stderr } = await room.ok(Update, '--json')
    expect(stderr).toBe('')
    expect(json).toMatchObject({
      students: [
        { email: ada.email, name: 'Ada Quill1', mqId: ada.mq_id, hash: adas?.hash, outcome: 'updated' },
      ],
      counts: { updated: 1 },
      files: { limits: 'limits.csv', snapshot: only(/^snapshot_/) },
    })
    expect(json).not.toHaveProperty('stopped')
  })

  test('--limits and CLASS_KEYS_LIMITS name the file that is read and written', async () => {
    writeLimits([{ email: ada.email, target_limit: '6' }], undefined, 'flag.csv')
    writeLimits([{ email: ada.email, target_limit: '7' }], undefined, 'from-environment.csv')
    const untouched = readFileSync('limits.csv', 'utf8')
    vi.stubEnv('CLASS_KEYS_LIMITS', 'from-environment.csv')
    await room.ok(Update, '--limits', 'flag.csv')
    expect(limitOf(adas)).toBe(6)
    await room.ok(Update)
    expect(limitOf(adas)).toBe(7)
    expect(readFileSync('limits.csv', 'utf8')).toBe(untouched)
  })
})

describe('some keys fail', () => {
  test.each([400, 404])(
    'one is refused with %i: the others are changed, exit 3, and the next run goes on',
    async (status) => {
      editLimits({
        [ada.email]: { target_limit: '5' },
        [bilal.email]: { target_limit: '5' },
        [chiara.email]: { target_limit: '5' },
      })
      const fault = room.sandbox.faults.add({
        method: 'PATCH',
        path: new RegExp(bilals?.hash ?? ''),
        effect: { kind: 'error', status, message: 'Not this one' },
      })
      const { stdout, stderr, exitCode } = await room.run(Update)
      expect(exitCode).toBe(3)
      expect(stdout).toContain('Updated: 2\n')
      expect(stdout).toContain('Failed: 1\n')
      expect(stdout).toMatch(
        new RegExp(`  Bilal Quill2 \\(${bilal.email}\\): failed: .*${status}: Not this one`),
      )
      expect(stderr).toContain('2 of 3 students are done; run the same command again to go on.')
      expect(log()).toHaveLength(2)
      // A refused change is not waited for: the same change made by hand later is somebody else's.
      expect(query('keys.db', 'SELECT * FROM pending_change')).toEqual([])
      fault.remove()
      expect((await room.ok(Update, '--json')).json.counts).toEqual({ updated: 1 })
      expect(log()).toHaveLength(3)
      expect(log().filter(([hash]) => hash === bilals?.hash)).toEqual([
        [bilals?.hash, 'update_limit', '3.00', '5.00'],
      ])
    },
  )

  test('403 for one, after others came through, is that one’s', async () => {
    const many = students(30)
    writeRoster(many)
    for (const each of many.slice(3)) room.giveKey(each)
    writeLimits(many.map((each) => ({ email: each.email, target_limit: '5' })))
    room.sandbox.faults.add({ method: 'PATCH', nth: 20, effect: { kind: 'error', status: 403 } })
    const { json, exitCode } = await room.run(Update, '--json')
    expect(exitCode).toBe(3)
    expect(json.counts).toEqual({ updated: 29, failed: 1 })
  })

  test('the first is refused with 403 while others beside it are still under way: the rest goes on', async () => {
    const many = students(30)
    writeRoster(many)
    for (const each of many.slice(3)) room.giveKey(each)
    writeLimits(many.map((each) => ({ email: each.email, target_limit: '5' })))
    room.sandbox.faults.add({
      method: 'PATCH',
      path: new RegExp(adas?.hash ?? ''),
      effect: { kind: 'error', status: 403 },
    })
    room.sandbox.faults.add({
      method: 'PATCH',
      nth: [2, 3, 4, 5, 6, 7, 8],
      effect: { kind: 'slow', ms: 150 },
    })
    const { json, exitCode } = await room.run(Update, '--json')
    expect(exitCode).toBe(3)
    expect(json.counts).toEqual({ updated: 29, failed: 1 })
  })

  test('an answer that says something else than was asked is a failure, and not in the changelog', async () => {
    editLimits({ [ada.email]: { target_limit: '5' } })
    room.sandbox.faults.add({
      method: 'PATCH',
      effect: { kind: 'wrong-shape', body: { data: { ...adas, secret: undefined, limit: 3 } } },
    })
    const { json, exitCode } = await room.run(Update, '--json')
    expect(exitCode).toBe(3)
    expect(json.students).toMatchObject([
      { outcome: 'failed', reason: 'OpenRouter says limit 3.00 instead of 5.00' },
    ])
    expect(log()).toEqual([])
  })

  test.each([
    [{ limit: 4 }, [['update_limit', '3.00', '4.00']]],
    [
      { limit: null, disabled: true },
      [
        ['update_limit', '3.00', 'unlimited'],
        ['update_disabled', 'false', 'true'],
      ],
    ],
    [{ disabled: true }, [['update_disabled', 'false', 'true']]],
  ])('an answer that has come to %j instead is a failure, and the changelog has that', async (came, rows) => {
    editLimits({ [ada.email]: { target_limit: '5', target_disabled: 'true' } })
    const body = { data: { ...adas, secret: undefined, ...came } }
    room.sandbox.faults.add({ method: 'PATCH', effect: { kind: 'wrong-shape', body } })
    const { json, exitCode } = await room.run(Update, '--json')
    expect([exitCode, json.counts]).toEqual([3, { failed: 1 }])
    expect(log()).toEqual(rows.map((row) => [adas?.hash, ...row]))
    expect(query('keys.db', 'SELECT * FROM pending_change')).toEqual([])
  })

  test('an answer about another key is a failure, and nothing is believed of it', async () => {
    editLimits({ [ada.email]: { target_limit: '5' } })
    const body = { data: { ...bilals, secret: undefined, limit: 5 } }
    room.sandbox.faults.add({ method: 'PATCH', effect: { kind: 'wrong-shape', body } })
    const { json, exitCode } = await room.run(Update, '--json')
    expect(exitCode).toBe(3)
    expect(json.students).toMatchObject([
      { mqId: ada.mq_id, outcome: 'failed', reason: 'OpenRouter answered about another key' },
    ])
    expect(log()).toEqual([])
    // The next run sees that the limit is as it was asked for.
    room.sandbox.faults.clear()
    await room.ok(Update)
    expect([limitOf(adas), limitOf(bilals)]).toEqual([5, 3])
  })

  test.each([
    ['can be looked at', false, 0, { updated: 2 }],
    ['cannot be looked at either', true, 3, { updated: 1, 'in doubt': 1 }],
  ])(
    'every answer lost after the work, of a key that %s: every limit ends right, the change is logged once',
    async (...row) => {
      const [, alsoReading, expectedCode, counts] = row
      hurry()
      editLimits({ [ada.email]: { target_limit: '5' }, [bilal.email]: { target_limit: '6' } })
      const before = readFileSync('limits.csv', 'utf8')
      const method = alsoReading ? ['PATCH', 'GET'] : 'PATCH'
      room.sandbox.faults.add({ method, path: new RegExp(adas?.hash ?? ''), effect: { kind: 'error-after' } })
      const { json, exitCode } = await room.run(Update, '--json')
      expect(exitCode).toBe(expectedCode)
      expect(json.counts).toEqual(counts)
      // What is so now is not known of a key in doubt: the file is not rewritten with a guess.
      expect(readFileSync('limits.csv', 'utf8') === before).toBe(alsoReading)
      room.sandbox.faults.clear()
      await room.ok(Update)
      expect([limitOf(adas), limitOf(bilals)]).toEqual([5, 6])
      expect(log()).toHaveLength(2)
      expect(log()).toEqual(
        expect.arrayContaining([
          [adas?.hash, 'update_limit', '3.00', '5.00'],
          [bilals?.hash, 'update_limit', '3.00', '6.00'],
        ]),
      )
    },
  )

  test('an answer that is lost once is asked for again, and that is told', async () => {
    hurry()
    editLimits({ [ada.email]: { target_limit: '5' } })
    room.sandbox.faults.add({ method: 'PATCH', nth: 1, effect: { kind: 'lose-answer' } })
    const { json } = await room.ok(Update, '--json')
    expect(json).toMatchObject({ counts: { updated: 1 }, retries: { lostConnections: 1 } })
    expect(log()).toHaveLength(1)
  })
})

describe('everything fails', () => {
  test.each([401, 403])(
    '%i on the first: it stops, exit 1, and limits.csv is left as it is',
    async (status) => {
      const many = students(40)
      writeRoster(many)
      for (const each of many.slice(3)) room.giveKey(each)
      writeLimits(many.map((each) => ({ email: each.email, target_limit: '5' })))
      const before = readFileSync('limits.csv', 'utf8')
      room.sandbox.faults.add({ method: 'PATCH', effect: { kind: 'error', status } })
      const { json, exitCode } = await room.run(Update, '--json')
      expect(exitCode).toBe(1)
      expect(json.stopped).toMatchObject({ code: status === 401 ? 'unauthorized' : 'forbidden' })
      expect(patches().length).toBeLessThanOrEqual(8)
      expect(json.counts['not tried']).toBeGreaterThanOrEqual(32)
      expect(readFileSync('limits.csv', 'utf8')).toBe(before)
      expect(names().filter((name) => name.startsWith('snapshot'))).toEqual([])
      expect(log()).toEqual([])
    },
  )

  test('401 in the midst stops too', async () => {
    const many = students(40)
    writeRoster(many)
    for (const each of many.slice(3)) room.giveKey(each)
    writeLimits(many.map((each) => ({ email: each.email, target_limit: '5' })))
    room.sandbox.faults.add({
      method: 'PATCH',
      while: () => patches().length > 15,
      effect: { kind: 'error', status: 401 },
    })
    const { json, exitCode } = await room.run(Update, '--json')
    expect(exitCode).toBe(1)
    expect(json.counts.updated).toBe(15)
    expect(json.counts['not tried']).toBeGreaterThan(0)
    expect(patches().length).toBeLessThan(40)
  })

  test('a ledger that cannot be written stops the run before anything is sent', async () => {
    editLimits({ [ada.email]: { target_limit: '5' } })
    const { execute } = await import('../support/sqlite.js')
    execute(
      'keys.db',
      "CREATE TRIGGER stop BEFORE INSERT ON pending_change BEGIN SELECT RAISE(ABORT, 'stop'); END",
    )
    expect((await room.run(Update)).exitCode).toBe(1)
    expect(patches()).toEqual([])
  })
})

test('a second run says that another holds the ledger, and sends nothing', async () => {
  editLimits({ [ada.email]: { target_limit: '5' } })
  const lock = takeRunLock('keys.db', 'provision', new Date())
  const { stderr, exitCode } = await room.run(Update)
  lock.release()
  expect(exitCode).toBe(1)
  expect(stderr).toContain('Error: keys.db is in use: class-keys provision')
  expect(room.requests()).toEqual([])
  await room.ok(Update)
  expect(limitOf(adas)).toBe(5)
})

test('what was changed by hand since, is observed and then brought to the target', async () => {
  editLimits({ [ada.email]: { target_limit: '5' } })
  room.sandbox.state.editKey(adas?.hash ?? '', { limit: 1 })
  await room.ok(Update)
  expect(log()).toEqual([
    [adas?.hash, 'observed_limit', '3.00', '1.00'],
    [adas?.hash, 'update_limit', '1.00', '5.00'],
  ])
})

test('more than 250 keys, disabled ones among them, are all brought to their targets', async () => {
  const many = students(260)
  writeRoster(many)
  for (const each of many.slice(3)) room.giveKey(each, { disabled: Number(each.mq_id) % 9 === 0 })
  writeLimits(many.map((each) => ({ email: each.email, target_limit: '5' })))
  const { json } = await room.ok(Update, '--json')
  expect(json.counts).toEqual({ updated: 260 })
  expect(room.sandbox.state.keys().every((key) => key.limit === 5)).toBe(true)
  expect(log()).toHaveLength(260)
})

test('keys that provision has made are updated by the limits file that it wrote', async () => {
  writeRoster([ada, bilal, chiara, student(4)])
  await room.ok(Provision)
  editLimits({ [student(4).email]: { target_limit: '4', target_disabled: 'true' } })
  const { json } = await room.ok(Update, '--json')
  expect(json.counts).toEqual({ updated: 1 })
})
