import { expect, test } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import { LedgerError } from '../../src/db/errors.js'
import { openLedger } from '../../src/db/open.js'
import { OpenRouter } from '../../src/lib/openrouter/client.js'
import { assignGuardrails, guardrailsOfKeys } from '../../src/lib/runs/guardrails.js'
import type { RunPorts } from '../../src/lib/runs/ports.js'
import { MANAGEMENT_KEY, useClassroom } from '../support/classroom.js'
import { students, writeRoster } from '../support/people.js'
import { execute, query } from '../support/sqlite.js'

const room = useClassroom()

/** A class whose keys the ledger knows, and what a run that assigns their guardrails works with. */
async function aClass(size: number, work: (ports: RunPorts, hashes: string[]) => Promise<void>) {
  await room.ok(InitDb)
  const people = students(size)
  writeRoster(people)
  const hashes = people.map((each) => room.giveKey(each).hash)
  await room.ok(Check)
  room.sandbox.state.requests.length = 0
  const ledger = await openLedger('keys.db')
  const openRouter = new OpenRouter({
    baseUrl: 'https://openrouter.ai/api/v1',
    managementKey: MANAGEMENT_KEY,
  })
  const ports = {
    openRouter,
    ledger,
    concurrency: 2,
    stopping: new AbortController().signal,
    now: () => new Date(),
  }
  try {
    await work(ports, hashes)
  } finally {
    await ledger.close()
  }
}

const batches = () =>
  room
    .requests('POST')
    .map(({ path, body }) => [path.split('/')[2], (body as { key_hashes: string[] }).key_hashes.length])
const guardrail = (name: string) => ({ id: room.sandbox.state.addGuardrail({ name }).id, name })

test('a long class is assigned in batches of five hundred, each guardrail by itself', async () => {
  await aClass(503, async (ports, hashes) => {
    const [small, large] = [guardrail('Small'), guardrail('Large')]
    const wishes = hashes.map((hash, i) => ({ hash, guardrail: i < 2 ? large : small }))
    const { assigned, failed } = await assignGuardrails(wishes, ports)
    expect([assigned.size, failed.size]).toEqual([503, 0])
    expect(batches()).toEqual([
      [large.id, 2],
      [small.id, 500],
      [small.id, 1],
    ])
    const logged = "SELECT count(*) AS n FROM changelog WHERE action = 'assign_guardrail'"
    expect(query('keys.db', logged)).toEqual([{ n: 503 }])
  })
})

test('one guardrail that fails keeps no other from being assigned', async () => {
  await aClass(2, async (ports, [first = '', second = '']) => {
    const small = guardrail('Small')
    const wishes = [
      { hash: first, guardrail: { id: 'gone', name: 'Gone' } },
      { hash: second, guardrail: small },
    ]
    const { assigned, failed, stoppedBy } = await assignGuardrails(wishes, ports)
    expect([[...assigned], [...failed.keys()], stoppedBy]).toEqual([[second], [first], undefined])
  })
})

test('a signal: nothing more is assigned, and everybody is told why', async () => {
  await aClass(2, async (ports, [first = '', second = '']) => {
    const [small, large] = [guardrail('Small'), guardrail('Large')]
    const wishes = [
      { hash: first, guardrail: small },
      { hash: second, guardrail: large },
    ]
    const ended = new AbortController()
    room.sandbox.faults.add({ method: 'POST', effect: { kind: 'before', run: () => ended.abort() } })
    const { assigned, failed } = await assignGuardrails(wishes, { ...ports, stopping: ended.signal })
    expect([...assigned]).toEqual([first])
    expect([...failed]).toEqual([[second, 'interrupted before it was assigned']])
  })
})

test('where the ledger cannot be written, nothing more is tried', async () => {
  await aClass(2, async (ports, [first = '', second = '']) => {
    const [small, large] = [guardrail('Small'), guardrail('Large')]
    execute(
      'keys.db',
      "CREATE TRIGGER refuse BEFORE INSERT ON changelog BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    const wishes = [
      { hash: first, guardrail: small },
      { hash: second, guardrail: large },
    ]
    const { assigned, stoppedBy } = await assignGuardrails(wishes, ports)
    expect(assigned.size).toBe(0)
    expect(stoppedBy).toBeInstanceOf(LedgerError)
    expect(batches()).toEqual([[small.id, 1]])
  })
})

test('no wishes, no requests', async () => {
  await aClass(1, async (ports) => {
    await assignGuardrails([], ports)
    expect(room.requests()).toEqual([])
  })
})

test('which key has which guardrail is told with their names, or their ids where they are of another workspace', async () => {
  await aClass(3, async (ports, [first = '', second = '']) => {
    const small = guardrail('Small')
    const { id: workspace_id } = room.sandbox.state.addWorkspace({ name: 'Other', slug: 'other' })
    const { id } = room.sandbox.state.addGuardrail({ name: 'Elsewhere', workspace_id })
    await ports.openRouter.assignGuardrail(small.id, [first])
    await ports.openRouter.assignGuardrail(id, [second])
    expect(await guardrailsOfKeys(ports.openRouter, ports.ledger)).toEqual(
      new Map([
        [first, small],
        [second, { id, name: id }],
      ]),
    )
  })
})
