import { beforeEach, describe, expect, test } from 'vitest'
import InitDb from '../../src/commands/init-db.js'
import Offboard from '../../src/commands/offboard.js'
import Provision from '../../src/commands/provision.js'
import { useClassroom } from '../support/classroom.js'
import { names, only } from '../support/folder.js'
import { type RosterLine, readCsv, student, writeRoster } from '../support/people.js'
import { execute, query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal, chiara] = [student(1), student(2), student(3)]

/** Ada has a key, Bilal is back, and Chiara is new. */
beforeEach(async () => {
  room.sandbox.state.addGuardrail({ name: 'Small models' })
  await room.ok(InitDb)
  writeRoster([ada, bilal])
  await room.ok(Provision)
  writeRoster([ada])
  await room.ok(Offboard, '--yes')
  writeRoster([ada, bilal, chiara])
})

const keyOf = ({ mq_id }: RosterLine) => {
  const keys = room.sandbox.state.keys().filter(({ name }) => name.endsWith(`_${mq_id}`))
  expect(keys).toHaveLength(1)
  return keys[0]
}

const ofChiara = () => ({ email: chiara.email, api_key: keyOf(chiara)?.secret })

/** Lets the ledger refuse to write something, as a disk does that is full. */
const refuse = (what: string) =>
  execute('keys.db', `CREATE TRIGGER refuse BEFORE ${what} BEGIN SELECT RAISE(ABORT, 'no room'); END`)
const recover = () => execute('keys.db', 'DROP TRIGGER refuse')

const outcomes = (json: { students: { email: string; outcome: string }[] }) =>
  json.students.map(({ outcome }) => outcome)

describe('the ledger cannot be written', () => {
  test.each([
    ['what is about to be enabled', 'INSERT ON pending_change', ['already had one', 'not tried', 'created']],
    [
      'that the key was enabled',
      "INSERT ON changelog WHEN NEW.action = 'update_disabled'",
      ['already had one', 'in doubt', 'created'],
    ],
    [
      'that the guardrail was assigned',
      "INSERT ON changelog WHEN NEW.action = 'assign_guardrail'",
      ['already had one', 'enabled', 'created'],
    ],
  ])('%s: the new key’s secret is in the file, and everybody is told of', async (_, what, expected) => {
    refuse(what)
    const { json, exitCode } = await room.run(Provision, '--yes', '--json', '--guardrail', 'Small models')
    expect([exitCode, outcomes(json)]).toEqual([1, expected])
    expect(json.stopped).toMatchObject({ message: expect.stringMatching(/keys\.db|no room/) })
    expect(json.files).toEqual({ apiKeys: expect.stringMatching(/^api_keys_/) })
    expect(readCsv(json.files.apiKeys)).toMatchObject([ofChiara()])
    recover()
    const again = await room.ok(Provision, '--yes', '--json')
    expect(again.json.files.apiKeys).toBeUndefined()
    expect(keyOf(bilal)?.disabled).toBe(false)
    expect(keyOf(chiara)).toBeDefined()
    const log = "SELECT count(*) AS n FROM changelog WHERE action = 'update_disabled' AND new_value = 'false'"
    expect(query('keys.db', log)).toEqual([{ n: 1 }])
    expect(query('keys.db', "SELECT count(*) AS n FROM changelog WHERE action LIKE 'observed%'")).toEqual([
      { n: 0 },
    ])
    expect((await room.ok(Provision, '--json')).json.plan.changes).toEqual([])
  })

  test('the intent of the new key: nothing is made, and nobody is enabled', async () => {
    refuse('INSERT ON creation')
    room.sandbox.state.requests.length = 0
    const { json, exitCode } = await room.run(Provision, '--yes', '--json')
    expect([exitCode, outcomes(json)]).toEqual([1, ['already had one', 'not tried', 'not tried']])
    expect(room.requests().every(({ method }) => method === 'GET')).toBe(true)
    recover()
    expect((await room.ok(Provision, '--yes', '--json')).json.counts).toEqual({
      'already had one': 1,
      enabled: 1,
      created: 1,
    })
  })

  test('the secret of the new key: it is in doubt, and the next run heals it', async () => {
    refuse('INSERT ON secret')
    const { json, exitCode } = await room.run(Provision, '--yes', '--json')
    expect([exitCode, outcomes(json)]).toEqual([1, ['already had one', 'not tried', 'in doubt']])
    expect(json.files).toEqual({})
    recover()
    const again = await room.ok(Provision, '--yes', '--json')
    expect(again.json.counts).toEqual({ 'already had one': 1, enabled: 1, healed: 1 })
    expect(readCsv(again.json.files.apiKeys)).toMatchObject([ofChiara()])
  })

  test('that the secrets were handed out: the file is there, and is named', async () => {
    refuse('UPDATE ON secret')
    const { json, exitCode, stdout } = await room.run(Provision, '--yes', '--json')
    expect([exitCode, outcomes(json)]).toEqual([1, ['already had one', 'enabled', 'created']])
    expect(stdout).toContain('"apiKeys"')
    expect(names()).toContain(json.files.apiKeys)
    recover()
    // Handed out once too often is better than never.
    const again = await room.ok(Provision, '--json')
    expect(again.json.recovered).toBe(1)
    expect(readCsv(again.json.files.apiKeys)).toMatchObject([ofChiara()])
  })

  test('a person is told what was done, and that the same command goes on', async () => {
    refuse("INSERT ON changelog WHEN NEW.action = 'update_disabled'")
    const { stdout, stderr, exitCode } = await room.run(Provision, '--yes')
    expect(exitCode).toBe(1)
    expect(stdout).toContain('Created: 1\n')
    expect(stdout).toContain(`Bilal Quill2 (${bilal.email}): in doubt`)
    expect(stdout).toContain('API keys: ')
    expect(stderr).toMatch(/2 of 3 students are done; run the same command again to go on\.\n$/)
    expect(stderr).toContain('not written, since the run ended early')
    expect(only(/^limits\.csv$/)).toBe('limits.csv')
  })
})
