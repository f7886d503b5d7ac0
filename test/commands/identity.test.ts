import { readFileSync, writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import RefreshLimitsFile from '../../src/commands/refresh-limits-file.js'
import Update from '../../src/commands/update.js'
import { useClassroom } from '../support/classroom.js'
import { hurry } from '../support/hurry.js'
import { editLimits, readCsv, student, writeRoster } from '../support/people.js'
import { execute, query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal] = [student(1), student(2)]
const keysOf = (mqId: string) => room.sandbox.state.keys().filter((key) => key.name.endsWith(mqId))
const enabled = () => room.sandbox.state.keys().filter((key) => !key.disabled)

beforeEach(async () => {
  await room.ok(InitDb)
  writeRoster([ada, bilal])
})

describe('whose a key is', () => {
  test('is told by its hash where somebody has renamed it: nobody gets a second one', async () => {
    await room.ok(Provision)
    room.sandbox.state.editKey(keysOf(ada.mq_id)[0]?.hash ?? '', { name: 'an old laptop' })
    const { stdout, json } = await room.ok(Provision).then(async ({ stdout }) => ({
      stdout,
      json: (await room.ok(Provision, '--json')).json,
    }))
    expect(enabled()).toHaveLength(2)
    expect(stdout).toMatch(/their key is called “an old laptop” in OpenRouter/)
    expect(json).toMatchObject({ counts: { 'already had one': 2 }, renamed: [{ mqId: ada.mq_id }] })
  })

  test('is not told by a row of limits.csv whose columns were sorted apart', async () => {
    await room.ok(Provision)
    const [adas, bilals] = [keysOf(ada.mq_id)[0]?.hash ?? '', keysOf(bilal.mq_id)[0]?.hash ?? '']
    const swapped = readFileSync('limits.csv', 'utf8').replaceAll(adas, 'SWAP').replaceAll(bilals, adas)
    writeFileSync('limits.csv', swapped.replaceAll('SWAP', bilals))
    editLimits({ [ada.email]: { target_limit: '99' } })
    room.sandbox.state.requests.length = 0
    // Every command that would go by the file refuses it, and changes nothing.
    for (const command of [Update, RefreshLimitsFile, Provision]) {
      const before = readFileSync('limits.csv', 'utf8')
      const { stderr, exitCode } = await room.run(command)
      expect([command.name, exitCode]).toEqual([command.name, 2])
      expect(stderr).toContain(
        'Error: limits.csv has 2 problems. Nothing was changed, and the file is as it was.',
      )
      expect(stderr).toMatch(
        /line 2, mq_id, "48200001": its hash is of a key of 48200002; were the columns sorted apart\?/,
      )
      expect(readFileSync('limits.csv', 'utf8')).toBe(before)
    }
    expect(new Set(room.requests().map(({ method }) => method))).toEqual(new Set(['GET']))
  })

  test('is told by the hash in a row from whose MQ ID a spreadsheet has taken the zeros', async () => {
    const zoe = { ...student(3), mq_id: '0042' }
    writeRoster([zoe])
    await room.ok(Provision)
    writeFileSync('limits.csv', readFileSync('limits.csv', 'utf8').replace(',0042,', ',42,'))
    editLimits({ [zoe.email]: { target_limit: '2' } })
    await room.ok(Update)
    expect(keysOf('0042')).toMatchObject([{ limit: 2 }])
    expect(readCsv('limits.csv')).toMatchObject([{ mq_id: '0042', target_limit: '2', actual_limit: '2.00' }])
  })
})

describe('a creation in doubt', () => {
  test('of days ago claims no key that was made since, and gives nobody a second one: a person has to look', async () => {
    await room.ok(Provision)
    execute(
      'keys.db',
      "UPDATE creation SET state = 'open', key_hash = NULL, intended_at = intended_at - 144000000",
    )
    execute('keys.db', 'DELETE FROM secret')
    const before = room.sandbox.state.keys().map((key) => key.hash)
    const { stdout, exitCode } = await room.run(Provision)
    expect(exitCode).toBe(3)
    expect(room.requests('DELETE')).toEqual([])
    expect(room.sandbox.state.keys().map((key) => key.hash)).toEqual(before)
    expect(stdout).toMatch(/In doubt: 2\n/)
    expect(stdout).toMatch(
      /left alone, since there is a key of that name, but it was made at another time\. Look at/,
    )
    expect(stdout).toMatch(/2 students have keys whose secrets are not in this ledger/)
  })

  test('whose key cannot be deleted keeps its student waiting, also where the roster spells the MQ ID anew', async () => {
    hurry()
    const eve = { ...ada, mq_id: 'ab1' }
    writeRoster([eve])
    room.sandbox.faults.add({ method: 'POST', effect: { kind: 'lose-answer' } })
    room.sandbox.faults.add({ method: 'DELETE', effect: { kind: 'error', status: 400 } })
    await room.run(Provision)
    room.sandbox.faults.clear()
    room.sandbox.faults.add({ method: 'DELETE', effect: { kind: 'error', status: 400 } })
    writeRoster([{ ...eve, mq_id: 'AB1' }])
    const { exitCode, json } = await room.run(Provision, '--json')
    expect(exitCode).toBe(3)
    expect(json.counts).toEqual({ failed: 1 })
    expect(enabled()).toHaveLength(1)
    room.sandbox.faults.clear()
    await room.ok(Provision)
    expect(enabled()).toHaveLength(1)
  })
})

describe('an update that ends early', () => {
  test('does not hide from check what others change at the keys that it never came to', async () => {
    await room.ok(Provision)
    editLimits({ [ada.email]: { target_limit: '7' }, [bilal.email]: { target_limit: '7' } })
    room.sandbox.faults.add({ method: 'PATCH', effect: { kind: 'error', status: 401 } })
    await room.run(Update, '--concurrency', '1')
    room.sandbox.faults.clear()
    for (const key of room.sandbox.state.keys()) room.sandbox.state.editKey(key.hash, { limit: 900 })
    const { json } = await room.ok(Check, '--json')
    expect(json.drift).toHaveLength(2)
    expect(query('keys.db', 'SELECT credit_limit FROM key')).toEqual([
      { credit_limit: 900 },
      { credit_limit: 900 },
    ])
  })

  test('writes down what it changes for somebody who is no longer on the roster', async () => {
    await room.ok(Provision)
    writeRoster([bilal])
    editLimits({ [ada.email]: { target_limit: '7' } })
    await room.ok(Update)
    expect(query('keys.db', "SELECT new_value FROM changelog WHERE action = 'update_limit'")).toHaveLength(1)
  })
})

describe('limits.csv', () => {
  test('that cannot be written is found out before the first key is made', async () => {
    const { exitCode } = await room.run(Provision, '--limits', 'nowhere/limits.csv')
    expect(exitCode).toBe(1)
    expect(room.sandbox.state.keys()).toEqual([])
  })

  test('keeps what the instructor saves while a run is at work', async () => {
    await room.ok(Provision)
    writeRoster([ada, bilal, student(3)])
    room.sandbox.faults.add({
      method: 'POST',
      effect: { kind: 'before', run: () => editLimits({ [ada.email]: { target_limit: '50' } }) },
    })
    await room.ok(Provision)
    expect(readCsv('limits.csv').find((row) => row.email === ada.email)?.target_limit).toBe('50')
    expect(readCsv('limits.csv')).toHaveLength(3)
  })
})
