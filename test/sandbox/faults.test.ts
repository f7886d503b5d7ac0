import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Effect } from '../../src/lib/sandbox/effects.js'
import { createSandbox, type Sandbox } from '../../src/lib/sandbox/sandbox.js'
import { type ServedSandbox, serve } from '../../src/lib/sandbox/serve.js'
import { ask, clockAt } from './asking.js'

const clock = clockAt('2026-03-02T10:00:00Z')
let sandbox: Sandbox
let served: ServedSandbox

beforeEach(async () => {
  clock.set('2026-03-02T10:00:00Z')
  sandbox = createSandbox({ now: clock.now })
  served = await serve(sandbox)
})
afterEach(() => served.close())

/** Asks for a key over the network. */
function create(name = 'Ada', signal?: AbortSignal): Promise<Response> {
  return fetch(`${served.url}/keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${sandbox.managementKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
    signal,
  })
}

const strike = (effect: Effect) => sandbox.faults.add({ method: 'POST', times: 1, effect })
const made = () => sandbox.state.keys().map(({ name }) => name)
const unharmed = async () => (await create('afterwards')).status

describe('effects, over the network', () => {
  test.each([
    [{ kind: 'lose-answer' }, 1],
    [{ kind: 'reset' }, 0],
  ] as const)('%j breaks the connection; keys made: %i', async (effect, count) => {
    strike(effect)
    await expect(create()).rejects.toThrow('fetch failed')
    expect(made()).toHaveLength(count)
    expect(await unharmed()).toBe(201)
  })

  test.each<[Effect, number, string, number]>([
    [{ kind: 'error' }, 500, 'Internal server error', 0],
    [{ kind: 'error', status: 403 }, 403, 'Only management keys can perform this operation', 0],
    [{ kind: 'error', status: 418, message: 'No tea' }, 418, 'No tea', 0],
    [{ kind: 'error', status: 599 }, 599, 'Something went wrong', 0],
    [{ kind: 'error-after' }, 500, 'Internal server error', 1],
    [{ kind: 'error-after', status: 502 }, 502, 'Bad gateway', 1],
    [{ kind: 'rate-limit' }, 429, 'Rate limit exceeded', 0],
  ])('%j answers %i "%s"; keys made: %i', async (effect, status, message, count) => {
    strike(effect)
    const response = await create()
    expect(response.status).toBe(status)
    expect(await response.json()).toEqual({ error: { code: status, message } })
    expect(made()).toHaveLength(count)
    expect(await unharmed()).toBe(201)
  })

  test.each([
    [undefined, null],
    [7, '7'],
    ['soon', 'soon'],
    [new Date('2026-03-02T10:00:30Z'), 'Mon, 02 Mar 2026 10:00:30 GMT'],
  ])('rate-limit with Retry-After %s', async (retryAfter, header) => {
    strike({ kind: 'rate-limit', retryAfter, status: 503 })
    const response = await create()
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe(header)
  })

  test.each([
    [{ kind: 'html' }, 502, 0],
    [{ kind: 'html', status: 200 }, 200, 0],
    [{ kind: 'html', status: 200, work: true }, 200, 1],
  ] as const)('%j sends a page', async (effect, status, count) => {
    strike(effect)
    const response = await create()
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toMatch(/^text\/html/)
    expect(await response.text()).toMatch(/^<!DOCTYPE html>/)
    expect(made()).toHaveLength(count)
  })

  test('garbage breaks off before the secret', async () => {
    strike({ kind: 'garbage' })
    const response = await create()
    const text = await response.text()
    expect(response.status).toBe(201)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(() => JSON.parse(text)).toThrow()
    expect(text).toMatch(/^{"data":{"hash":/)
    expect(text).not.toContain(sandbox.state.keys()[0]?.secret)
    expect(made()).toHaveLength(1)
  })

  test.each([
    [{ kind: 'wrong-shape' }, { result: ['unexpected'] }],
    [{ kind: 'wrong-shape', body: { data: [] } }, { data: [] }],
    [{ kind: 'wrong-shape', body: null }, null],
  ] as const)('%j', async (effect, body) => {
    strike(effect)
    const response = await create()
    expect(response.status).toBe(201)
    expect(await response.json()).toEqual(body)
    expect(made()).toHaveLength(1)
  })

  test.each([
    [{ kind: 'hang' }, 0],
    [{ kind: 'hang', work: true }, 1],
    [{ kind: 'late', ms: 60_000 }, 0],
  ] as const)('%j never answers; keys made: %i', async (effect, count) => {
    strike(effect)
    await expect(create('Ada', AbortSignal.timeout(60))).rejects.toThrow(/timeout/)
    expect(made()).toHaveLength(count)
    expect(await unharmed()).toBe(201)
  })

  test('wrong-shape makes its answer from the true one where it is told how', async () => {
    strike({
      kind: 'wrong-shape',
      body: ({ data, key }: { data: object; key: string }) => ({ data: { ...data, limit: '3' }, key }),
    })
    const response = await create()
    const [key] = sandbox.state.keys()
    expect(response.status).toBe(201)
    expect(await response.json()).toMatchObject({ data: { hash: key?.hash, limit: '3' }, key: key?.secret })
  })

  test('late breaks the connection at once where it is to, and makes the key later', async () => {
    strike({ kind: 'late', ms: 40, reset: true })
    await expect(create()).rejects.toThrow('fetch failed')
    expect(made()).toEqual([])
    await vi.waitFor(() => expect(made()).toHaveLength(1))
  })

  test('late makes the key after the client gave up', async () => {
    strike({ kind: 'late', ms: 80 })
    await expect(create('Ada', AbortSignal.timeout(40))).rejects.toThrow(/timeout/)
    expect(made()).toEqual([])
    await vi.waitFor(() => expect(made()).toEqual(['Ada']))
  })

  test('a request that nobody waits for any more does not hang', async () => {
    sandbox.faults.add({ effect: { kind: 'hang' } })
    const request = new Request(`${served.url}/keys`, { signal: AbortSignal.abort() })
    expect((await sandbox.fetch(request)).type).toBe('error')
  })

  test('slow answers in the end', async () => {
    strike({ kind: 'slow', ms: 60 })
    const response = create()
    await vi.waitFor(() => expect(sandbox.state.requests).toHaveLength(1))
    expect(made()).toEqual([])
    expect((await response).status).toBe(201)
  })

  test('hang-body sends the head and half of the answer', async () => {
    strike({ kind: 'hang-body' })
    const response = await create('Ada', AbortSignal.timeout(150))
    expect(response.status).toBe(201)
    const reader = response.body?.getReader()
    const half = new TextDecoder().decode((await reader?.read())?.value)
    expect(half).toMatch(/^{"data":{"hash":/)
    expect(half).not.toContain('"key"')
    await expect(reader?.read()).rejects.toThrow(/timeout/)
    expect(made()).toHaveLength(1)
    expect(await unharmed()).toBe(201)
  })

  test('per-second admits so many in each second of the clock', async () => {
    sandbox.faults.add({ method: 'POST', effect: { kind: 'per-second', limit: 2 } })
    const statuses = async () =>
      (await Promise.all([create(), create(), create()])).map(({ status }) => status).sort()
    expect(await statuses()).toEqual([201, 201, 429])
    clock.set('2026-03-02T10:00:00.999Z')
    const refused = await create()
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
    clock.set('2026-03-02T10:00:01Z')
    expect(await statuses()).toEqual([201, 201, 429])
    expect(made()).toHaveLength(4)
  })
})

describe('rules', () => {
  const refuse: Effect = { kind: 'error', status: 500 }
  const statuses = async (count: number, name = (index: number) => `${index}`) => {
    const all: number[] = []
    for (let index = 0; index < count; index += 1) {
      all.push((await ask(sandbox, 'POST', '/keys', { body: { name: name(index) } })).status)
    }
    return all.map((status) => (status === 201 ? '.' : 'x')).join('')
  }

  test.each([
    [{}, 'xxxxxx'],
    [{ nth: 3 }, '..x...'],
    [{ nth: [1, 4] }, 'x..x..'],
    [{ every: 2 }, '.x.x.x'],
    [{ every: 2, times: 1 }, '.x....'],
    [{ times: 2 }, 'xx....'],
    [{ probability: 0 }, '......'],
    [{ probability: 1 }, 'xxxxxx'],
    [{ method: 'POST' }, 'xxxxxx'],
    [{ method: ['PATCH', 'POST'] }, 'xxxxxx'],
    [{ method: 'GET' }, '......'],
    [{ path: /^\/keys$/ }, 'xxxxxx'],
    [{ path: /credits/ }, '......'],
    [{ body: /"name":"[24]"/ }, '..x.x.'],
    [{ body: (body: unknown) => (body as { name: string }).name === '5' }, '.....x'],
    [{ body: /"name":"[245]"/, nth: 2 }, '....x.'],
  ])('%o', async (rule, expected) => {
    sandbox.faults.add({ ...rule, effect: refuse })
    expect(await statuses(6)).toBe(expected)
  })

  test('a predicate is asked each time', async () => {
    let bad = false
    sandbox.faults.add({ while: () => bad, effect: refuse })
    expect(await statuses(2)).toBe('..')
    bad = true
    expect(await statuses(2)).toBe('xx')
  })

  test('chance is the same for the same seed, and about as likely as said', async () => {
    const draw = async (seed?: number) => {
      sandbox.faults.clear()
      sandbox.faults.add({ probability: 0.3, seed, effect: refuse })
      return statuses(300)
    }
    const first = await draw(7)
    expect(await draw(7)).toBe(first)
    expect(await draw(8)).not.toBe(first)
    expect(await draw()).toBe(await draw(1))
    expect(first.replaceAll('.', '').length).toBeGreaterThan(60)
    expect(first.replaceAll('.', '').length).toBeLessThan(120)
  })

  test('the first that strikes answers, and all go on counting', async () => {
    const first = sandbox.faults.add({ nth: 2, effect: { kind: 'error', status: 400 } })
    const second = sandbox.faults.add({ nth: [2, 3], effect: { kind: 'error', status: 502 } })
    const all: number[] = []
    for (const name of ['a', 'b', 'c', 'd'])
      all.push((await ask(sandbox, 'POST', '/keys', { body: { name } })).status)
    expect(all).toEqual([201, 400, 502, 201])
    expect([first.matched, first.fired, second.matched, second.fired]).toEqual([4, 1, 4, 1])
  })

  test('can be taken away, one or all', async () => {
    const fault = sandbox.faults.add({ body: /Ada/, effect: refuse })
    sandbox.faults.add({ body: /Bilal/, effect: refuse })
    const name = (index: number) => ['Ada', 'Bilal'][index] ?? ''
    expect(await statuses(2, name)).toBe('xx')
    fault.remove()
    expect(await statuses(2, name)).toBe('.x')
    sandbox.faults.clear()
    expect(await statuses(2, name)).toBe('..')
  })

  test('a hook runs before each page, and the page shows what it did', async () => {
    const page = async (offset: number) =>
      (await ask(sandbox, 'GET', `/keys?offset=${offset}`)).body.data.length
    const seen: [number, string][] = []
    const hook = sandbox.faults.beforePage((n, { query }) => {
      seen.push([n, query])
      sandbox.state.addKey({ name: `${n}` })
    })
    expect([await page(0), await page(0), await page(1)]).toEqual([1, 2, 2])
    await ask(sandbox, 'GET', '/credits')
    expect(seen).toEqual([
      [1, 'offset=0'],
      [2, 'offset=0'],
      [3, 'offset=1'],
    ])
    hook.remove()
    expect(await page(0)).toBe(3)
  })
})

describe('time', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  test('latency is half before the work and half after it', async () => {
    const slow = createSandbox({ latency: 50 })
    let done = false
    void ask(slow, 'POST', '/keys', { body: { name: 'Ada' } }).then(() => {
      done = true
    })
    await vi.advanceTimersByTimeAsync(24)
    expect([slow.state.keys().length, done]).toEqual([0, false])
    await vi.advanceTimersByTimeAsync(1)
    expect([slow.state.keys().length, done]).toEqual([1, false])
    await vi.advanceTimersByTimeAsync(24)
    expect(done).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(done).toBe(true)
  })

  test('late work waits for the timer', async () => {
    strike({ kind: 'late', ms: 60_000 })
    const headers = { authorization: `Bearer ${sandbox.managementKey}` }
    const gone = new AbortController()
    const init = { method: 'POST', headers, body: '{"name":"Ada"}', signal: gone.signal }
    const answer = sandbox.fetch(new Request('http://host/api/v1/keys', init))
    await vi.advanceTimersByTimeAsync(30_000)
    gone.abort()
    expect((await answer).type).toBe('error')
    expect(made()).toEqual([])
    await vi.advanceTimersByTimeAsync(30_000)
    expect(made()).toEqual(['Ada'])
  })
})
