import { expect, test } from 'vitest'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import { useClassroom } from '../support/classroom.js'
import { student, writeRoster } from '../support/people.js'

const room = useClassroom()
const [ada, bilal] = [student(1), student(2)]

test('a student whose MQ ID was corrected is pointed out before a second key is made', async () => {
  await room.ok(InitDb)
  writeRoster([ada, bilal])
  await room.ok(Provision)
  const [before] = room.sandbox.state.keys().filter(({ name }) => name.endsWith(ada.mq_id))
  writeRoster([{ ...ada, mq_id: '49999999' }, bilal])
  const { json } = await room.ok(Provision, '--dry-run', '--json')
  expect(json.namesakes).toMatchObject([{ mqId: '49999999', keyName: before?.name, hash: before?.hash }])
  const { stdout } = await room.ok(Provision, '--dry-run')
  expect(stdout).toContain(
    `there is ${before?.name}, of somebody with the same name who is not on the roster. Was the MQ ID corrected?`,
  )
  // What the advice says is enough: the key is found then.
  room.sandbox.state.editKey(before?.hash ?? '', { name: '20260219_Ada Quill1_49999999' })
  const renamed = await room.ok(Provision, '--json')
  expect(renamed.json.counts).toEqual({ 'already had one': 2 })
  expect(renamed.json.plan.namesakes).toEqual([])
})

test('nobody is pointed out whose namesake is on the roster, or has no key that works', async () => {
  await room.ok(InitDb)
  const twin = { ...ada, email: 'twin@students.example.edu', mq_id: '49999999' }
  writeRoster([ada])
  await room.ok(Provision)
  writeRoster([ada, twin])
  expect((await room.ok(Provision, '--dry-run', '--json')).json.namesakes).toEqual([])
  room.sandbox.state.editKey(room.sandbox.state.keys()[0]?.hash ?? '', { disabled: true })
  writeRoster([twin])
  expect((await room.ok(Provision, '--dry-run', '--json')).json.namesakes).toEqual([])
})
