import { expect, test } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Offboard from '../../src/commands/offboard.js'
import Provision from '../../src/commands/provision.js'
import RefreshLimitsFile from '../../src/commands/refresh-limits-file.js'
import Rotate from '../../src/commands/rotate.js'
import Update from '../../src/commands/update.js'
import { useClassroom } from '../support/classroom.js'
import { names } from '../support/folder.js'
import { students, writeRoster } from '../support/people.js'
import { query } from '../support/sqlite.js'

/*
 * A management key of another account, or a sandbox that is still exported: none of the class's keys is there.
 */

const room = useClassroom()

async function provisioned(n: number) {
  await room.ok(InitDb)
  writeRoster(students(n))
  await room.ok(Provision)
}

const elsewhere = () => {
  room.replaceSandbox({})
  room.sandbox.state.addKey({ name: "somebody else's" })
}
const known = () => query('keys.db', 'SELECT gone_at FROM key_state')

test('is refused by every command before anything is written or made', async () => {
  await provisioned(10)
  elsewhere()
  const files = names()
  const before = known()
  for (const [command, ...argv] of [
    [Check],
    [Provision],
    [Provision, '--dry-run'],
    [Update],
    [RefreshLimitsFile],
    [Rotate, '--all', '--yes', '--force'],
    [Offboard, '--yes', '--force'],
  ] as const) {
    const { exitCode, stderr } = await room.run(command, ...argv)
    expect([command.name, exitCode]).toEqual([command.name, 4])
    expect(stderr).toContain(
      "None of the 10 keys of keys.db is in this account. Is the management key another account's, or does OPENROUTER_BASE_URL point elsewhere? Nothing was changed.",
    )
  }
  expect(new Set(room.requests().map(({ method }) => method))).toEqual(new Set(['GET']))
  expect([names(), known()]).toEqual([files, before])
  expect(query('keys.db', "SELECT count(*) AS n FROM changelog WHERE action = 'observed_gone'")).toEqual([
    { n: 0 },
  ])
})

test('--all-gone believes it, and provision makes the class anew', async () => {
  await provisioned(10)
  elsewhere()
  const { json } = await room.ok(Check, '--all-gone', '--json')
  expect(json.drift.filter(({ action }: { action: string }) => action === 'observed_gone')).toHaveLength(10)
  expect((await room.ok(Provision, '--json')).json.counts).toEqual({ created: 10 })
})

test.each([
  ['one key is there', 10, 1],
  ['the class is small', 9, 0],
])('where %s, the others are gone', async (_, n, there) => {
  await provisioned(n)
  for (const key of room.sandbox.state.keys().slice(there)) room.sandbox.state.deleteKey(key.hash)
  const { json } = await room.ok(Check, '--json')
  expect(json.drift).toHaveLength(n - there)
})
