import { http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSandbox } from '../../src/lib/sandbox/sandbox.js'

const sandbox = createSandbox({ keys: 3 })
const server = setupServer(
  http.all('https://openrouter.ai/api/v1/*', ({ request }) => sandbox.fetch(request)),
)
const headers = { authorization: `Bearer ${sandbox.managementKey}` }
const list = (signal?: AbortSignal) => fetch('https://openrouter.ai/api/v1/keys', { headers, signal })

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
afterAll(() => server.close())

test('the same handler answers inside a process', async () => {
  expect(await (await list()).json()).toMatchObject({ data: [{}, {}, {}] })
  const init = { method: 'POST', headers, body: JSON.stringify({ name: 'Ada' }) }
  const response = await fetch('https://openrouter.ai/api/v1/keys', init)
  expect([response.status, sandbox.state.keys()[0]?.name]).toEqual([201, 'Ada'])
})

test('a broken connection and one that hangs look like one', async () => {
  sandbox.faults.add({ nth: 1, effect: { kind: 'reset' } })
  sandbox.faults.add({ nth: 2, effect: { kind: 'hang' } })
  sandbox.faults.add({ nth: 3, effect: { kind: 'hang-body' } })
  await expect(list()).rejects.toThrow('fetch failed')
  await expect(list(AbortSignal.timeout(50))).rejects.toThrow(/timeout/)
  const half = await list(AbortSignal.timeout(50))
  await expect(half.text()).rejects.toThrow(/timeout/)
})
