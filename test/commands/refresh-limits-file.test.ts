import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import InitDb from '../../src/commands/init-db.js'
import RefreshLimitsFile from '../../src/commands/refresh-limits-file.js'
import { takeRunLock } from '../../src/db/run-lock.js'
import type { SandboxKey } from '../../src/lib/sandbox/state.js'
import { useClassroom } from '../support/classroom.js'
import { folderState, modeOf, names } from '../support/folder.js'
import {
  editLimits,
  headerOf,
  keyNameOf,
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
let [adas, bilals]: SandboxKey[] = []

beforeEach(async () => {
  await room.ok(InitDb)
  writeRoster([bilal, ada, chiara])
  room.sandbox.state.addKey({ name: 'thesis pipeline' })
  adas = room.giveKey(ada, { limit: 3, disabled: true })
  bilals = room.giveKey(bilal, { limit: null })
})

test('makes the file from what OpenRouter says: a row for each key of the class, sorted by address', async () => {
  const { stdout, stderr } = await room.ok(RefreshLimitsFile)
  expect(headerOf('limits.csv').startsWith(LIMITS_HEADER)).toBe(true)
  const cells = readCsv('limits.csv').map((row) => LIMITS_HEADER.split(',').map((column) => row[column]))
  expect(cells).toEqual([
    [ada.email, 'Ada Quill1', ada.mq_id, '', '3.00', '', 'true', keyNameOf(ada), adas?.hash],
    [bilal.email, 'Bilal Quill2', bilal.mq_id, '', 'unlimited', '', 'false', keyNameOf(bilal), bilals?.hash],
  ])
  expect(stdout).toBe('Limits: limits.csv (2 keys)\nOpenRouter agrees with the file.\n')
  expect(stderr).toMatch(/^Read the limits: 0 rows\n/)
  expect(stderr).toMatch(/Write the limits: limits\.csv\n$/)
})

test('keeps targets as they were written, and lists where target and actual differ, with a pointer to update', async () => {
  await room.ok(RefreshLimitsFile)
  editLimits({
    [ada.email]: { target_limit: '3.0', target_disabled: 'no' },
    [bilal.email]: { target_limit: '$7' },
  })
  const { stdout } = await room.ok(RefreshLimitsFile)
  expect(readCsv('limits.csv')).toMatchObject([
    { target_limit: '3.0', actual_limit: '3.00', target_disabled: 'no', actual_disabled: 'true' },
    { target_limit: '$7', actual_limit: 'unlimited', target_disabled: '', actual_disabled: 'false' },
  ])
  expect(stdout).toContain('2 keys are not as the file asks:\n')
  expect(stdout).toMatch(new RegExp(`^${ada.email} +Ada Quill1 +(true|yes) → (false|no)`, 'm'))
  expect(stdout).toMatch(new RegExp(`^${bilal.email} +Bilal Quill2 +unlimited → \\$7\\.00`, 'm'))
  expect(stdout).toContain('class-keys update makes OpenRouter agree; class-keys update --dry-run shows how.')
})

test('gives the same as data with --json', async () => {
  await room.ok(RefreshLimitsFile)
  editLimits({ [bilal.email]: { target_limit: '7' } })
  const { json, stderr } = await room.ok(RefreshLimitsFile, '--json')
  expect(stderr).toBe('')
  expect(json).toMatchObject({
    rows: 2,
    files: { limits: 'limits.csv' },
    plan: {
      version: 1,
      command: 'update',
      changes: [{ email: bilal.email, hash: bilals?.hash, limit: { from: null, to: 7 } }],
      unchanged: 1,
      unmatched: [],
    },
    retries: { rateLimited: 0, serverErrors: 0, timeouts: 0, lostConnections: 0 },
  })
})

test('never changes anything at OpenRouter', async () => {
  await room.ok(RefreshLimitsFile)
  editLimits({ [ada.email]: { target_disabled: 'no' }, [bilal.email]: { target_limit: '7' } })
  await room.ok(RefreshLimitsFile)
  expect(new Set(room.requests().map((request) => request.method))).toEqual(new Set(['GET']))
})

test('brings the ledger up to date, and counts no usage', async () => {
  await room.ok(RefreshLimitsFile)
  room.sandbox.state.editKey(adas?.hash ?? '', { limit: 9 })
  await room.ok(RefreshLimitsFile)
  expect(query('keys.db', 'SELECT action, new_value FROM changelog')).toEqual([
    { action: 'observed_limit', new_value: '9.00' },
  ])
  expect(query('keys.db', 'SELECT * FROM usage')).toEqual([])
})

test('leaves no other file behind', async () => {
  await room.ok(RefreshLimitsFile)
  expect(names()).toEqual(['keys.db', 'limits.csv', 'roster.csv'])
  expect(modeOf('keys.db')).toBe('600')
})

describe('rows that are the instructor’s own', () => {
  test('stay where they ask for something, and go where they do not', async () => {
    writeLimits([
      { email: 'later@x.edu', target_limit: '5' },
      { email: 'gone@x.edu', actual_limit: '3.00', hash: 'f00d' },
      { email: ada.email, target_limit: '4' },
    ])
    const { stdout } = await room.ok(RefreshLimitsFile)
    expect(stdout).toContain('Warning: line 2 (later@x.edu): no key of this address.')
    expect(readCsv('limits.csv').map((row) => [row.email, row.target_limit, row.actual_limit])).toEqual([
      [ada.email, '4', '3.00'],
      [bilal.email, '', 'unlimited'],
      ['later@x.edu', '5', ''],
    ])
  })

  test('follow a student to a new address by the hash of the key', async () => {
    await room.ok(RefreshLimitsFile)
    editLimits({ [ada.email]: { target_limit: '4' } })
    writeRoster([{ ...ada, email: 'zoe@x.edu' }, bilal])
    await room.ok(RefreshLimitsFile)
    expect(readCsv('limits.csv').map((row) => [row.email, row.target_limit])).toEqual([
      [bilal.email, ''],
      ['zoe@x.edu', '4'],
    ])
  })
})

test('a cell that cannot be read stops the run, and the file stays as it is', async () => {
  await room.ok(RefreshLimitsFile)
  editLimits({ [ada.email]: { target_limit: 'lots' } })
  room.sandbox.state.requests.length = 0
  const before = folderState()
  const { stderr, exitCode } = await room.run(RefreshLimitsFile)
  expect(exitCode).toBe(2)
  expect(stderr).toContain('line 2, target_limit, "lots"')
  expect(room.requests()).toEqual([])
  expect(folderState()).toEqual(before)
})

test('an error of OpenRouter leaves the file as it is', async () => {
  writeLimits([{ email: ada.email, target_limit: '4' }])
  const before = readFileSync('limits.csv', 'utf8')
  room.sandbox.faults.add({ nth: 2, effect: { kind: 'error', status: 401 } })
  expect((await room.run(RefreshLimitsFile)).exitCode).toBe(1)
  expect(readFileSync('limits.csv', 'utf8')).toBe(before)
})

test('an empty file is as good as none', async () => {
  writeFileSync('limits.csv', '\n')
  await room.ok(RefreshLimitsFile)
  expect(readCsv('limits.csv')).toHaveLength(2)
})

test('without a roster, takes those whom the ledger knows', async () => {
  await room.ok(RefreshLimitsFile)
  rmSync('roster.csv')
  await room.ok(RefreshLimitsFile)
  expect(readCsv('limits.csv')).toHaveLength(2)
})

test('runs beside a provision that holds the ledger', async () => {
  const lock = takeRunLock('keys.db', 'provision', new Date())
  await room.ok(RefreshLimitsFile)
  lock.release()
})

test('has a row for each of more than 250 keys, disabled ones among them', async () => {
  const many = students(270)
  writeRoster(many)
  for (const each of many.slice(2)) room.giveKey(each, { disabled: Number(each.mq_id) % 5 === 0 })
  const { json } = await room.ok(RefreshLimitsFile, '--json')
  expect(json.rows).toBe(270)
  const rows = readCsv('limits.csv')
  expect(rows).toHaveLength(270)
  const emails = rows.map((row) => row.email ?? '')
  expect(emails).toEqual([...emails].sort())
})
