import { mkdirSync, rmdirSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Offboard from '../../src/commands/offboard.js'
import Provision from '../../src/commands/provision.js'
import RefreshLimitsFile from '../../src/commands/refresh-limits-file.js'
import Rotate from '../../src/commands/rotate.js'
import Update from '../../src/commands/update.js'
import { useClassroom } from '../support/classroom.js'
import type { CommandClass } from '../support/command.js'
import { student, writeRoster } from '../support/people.js'
import { query } from '../support/sqlite.js'

const room = useClassroom()
const [ada, bilal] = [student(1), student(2)]

/** Everything that reads all keys, with words by which it gets through. */
const READERS: [name: string, command: CommandClass, argv: string[]][] = [
  ['provision', Provision, []],
  ['update', Update, []],
  ['rotate', Rotate, [ada.email, '--yes']],
  ['offboard', Offboard, ['--yes']],
  ['refresh-limits-file', RefreshLimitsFile, []],
]

const keyOf = (mqId: string) => {
  const key = room.sandbox.state.keys().find(({ name }) => name.endsWith(mqId))
  if (!key) throw new Error(`${mqId} has no key`)
  return key
}
const observed = () =>
  query('keys.db', "SELECT action FROM changelog WHERE action LIKE 'observed%'").map(({ action }) => action)

beforeEach(async () => {
  await room.ok(InitDb)
  writeRoster([ada, bilal])
  await room.ok(Provision)
  await room.ok(Check)
})

describe.each(READERS)('a change in the dashboard that %s is the first to see', (_, command, argv) => {
  beforeEach(() => {
    room.sandbox.state.editKey(keyOf(bilal.mq_id).hash, { limit: 500 })
  })

  test('is told there', async () => {
    const { stdout } = await room.ok(command, ...argv)
    expect(stdout).toContain('Changed without class-keys: ')
    expect(stdout).toContain(': the limit was changed from $3.00 to $500.00.')
  })

  test('is in its --json', async () => {
    const { json } = await room.ok(command, ...argv, '--json')
    expect(json.drift).toMatchObject([{ action: 'observed_limit', oldValue: '3.00', newValue: '500.00' }])
  })

  test('is told by the next check as well, and no more by the one after that', async () => {
    await room.ok(command, ...argv)
    const first = await room.run(Check, '--exit-code', '--json')
    expect([first.exitCode, first.json.drift]).toMatchObject([3, [{ action: 'observed_limit' }]])
    const second = await room.ok(Check, '--exit-code', '--json')
    expect(second.json.drift).toEqual([])
    expect(observed()).toEqual(['observed_limit'])
  })
})

test.each(READERS.filter(([name]) => name !== 'refresh-limits-file'))(
  'a dry run of %s tells it, and leaves it to be told again',
  async (_, command, argv) => {
    room.sandbox.state.editKey(keyOf(bilal.mq_id).hash, { disabled: true })
    const { stdout } = await room.ok(command, ...argv, '--dry-run')
    expect(stdout).toContain(': the key was disabled.')
    expect(observed()).toEqual([])
    const { json } = await room.ok(Check, '--json')
    expect(json.drift).toHaveLength(1)
  },
)

test('nothing is said where nothing has changed', async () => {
  for (const [, command, argv] of READERS) {
    const { stdout } = await room.ok(command, ...argv)
    expect(stdout).not.toContain('Changed without')
  }
  expect(observed()).toEqual([])
})

test('what a check could not tell, since it failed, is told by the next one', async () => {
  room.sandbox.state.deleteKey(keyOf(bilal.mq_id).hash)
  // The snapshot goes into the working directory: one that is gone cannot be written to.
  const here = process.cwd()
  mkdirSync('empty')
  process.chdir('empty')
  rmdirSync('../empty')
  const paths = ['--db', `${here}/keys.db`, '--roster', `${here}/roster.csv`]
  const failed = await room.run(Check, ...paths).finally(() => process.chdir(here))
  expect(failed.exitCode).not.toBe(0)
  const { json } = await room.ok(Check, '--json')
  expect(json.drift).toMatchObject([{ action: 'observed_gone' }])
})

test('a renamed key is told by the name it has now', async () => {
  const { hash } = keyOf(bilal.mq_id)
  room.sandbox.state.editKey(hash, { name: `20260219_Renamed Marsh_${bilal.mq_id}` })
  await room.ok(Provision)
  const { stdout } = await room.ok(Check)
  expect(stdout).toMatch(/: the key was renamed from \d{8}_Bilal Quill2_\d+ to 20260219_Renamed Marsh_\d+\./)
})
