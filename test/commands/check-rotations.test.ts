import { expect, test, vi } from 'vitest'
import Check from '../../src/commands/check.js'
import History from '../../src/commands/history.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import Rotate from '../../src/commands/rotate.js'
import { useClassroom } from '../support/classroom.js'
import { student, writeRoster } from '../support/people.js'

const room = useClassroom()
const ada = student(1)

async function rotated(...flags: string[]): Promise<string> {
  await room.ok(InitDb)
  writeRoster([ada])
  await room.ok(Provision)
  const [old] = room.sandbox.state.keys()
  await room.ok(Rotate, ada.email, '--yes', ...flags)
  return old?.hash ?? ''
}

test('a key that is kept beside its newer one is shown with its day, and is no duplicate', async () => {
  vi.useFakeTimers({ now: new Date(2026, 2, 2, 10), toFake: ['Date'] })
  try {
    const old = await rotated('--keep-old', '7')
    const { json } = await room.ok(Check, '--json')
    expect(json.duplicates).toEqual([])
    expect(json.replaced).toMatchObject([{ email: ada.email, hash: old }])
    const { stdout } = await room.ok(Check)
    expect(stdout).toContain('stays in use until 2026-03-09 10:00. After that, class-keys rotate')
    expect(stdout).not.toContain('enabled key')
  } finally {
    vi.useRealTimers()
  }
})

test('a third key that somebody made is one too many all the same', async () => {
  const old = await rotated('--keep-old', '7')
  const extra = room.giveKey(ada)
  const { json } = await room.ok(Check, '--json')
  expect(json.duplicates).toHaveLength(1)
  expect(json.duplicates[0].hashes).toContain(extra.hash)
  expect(json.duplicates[0].hashes).not.toContain(old)
})

test('once the old key is out of use there is nothing to show, and the history tells what happened', async () => {
  await rotated()
  const { json } = await room.ok(Check, '--json')
  expect([json.duplicates, json.replaced]).toEqual([[], []])
  const { stdout } = await room.ok(History)
  const sentences = stdout
    .trim()
    .split('\n')
    .map((line) => line.replace(/^.*\): /, ''))
  expect(sentences[0]).toBe('the key was disabled')
  expect(sentences.slice(1).sort()).toEqual([
    'a key was made with a limit of $3.00',
    'a key was made with a limit of $3.00',
    'a newer key was made in its place',
  ])
})
