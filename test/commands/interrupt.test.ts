import { beforeEach, describe, expect, test } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import RefreshLimitsFile from '../../src/commands/refresh-limits-file.js'
import Show from '../../src/commands/show.js'
import Update from '../../src/commands/update.js'
import { useClassroom } from '../support/classroom.js'
import { names, only } from '../support/folder.js'
import { readCsv, students, writeLimits, writeRoster } from '../support/people.js'
import { query } from '../support/sqlite.js'

const room = useClassroom()
const people = students(40)
const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const

beforeEach(async () => {
  await room.ok(InitDb)
  writeRoster(people)
})

/** Lets a signal come while OpenRouter answers the nth request of a kind. */
function signalAt(method: string, nth: number, signal: NodeJS.Signals) {
  return room.sandbox.faults.add({
    method,
    nth,
    effect: { kind: 'before', run: () => void process.emit(signal, signal) },
  })
}

describe.each(SIGNALS)('%s while keys are made', (signal, code) => {
  test('starts nothing new, brings home what is under way, writes the CSV, and says how far it got', async () => {
    signalAt('POST', 10, signal)
    const { stdout, stderr, exitCode } = await room.run(Provision)
    expect(exitCode).toBe(code)
    const made = room.sandbox.state.keys()
    expect(made.length).toBeGreaterThanOrEqual(10)
    expect(made.length).toBeLessThanOrEqual(17)
    // Every key that is there has its secret in the ledger and in the file.
    const secrets = new Set(made.map((key) => key.secret))
    expect(new Set(query('keys.db', 'SELECT secret FROM secret').map((row) => row.secret))).toEqual(secrets)
    expect(new Set(readCsv(only(/^api_keys_/)).map((row) => row.api_key))).toEqual(secrets)
    expect(stderr).toContain('Stopping: nothing new is started. Ctrl-C again ends at once.')
    expect(stderr).toContain(
      `Interrupted: ${made.length} of 40 students are done; run the same command again to go on.`,
    )
    expect(stdout).toContain(`Not tried: ${40 - made.length}\n`)
    expect(names().filter((name) => /^(limits|snapshot)/.test(name))).toEqual([])

    room.sandbox.faults.clear()
    const { json } = await room.ok(Provision, '--json')
    expect(json.counts).toEqual({ created: 40 - made.length, 'already had one': made.length })
    expect(room.sandbox.state.keys()).toHaveLength(40)
  })

  test('is told to a script by the same exit code, and one JSON document', async () => {
    signalAt('POST', 3, signal)
    const { json, exitCode, stderr } = await room.run(Provision, '--json')
    expect(exitCode).toBe(code)
    expect(stderr).toBe('')
    expect(json.counts.created + json.counts['not tried']).toBe(40)
    expect(json.files).toEqual({ apiKeys: only(/^api_keys_/) })
    expect(json.stopped).toEqual({
      code: 'interrupted',
      message: `Interrupted: ${json.counts.created} of 40 students are done; run the same command again to go on.`,
    })
  })
})

test('a signal while the list is read ends the run at once, with nothing changed', async () => {
  signalAt('GET', 1, 'SIGINT')
  const { stderr, exitCode } = await room.run(Provision)
  expect(exitCode).toBe(130)
  expect(stderr).toContain('Error: Interrupted; nothing was changed.')
  expect(room.requests('POST')).toEqual([])
  room.sandbox.faults.clear()
  await room.ok(Provision)
})

describe.each([
  ['check', Check, []],
  ['refresh-limits-file', RefreshLimitsFile, []],
  ['show', Show, [people[0]?.email ?? '']],
] as const)('a signal while %s waits for OpenRouter', (_, command, args) => {
  test.each([...SIGNALS, ['SIGHUP', 129] as const])(
    '%s: ends it with nothing half done',
    async (signal, code) => {
      await room.ok(Provision)
      const before = names()
      const ledger = query('keys.db', 'SELECT count(*) AS n FROM usage')
      signalAt('GET', 1, signal)
      const { exitCode, json, stderr } = await room.run(command, ...args, '--json')
      const message = 'Interrupted; nothing was changed.'
      expect([exitCode, json, stderr]).toEqual([
        code,
        { error: { code: 'interrupted', message, exitCode: code } },
        '',
      ])
      signalAt('GET', 1, signal)
      const plain = await room.run(command, ...args)
      expect([plain.exitCode, plain.stdout]).toEqual([code, ''])
      expect(plain.stderr).toContain(`Error: ${message}\n`)
      expect(names()).toEqual(before)
      expect(query('keys.db', 'SELECT count(*) AS n FROM usage')).toEqual(ledger)
      room.sandbox.faults.clear()
      await room.ok(command, ...args)
    },
  )
})

test('a signal while limits are changed: what was changed is in the changelog, the rest is done by the next run', async () => {
  for (const each of people) room.giveKey(each)
  await room.ok(RefreshLimitsFile)
  writeLimits(people.map((each) => ({ email: each.email, target_limit: '5' })))
  signalAt('PATCH', 10, 'SIGINT')
  const { exitCode, json } = await room.run(Update, '--json')
  expect(exitCode).toBe(130)
  const changed = room.sandbox.state.keys().filter((key) => key.limit === 5).length
  expect(changed).toBeLessThan(40)
  expect(json.counts).toEqual({ updated: changed, 'not tried': 40 - changed })
  room.sandbox.faults.clear()
  await room.ok(Update)
  expect(room.sandbox.state.keys().every((key) => key.limit === 5)).toBe(true)
  expect(query('keys.db', 'SELECT action, count(*) AS n FROM changelog GROUP BY action')).toEqual([
    { action: 'update_limit', n: 40 },
  ])
})

test('no listener for signals is left behind by a run, however it ends', async () => {
  const counts = () => ['SIGINT', 'SIGTERM', 'SIGHUP'].map((name) => process.listenerCount(name))
  const before = counts()
  await room.ok(Provision)
  room.sandbox.faults.add({ effect: { kind: 'error', status: 401 } })
  expect((await room.run(Provision)).exitCode).toBe(1)
  expect((await room.run(Update)).exitCode).toBe(1)
  expect((await room.run(Provision, '--roster', 'no-such-file.csv')).exitCode).toBe(2)
  for (const command of [Check, RefreshLimitsFile]) expect((await room.run(command)).exitCode).toBe(1)
  expect((await room.run(Show, 'nobody')).exitCode).toBe(2)
  expect(counts()).toEqual(before)
})
