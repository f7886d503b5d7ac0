import { expect, test } from 'vitest'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import Rotate from '../../src/commands/rotate.js'
import { useClassroom } from '../support/classroom.js'
import { student, writeRoster } from '../support/people.js'

const room = useClassroom()
const ada = student(1)

async function withGuardrail(): Promise<string> {
  const { id } = room.sandbox.state.addGuardrail({ name: 'Small models' })
  await room.ok(InitDb)
  writeRoster([ada])
  await room.ok(Provision, '--guardrail', 'Small models')
  return id
}

const enabled = () => room.sandbox.state.keys().filter((key) => !key.disabled)
const guardrails = () => enabled().map(({ hash }) => room.sandbox.state.guardrailOf(hash))

test('what the ledger has assigned is kept where OpenRouter cannot tell who has which guardrail', async () => {
  const id = await withGuardrail()
  room.sandbox.faults.add({
    path: /assignments\/keys$/,
    method: 'GET',
    effect: { kind: 'error', status: 404 },
  })
  await room.ok(Rotate, ada.email, '--yes')
  expect(guardrails()).toEqual([id])
})

test('what somebody has assigned in the dashboard is kept', async () => {
  await withGuardrail()
  const other = room.sandbox.state.addGuardrail({ name: 'No models at all' })
  const [key] = enabled()
  const body = JSON.stringify({ key_hashes: [key?.hash] })
  const headers = {
    authorization: `Bearer ${room.sandbox.managementKey}`,
    'content-type': 'application/json',
  }
  const url = `http://sandbox.test/api/v1/guardrails/${other.id}/assignments/keys`
  await room.sandbox.fetch(new Request(url, { method: 'POST', headers, body }))
  await room.ok(Rotate, ada.email, '--yes')
  expect(guardrails()).toEqual([other.id])
})

test('an account without guardrails is not asked who has which', async () => {
  await room.ok(InitDb)
  writeRoster([ada])
  await room.ok(Provision)
  await room.ok(Rotate, ada.email, '--yes')
  expect(room.requests().filter(({ path }) => path.includes('assignments'))).toEqual([])
})

test('a rotation is not begun where nobody can tell what the new key should be kept from', async () => {
  await withGuardrail()
  room.sandbox.faults.add({
    path: /assignments\/keys$/,
    method: 'GET',
    effect: { kind: 'error', status: 403 },
  })
  const { exitCode } = await room.run(Rotate, ada.email, '--yes')
  expect(exitCode).toBe(1)
  expect(room.requests('POST').filter(({ path }) => path === '/keys')).toHaveLength(1)
})
