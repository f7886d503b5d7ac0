import { expect, test } from 'vitest'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import { useClassroom } from '../support/classroom.js'
import { student, writeRoster } from '../support/people.js'

const room = useClassroom()
const [ada, bilal] = [student(1), student(2)]

const made = () => room.sandbox.state.keys()

/** A class of two with their keys; gives Ada's. */
async function provisioned(adaIs = ada) {
  await room.ok(InitDb)
  writeRoster([adaIs, bilal])
  await room.ok(Provision)
  return made().find(({ name }) => name.endsWith(`_${adaIs.mq_id}`))
}

test('a student whose MQ ID was corrected is pointed out before a second key is made', async () => {
  const before = await provisioned()
  writeRoster([{ ...ada, mq_id: '49999999' }, bilal])
  const { json } = await room.ok(Provision, '--dry-run', '--json')
  expect(json.secondKeys).toMatchObject([
    { mqId: '49999999', keyName: before?.name, hash: before?.hash, because: 'address' },
  ])
  const { stdout } = await room.ok(Provision, '--dry-run')
  expect(stdout).toContain(
    `seems to have a key already: ${before?.name} is of somebody with the same address who is not on the roster. Was the MQ ID changed?`,
  )
  // What the advice says is enough: the key is found then.
  room.sandbox.state.editKey(before?.hash ?? '', { name: '20260219_Ada Quill1_49999999' })
  const renamed = await room.ok(Provision, '--json')
  expect(renamed.json.counts).toEqual({ 'already had one': 2 })
  expect(renamed.json.plan.secondKeys).toEqual([])
})

test.each([
  [
    'another address, name and ID',
    { email: 'x@students.example.edu', first_name: 'Xu', mq_id: '49999999' },
    false,
  ],
  ['another name and ID', { first_name: 'Xu', mq_id: '49999999' }, true],
  ['an ID without its zeros', { email: 'x@students.example.edu', first_name: 'Xu', mq_id: '42' }, true],
  [
    'another ID and address, but the same name',
    { email: 'x@students.example.edu', mq_id: '49999999' },
    false,
  ],
])('%s: a second key is asked about: %s', async (_, over, asks) => {
  const zero = { ...ada, mq_id: '0042' }
  await provisioned(zero)
  writeRoster([{ ...zero, ...over }, bilal])
  const { exitCode, stderr } = await room.run(Provision)
  expect(exitCode).toBe(asks ? 4 : 0)
  expect(made()).toHaveLength(asks ? 2 : 3)
  if (!asks) return
  expect(stderr).toContain('makes a second key for a student whose MQ ID has changed')
  // It has not been written down whom the address is of now: the next run asks as well.
  expect((await room.run(Provision)).exitCode).toBe(4)
  await room.ok(Provision, '--yes')
  expect(made()).toHaveLength(3)
  expect((await room.ok(Provision, '--json')).json.counts).toEqual({ 'already had one': 2 })
})

test('a key that does not work is nobody’s second one', async () => {
  const before = await provisioned()
  room.sandbox.state.editKey(before?.hash ?? '', { disabled: true })
  writeRoster([{ ...ada, mq_id: '49999999' }, bilal])
  const { json } = await room.ok(Provision, '--json')
  expect([json.plan.secondKeys, json.counts.created]).toEqual([[], 1])
})

test('nobody is pointed out whose namesake is on the roster, or has no key that works', async () => {
  await room.ok(InitDb)
  const twin = { ...ada, email: 'twin@students.example.edu', mq_id: '49999999' }
  writeRoster([ada])
  await room.ok(Provision)
  writeRoster([ada, twin])
  expect((await room.ok(Provision, '--dry-run', '--json')).json.secondKeys).toEqual([])
  room.sandbox.state.editKey(room.sandbox.state.keys()[0]?.hash ?? '', { disabled: true })
  writeRoster([twin])
  expect((await room.ok(Provision, '--dry-run', '--json')).json.secondKeys).toEqual([])
})
