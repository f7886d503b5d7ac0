import { describe, expect, test } from 'vitest'
import Check from '../../src/commands/check.js'
import ExportKeys from '../../src/commands/export-keys.js'
import History from '../../src/commands/history.js'
import Offboard from '../../src/commands/offboard.js'
import Provision from '../../src/commands/provision.js'
import Rotate from '../../src/commands/rotate.js'
import Show from '../../src/commands/show.js'
import Update from '../../src/commands/update.js'
import { useClassroom } from '../support/classroom.js'
import { only } from '../support/folder.js'
import { editLimits, keyNameOf, readCsv, student, writeRoster } from '../support/people.js'
import { DIALECTS, everyCell, writePythonLedger } from '../support/python-ledger.js'
import { columnsOf, query } from '../support/sqlite.js'

/*
 * A ledger that the Python tool has kept lives on with all that came after it. Each dialect is one in which its
 * tables may have been declared.
 */

const room = useClassroom()
const [ada, bilal, chiara] = [student(1), student(2), student(3)]

/** Three students, each with a key that the Python tool has made, and whose secret it has not kept. */
function pythonTerm(dialect: keyof typeof DIALECTS) {
  const keys = [ada, bilal, chiara].map((of) => room.giveKey(of, { limit: 3, usage: 1 }))
  writePythonLedger('keys.db', {
    dialect,
    students: [ada, bilal, chiara].map((of) => ({
      email: of.email,
      first: of.first_name,
      last: of.last_name,
      mqId: of.mq_id,
    })),
    keys: [ada, bilal, chiara].map((of, i) => ({
      hash: keys[i]?.hash ?? '',
      email: of.email,
      name: keyNameOf(of),
      limit: 3,
    })),
    changelog: [{ hash: keys[0]?.hash ?? '', action: 'provisioned', new: '3.0' }],
  })
  writeRoster([ada, bilal, chiara])
  return keys
}

const TABLES = ['student', 'key', 'usage', 'changelog', 'schema_version']
const enabled = () =>
  room.sandbox.state
    .keys()
    .filter((key) => !key.disabled)
    .map(({ secret }) => secret)
    .sort()

describe.each(Object.keys(DIALECTS) as (keyof typeof DIALECTS)[])('a ledger %s', (dialect) => {
  test('gets its secrets by rotate --lost, and stays readable', async () => {
    pythonTerm(dialect)
    const columns = TABLES.map((table) => columnsOf('keys.db', table))
    const before = everyCell('keys.db')
    const { json } = await room.ok(Rotate, '--lost', '--yes', '--json')
    expect(json.counts).toEqual({ rotated: 3 })
    // What was left of each budget, under new keys; the old ones are out of use.
    expect(room.sandbox.state.keys().map(({ limit, disabled }) => [limit, disabled])).toEqual([
      ...[2, 2, 2].map((limit) => [limit, false]),
      ...[3, 3, 3].map((limit) => [limit, true]),
    ])
    await room.ok(ExportKeys, '--output', 'all.csv')
    const live = readCsv('all.csv').filter((row) => row.disabled === 'false')
    expect(live.map((row) => row.api_key).sort()).toEqual(enabled())
    expect(TABLES.map((table) => columnsOf('keys.db', table))).toEqual(columns)
    const after = everyCell('keys.db')
    expect(after.changelog?.slice(0, before.changelog?.length)).toEqual(before.changelog)
    expect(after.student).toEqual(before.student)
    // Again: nobody's secret is missing any more.
    const again = await room.ok(Rotate, '--lost', '--yes', '--json')
    expect(again.json.counts).toEqual({})
  })

  test('loses a student and gets them back', async () => {
    const [, bilals] = pythonTerm(dialect)
    await room.ok(Check)
    writeRoster([ada, chiara])
    const { json } = await room.ok(Offboard, '--yes', '--json')
    expect(json.counts).toEqual({ disabled: 1 })
    expect(room.sandbox.state.key(bilals?.hash ?? '')?.disabled).toBe(true)
    writeRoster([ada, bilal, chiara])
    const back = await room.ok(Provision, '--yes', '--json')
    expect(back.json.counts).toEqual({ enabled: 1, 'already had one': 2 })
    expect(room.sandbox.state.key(bilals?.hash ?? '')?.disabled).toBe(false)
  })

  test('ends with its term', async () => {
    pythonTerm(dialect)
    const { json } = await room.ok(Offboard, '--end-of-term', '--yes', '--json')
    expect(json.counts).toEqual({ disabled: 3 })
    expect(readCsv(only(/^usage_/)).map((row) => row.usage)).toEqual(['1.00', '1.00', '1.00'])
    const deleted = await room.ok(Offboard, '--end-of-term', '--delete', '--yes', '--json')
    expect(deleted.json.counts).toEqual({ deleted: 3 })
    expect(room.sandbox.state.keys()).toEqual([])
    const { stdout } = await room.ok(History, ada.mq_id)
    expect(stdout).toMatch(/the key was deleted\n.*the key was disabled\n/)
    expect(query('keys.db', 'SELECT count(*) AS n FROM key')).toEqual([{ n: 3 }])
  })

  test('has its reset periods changed, which it never knew', async () => {
    const [adas] = pythonTerm(dialect)
    room.sandbox.state.editKey(adas?.hash ?? '', { limit_reset: 'daily' })
    await room.ok(Provision)
    editLimits({ [ada.email]: { target_limit_reset: 'weekly', target_limit: '+2' } })
    await room.ok(Update)
    expect(room.sandbox.state.key(adas?.hash ?? '')).toMatchObject({ limit: 5, limit_reset: 'weekly' })
    expect(
      query('keys.db', 'SELECT action, old_value, new_value FROM changelog WHERE id > 1 ORDER BY id').map(
        Object.values,
      ),
    ).toEqual([
      ['update_limit', '3.00', '5.00'],
      ['update_limit_reset', 'daily', 'weekly'],
    ])
  })
})

test('a key without a name is called by the beginning of its hash', async () => {
  const [named, gone] = [room.giveKey(ada), 'a1b2c3d4'.repeat(8)]
  writePythonLedger('keys.db', {
    dialect: 'declared with hardly any constraint',
    students: [ada, bilal].map((of) => ({
      email: of.email,
      first: of.first_name,
      last: of.last_name,
      mqId: of.mq_id,
    })),
    keys: [
      { hash: named.hash, email: ada.email, name: null, limit: 3 },
      { hash: gone, email: bilal.email, name: null, limit: 3 },
    ],
  })
  writeRoster([ada, bilal])
  const { stdout } = await room.ok(Check)
  expect(stdout).toContain(
    'Changed without class-keys: key a1b2c3d4…: the key was removed from OpenRouter.\n',
  )
  expect(stdout).toContain(`: the key was named ${named.name}.\n`)
  expect(stdout).not.toContain('null')
  for (const of of [ada, bilal]) {
    expect((await room.ok(Show, of.email)).stdout).not.toContain('null')
    expect((await room.ok(History, of.email)).stdout).not.toContain('null')
  }
})
