import { beforeEach, describe, expect, test } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Offboard from '../../src/commands/offboard.js'
import Provision from '../../src/commands/provision.js'
import RefreshLimitsFile from '../../src/commands/refresh-limits-file.js'
import Update from '../../src/commands/update.js'
import { useClassroom } from '../support/classroom.js'
import { type RosterLine, student, writeRoster } from '../support/people.js'

const room = useClassroom()
const ada = student(1, { mq_id: '0048200001' })
const bilal = student(2)

let old: { name: string; hash: string } = { name: '', hash: '' }
beforeEach(async () => {
  await room.ok(InitDb)
  writeRoster([ada, bilal])
  await room.ok(Provision)
  old = room.sandbox.state.keys().find(({ name }) => name.endsWith(`_${ada.mq_id}`)) ?? old
  room.sandbox.state.requests.length = 0
})
const creations = () => room.requests('POST')

/** Ada as she is on the roster from now on, with what she has in common with the one who has the key. */
const AGAIN: [string, RosterLine, 'address' | 'mq_id' | 'name', string][] = [
  ['another MQ ID', { ...ada, mq_id: '49999999' }, 'address', 'the same address'],
  [
    'another MQ ID, and the address in capitals',
    { ...ada, mq_id: '49999999', email: ada.email.toUpperCase() },
    'address',
    'the same address',
  ],
  [
    'the leading zeros lost in a spreadsheet, and another address',
    { ...ada, mq_id: '48200001', email: 'new@students.example.edu', last_name: 'Q' },
    'mq_id',
    'the same MQ ID apart from leading zeros',
  ],
  [
    'another MQ ID and another address',
    { ...ada, mq_id: '49999999', email: 'new@students.example.edu' },
    'name',
    'the same name',
  ],
]
const LIKELY = AGAIN.filter(([, , because]) => because !== 'name')

describe.each(AGAIN)('a student with %s', (_, again, because, words) => {
  beforeEach(() => writeRoster([again, bilal]))

  test('is pointed out, with what to do', async () => {
    const { json } = await room.ok(Provision, '--dry-run', '--json')
    expect(json.secondKeys).toMatchObject([{ mqId: again.mq_id, keyName: old.name, hash: old.hash, because }])
    const { stdout } = await room.ok(Provision, '--dry-run')
    expect(stdout).toContain(
      `seems to have a key already: ${old.name} is of somebody with ${words} who is not on the roster. Was the MQ ID changed? If the old one is right, put it back into the roster. If the new one is, give that key a name that ends in _${again.mq_id} in OpenRouter; it is theirs then.\n`,
    )
  })

  test('has the old key where that is given a name that ends in the new MQ ID: every command agrees', async () => {
    room.sandbox.state.editKey(old.hash, { name: `20260219_Ada Quill1_${again.mq_id}` })
    const { json } = await room.ok(Provision, '--json')
    expect([json.counts, json.plan.secondKeys]).toEqual([{ 'already had one': 2 }, []])
    const { json: check } = await room.ok(Check, '--json')
    expect(check.counts).toMatchObject({ matched: 2, orphaned: 0, keyless: 0 })
    await room.ok(RefreshLimitsFile)
    await room.ok(Update)
    expect((await room.ok(Offboard, '--json')).json.plan.changes).toEqual([])
  })
})

describe.each(LIKELY)('a second key for a student with %s', (_, again) => {
  beforeEach(() => writeRoster([again, bilal]))

  test('is asked about, also by the next run, and whatever check has seen before', async () => {
    await room.ok(Check)
    for (let n = 0; n < 2; n++) {
      const { exitCode, stderr, stdout } = await room.run(Provision)
      expect([exitCode, creations()]).toEqual([4, []])
      expect(stderr).toContain('This plan makes a second key for a student whose MQ ID has changed')
      expect(stdout).toContain('seems to have a key already')
      await room.ok(Check)
      await room.ok(RefreshLimitsFile)
    }
  })

  test('has the old key where the old MQ ID is put back', async () => {
    await room.run(Provision)
    writeRoster([ada, bilal])
    expect((await room.ok(Provision, '--json')).json.counts).toEqual({ 'already had one': 2 })
  })

  test('is made after a yes, once', async () => {
    await room.ok(Provision, '--yes')
    expect(creations()).toHaveLength(1)
    const { json } = await room.ok(Provision, '--json')
    expect(json.counts).toEqual({ 'already had one': 2 })
  })
})

test('a student of the same name is pointed out and not asked about: it may be somebody else', async () => {
  const [, again] = AGAIN[3] as (typeof AGAIN)[number]
  writeRoster([again, bilal])
  const { json } = await room.ok(Provision, '--json')
  expect(json.plan.safety).toMatchObject({ grade: 'routine', secondKeys: 0 })
  expect(json.plan.secondKeys).toHaveLength(1)
  expect(creations()).toHaveLength(1)
})

describe('nobody is pointed out', () => {
  const twin = { ...ada, email: 'twin@students.example.edu', mq_id: '49999999' }
  const seconds = async () => (await room.ok(Provision, '--dry-run', '--json')).json.secondKeys

  test('whose namesake is on the roster', async () => {
    writeRoster([ada, bilal, twin])
    expect(await seconds()).toEqual([])
  })

  test('where the old key is disabled, or gone', async () => {
    writeRoster([{ ...ada, mq_id: '49999999' }, bilal])
    room.sandbox.state.editKey(old.hash, { disabled: true })
    expect(await seconds()).toEqual([])
    room.sandbox.state.deleteKey(old.hash)
    expect(await seconds()).toEqual([])
  })

  test('for having the name of somebody in another class, whom this ledger does not know', async () => {
    const guest = student(3)
    room.giveKey({ ...guest, mq_id: '47000000' })
    writeRoster([ada, bilal, guest])
    expect(await seconds()).toEqual([])
  })
})
