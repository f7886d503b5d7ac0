import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { KeyRequest } from '../../src/lib/core/creation.js'
import { type KeyChange, OpenRouter } from '../../src/lib/openrouter/client.js'
import { OpenRouterError } from '../../src/lib/openrouter/errors.js'
import type { Effect } from '../../src/lib/sandbox/effects.js'
import { createSandbox, type Sandbox } from '../../src/lib/sandbox/sandbox.js'
import { type ServedSandbox, serve } from '../../src/lib/sandbox/serve.js'
import { aPerson } from '../core/make.js'
import { useFakeTime } from './time.js'

const time = useFakeTime()

let sandbox: Sandbox
let served: ServedSandbox
let openRouter: OpenRouter

beforeEach(async () => {
  sandbox = createSandbox()
  served = await serve(sandbox)
  openRouter = new OpenRouter({ baseUrl: served.url, managementKey: sandbox.managementKey })
})
afterEach(() => served.close())

const NONE = { rateLimited: 0, serverErrors: 0, timeouts: 0, lostConnections: 0 }

const ADA: KeyRequest = {
  student: aPerson(),
  keyName: '20260219_Ada Quill_48200001',
  limit: 3,
  limitReset: null,
  expiresAt: null,
  guardrail: null,
  replaces: null,
}
const strike = (effect: Effect, times = 1) => sandbox.faults.add({ times, effect })
const requests = () => sandbox.state.requests.map(({ method, path }) => `${method} ${path}`)
const bodies = () => sandbox.state.requests.map(({ body }) => body)

/** What a call that must fail fails with. */
async function errorOf(work: Promise<unknown>): Promise<OpenRouterError> {
  const error = await time.pass(
    work.then(
      () => undefined,
      (e) => e,
    ),
  )
  if (!(error instanceof OpenRouterError))
    throw new Error(`this is not an OpenRouterError: ${inspect(error)}`)
  return error
}

describe('what is asked', () => {
  it('makes a key, and gives its secret', async () => {
    const { key, secret } = await time.pass(openRouter.createKey({ ...ADA, limitReset: 'weekly' }))
    const [made] = sandbox.state.keys()
    expect(bodies()).toEqual([{ name: ADA.keyName, limit: 3, limit_reset: 'weekly' }])
    expect(secret).toBe(made?.secret)
    expect(key).toMatchObject({
      hash: made?.hash,
      name: ADA.keyName,
      limit: 3,
      limitReset: 'weekly',
      disabled: false,
    })
  })

  it('says it where a key is to have no limit and no reset', async () => {
    await time.pass(openRouter.createKey({ ...ADA, limit: null }))
    expect(bodies()).toEqual([{ name: ADA.keyName, limit: null, limit_reset: null }])
  })

  it.each([
    [{ limit: 5 }, { limit: 5 }],
    [{ limit: null }, { limit: null }],
    [{ limit: 0 }, { limit: 0 }],
    [{ disabled: true }, { disabled: true }],
    [{ limitReset: 'weekly' }, { limit_reset: 'weekly' }],
    [{ limitReset: null }, { limit_reset: null }],
    [
      { limit: 1, disabled: false },
      { limit: 1, disabled: false },
    ],
  ] as [KeyChange, object][])('changes %j, and nothing else', async (change, body) => {
    const { hash } = sandbox.state.addKey({ name: 'a', limit: 3, disabled: true })
    const key = await time.pass(openRouter.updateKey(hash, change))
    expect(bodies()).toEqual([body])
    expect(key).toMatchObject({ hash, ...change })
  })

  it('deletes a key, and takes one that is gone for deleted', async () => {
    const { hash } = sandbox.state.addKey({ name: 'a' })
    await time.pass(openRouter.deleteKey(hash))
    expect(sandbox.state.keys()).toEqual([])
    await time.pass(openRouter.deleteKey(hash))
    expect(openRouter.retries).toEqual(NONE)
  })

  it('finds a key by its hash, or says that there is none', async () => {
    const { hash } = sandbox.state.addKey({ name: 'a', limit: 3 })
    expect(await time.pass(openRouter.findKey(hash))).toMatchObject({ hash, name: 'a', limit: 3 })
    expect(await time.pass(openRouter.findKey('nobody'))).toBeUndefined()
    strike({ kind: 'error', status: 403 })
    expect(await errorOf(openRouter.findKey(hash))).toMatchObject({ code: 'forbidden' })
  })

  it('puts a hash into the path whatever is in it', async () => {
    const hash = '../a/b?c#d'
    await errorOf(openRouter.updateKey(hash, { limit: 1 }))
    await time.pass(openRouter.findKey(hash))
    await time.pass(openRouter.deleteKey(hash))
    const path = '/keys/..%2Fa%2Fb%3Fc%23d'
    expect(requests()).toEqual([`PATCH ${path}`, `GET ${path}`, `DELETE ${path}`])
  })

  it.each([0, 1, 99, 100, 101, 250])('lists %i keys, disabled ones included, newest first', async (count) => {
    for (let n = 0; n < count; n++) sandbox.state.addKey({ name: `key ${n}`, disabled: n % 3 === 0 })
    const keys = await time.pass(openRouter.listKeys())
    expect(keys.map(({ hash }) => hash)).toEqual(sandbox.state.keys().map(({ hash }) => hash))
    expect(sandbox.state.requests.every(({ query }) => query.includes('include_disabled=true'))).toBe(true)
  })

  it('lists every key that is there all the time, though others come and go between pages', async () => {
    for (let n = 0; n < 350; n++) sandbox.state.addKey({ name: `key ${n}` })
    const [, going, ...staying] = sandbox.state.keys().map(({ hash }) => hash)
    sandbox.faults.beforePage((n) => {
      if (n === 2) sandbox.state.addKey({ name: 'new' })
      if (n === 4) sandbox.state.deleteKey(going ?? '')
    })
    const counts: number[] = []
    const listed = (await time.pass(openRouter.listKeys((count) => counts.push(count)))).map(
      ({ hash }) => hash,
    )
    expect(listed).toEqual(expect.arrayContaining(staying))
    expect(new Set(listed).size).toBe(listed.length)
    expect(counts.at(-1)).toBe(listed.length)
  })

  describe('of a list that says how long it is', () => {
    const path = /^\/workspaces$/
    const space = (n: number) => ({ id: `w${n}`, name: `Class ${n}`, slug: `class-${n}` })
    const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => space(first + i))
    /** Lets the sandbox answer with these pages, the last of them again and again. */
    const pages = (...bodies: object[]) => {
      const all = bodies.map((body, i) => {
        const nth = i < bodies.length - 1 ? { nth: i + 1 } : {}
        return sandbox.faults.add({ path, ...nth, effect: { kind: 'wrong-shape', body } })
      })
      return all.at(-1)
    }
    const asked = () => sandbox.state.requests.map(({ query }) => query.replace(/&?limit=100&?/, ''))

    it.each<[string, object[], number, string[]]>([
      ['one page', [{ data: from(1, 3), total_count: 3 }], 3, ['offset=0']],
      ['no entries', [{ data: [], total_count: 0 }], 0, ['offset=0']],
      [
        'two pages',
        [
          { data: from(1, 100), total_count: 130 },
          { data: from(101, 30), total_count: 130 },
        ],
        130,
        ['offset=0', 'offset=100'],
      ],
      [
        'no word of its length',
        [{ data: from(1, 100) }, { data: from(101, 30) }, { data: [] }],
        130,
        ['offset=0', 'offset=100', 'offset=130'],
      ],
      [
        'less than it says',
        [
          { data: from(1, 3), total_count: 9 },
          { data: [], total_count: 9 },
        ],
        3,
        ['offset=0', 'offset=3'],
      ],
      // From a server that ignores the offset.
      ['one page again and again', [{ data: from(1, 3), total_count: 9 }], 3, ['offset=0', 'offset=3']],
      ['one page again and again, and no length', [{ data: from(1, 3) }], 3, ['offset=0', 'offset=3']],
      // An entry has come at the front meanwhile: the last one of a page is the first of the next.
      [
        'an entry on two pages',
        [
          { data: from(1, 3), total_count: 6 },
          { data: from(3, 3), total_count: 6 },
        ],
        5,
        ['offset=0', 'offset=3'],
      ],
    ])('gives %s', async (_, bodies, count, offsets) => {
      pages(...bodies)
      const all = await time.pass(openRouter.workspaces())
      expect(all).toEqual(from(1, count))
      expect(asked()).toEqual(offsets)
    })
  })

  describe('of what the account has left', () => {
    it('gives what was bought without what was spent', async () => {
      sandbox.faults.add({
        effect: { kind: 'wrong-shape', body: { data: { total_credits: 10, total_usage: 2.5 } } },
      })
      expect(await time.pass(openRouter.balance())).toBe(7.5)
    })

    it.each<[string, Effect, number]>([
      ['as too fast', { kind: 'rate-limit', retryAfter: 3 }, 0],
      ['as too fast, without a word', { kind: 'rate-limit' }, 0],
      ['for a fault', { kind: 'error' }, 0],
      ['as busy', { kind: 'rate-limit', status: 503, retryAfter: 3 }, 0],
    ])('waits for nothing where it is refused %s', async (_, effect, ms) => {
      strike(effect, Number.POSITIVE_INFINITY)
      expect(await time.durationOf(() => openRouter.balance())).toBe(ms)
      expect(requests()).toEqual(['GET /credits'])
      expect(openRouter.retries).toEqual(NONE)
    })

    it('is given up after five seconds of silence', async () => {
      vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
        const patience = new AbortController()
        setTimeout(() => patience.abort(), ms)
        return patience.signal
      })
      strike({ kind: 'hang' })
      expect(await time.durationOf(() => openRouter.balance())).toBe(5000)
      vi.restoreAllMocks()
    })

    it('holds nothing else back', async () => {
      sandbox.faults.add({ path: /credits/, effect: { kind: 'rate-limit', retryAfter: 30 } })
      await time.pass(openRouter.balance().catch(() => {}))
      expect(await time.durationOf(() => openRouter.listKeys())).toBe(0)
    })

    it('can be given up', async () => {
      strike({ kind: 'hang' })
      const enough = new AbortController()
      setTimeout(() => enough.abort(), 1000)
      expect(await time.durationOf(() => openRouter.balance(enough.signal))).toBe(1000)
    })
  })

  it('runs no more requests at a time than it was told', async () => {
    const slow = createSandbox()
    let underWay = 0
    let most = 0
    const counting = await serve({
      fetch: async (request) => {
        most = Math.max(most, ++underWay)
        await new Promise(setImmediate)
        const answer = await slow.fetch(request)
        underWay--
        return answer
      },
    })
    const { hash } = slow.state.addKey({ name: 'a' })
    const client = new OpenRouter(
      { baseUrl: counting.url, managementKey: slow.managementKey },
      { concurrency: 3 },
    )
    await time.pass(Promise.all(Array.from({ length: 20 }, (_, n) => client.updateKey(hash, { limit: n }))))
    await counting.close()
    expect(most).toBeLessThanOrEqual(3)
    expect(most).toBeGreaterThan(1)
  })
})

/** The calls that may be tried again, each with what shows that it came right. */
const IDEMPOTENT: [string, (hash: string) => Promise<unknown>, (hash: string) => void][] = [
  [
    'GET',
    async () => expect(await openRouter.listKeys()).toHaveLength(1),
    (hash) => expect(sandbox.state.key(hash)).toBeDefined(),
  ],
  [
    'PATCH',
    (hash) => openRouter.updateKey(hash, { limit: 7, disabled: true }),
    (hash) => expect(sandbox.state.key(hash)).toMatchObject({ limit: 7, disabled: true }),
  ],
  ['DELETE', (hash) => openRouter.deleteKey(hash), (hash) => expect(sandbox.state.key(hash)).toBeUndefined()],
]

const TRANSIENT: [Effect, Partial<typeof NONE>][] = [
  [{ kind: 'lose-answer' }, { lostConnections: 1 }],
  [{ kind: 'reset' }, { lostConnections: 1 }],
  [{ kind: 'garbage' }, { lostConnections: 1 }],
  [{ kind: 'html', status: 200 }, { lostConnections: 1 }],
  [{ kind: 'html', status: 200, work: true }, { lostConnections: 1 }],
  [{ kind: 'html', status: 502 }, { serverErrors: 1 }],
  [{ kind: 'error', status: 500 }, { serverErrors: 1 }],
  [{ kind: 'error', status: 502 }, { serverErrors: 1 }],
  [{ kind: 'error', status: 503 }, { serverErrors: 1 }],
  [{ kind: 'error', status: 504 }, { serverErrors: 1 }],
  [{ kind: 'error', status: 520 }, { serverErrors: 1 }],
  [{ kind: 'error', status: 524 }, { serverErrors: 1 }],
  [{ kind: 'error-after' }, { serverErrors: 1 }],
  [{ kind: 'rate-limit' }, { rateLimited: 1 }],
  [{ kind: 'rate-limit', retryAfter: 2 }, { rateLimited: 1 }],
  [{ kind: 'rate-limit', status: 503, retryAfter: 2 }, { serverErrors: 1 }],
  [{ kind: 'hang' }, { timeouts: 1 }],
  [{ kind: 'hang', work: true }, { timeouts: 1 }],
  [{ kind: 'hang-body' }, { timeouts: 1 }],
  [{ kind: 'slow', ms: 10_000 }, {}],
]

describe.each(IDEMPOTENT)('%s', (method, call, expectDone) => {
  it.each(TRANSIENT)('comes right after %j', async (effect, counted) => {
    const { hash } = sandbox.state.addKey({ name: 'a', limit: 3 })
    const fault = strike(effect)
    await time.pass(call(hash))
    expectDone(hash)
    expect(fault.fired).toBe(1)
    expect(openRouter.retries).toEqual({ ...NONE, ...counted })
  })

  it('comes right after four faults in a row', async () => {
    const { hash } = sandbox.state.addKey({ name: 'a', limit: 3 })
    strike({ kind: 'error-after', status: 502 }, 2)
    strike({ kind: 'lose-answer' }, 2)
    await time.pass(call(hash))
    expectDone(hash)
    expect(openRouter.retries).toEqual({ ...NONE, serverErrors: 2, lostConnections: 2 })
  })

  it('gives up after five', async () => {
    const { hash } = sandbox.state.addKey({ name: 'a', limit: 3 })
    strike({ kind: 'error' }, Number.POSITIVE_INFINITY)
    const error = await errorOf(call(hash))
    expect(error).toMatchObject({ code: 'no_answer', status: 500, provesNothingDone: false })
    expect(requests().filter((request) => request.startsWith(method))).toHaveLength(5)
  })

  it.each([400, 401, 403, 409, 422])('is not tried again after %i', async (status) => {
    const { hash } = sandbox.state.addKey({ name: 'a' })
    strike({ kind: 'error', status })
    expect((await errorOf(call(hash))).status).toBe(status)
    expect(requests()).toHaveLength(1)
    expect(openRouter.retries).toEqual(NONE)
  })

  it('comes right after answers of the wrong shape', async () => {
    const { hash } = sandbox.state.addKey({ name: 'a' })
    strike({ kind: 'wrong-shape' }, 3)
    await time.pass(call(hash))
    expectDone(hash)
    expect(openRouter.retries).toEqual({ ...NONE, lostConnections: method === 'DELETE' ? 1 : 3 })
  })
})

it.each(IDEMPOTENT.slice(0, 2))('%s gives up on answers that never make sense', async (_, call) => {
  const { hash } = sandbox.state.addKey({ name: 'a' })
  strike({ kind: 'wrong-shape' }, Number.POSITIVE_INFINITY)
  expect(await errorOf(call(hash))).toMatchObject({ code: 'bad_answer', status: undefined })
  expect(requests()).toHaveLength(4)
})

describe('POST', () => {
  it.each<[Effect, number, Partial<OpenRouterError>, Partial<typeof NONE>]>([
    [
      { kind: 'lose-answer' },
      1,
      { code: 'no_answer', status: undefined, provesNothingDone: false },
      { lostConnections: 1 },
    ],
    [
      { kind: 'reset' },
      0,
      { code: 'no_answer', status: undefined, provesNothingDone: false },
      { lostConnections: 1 },
    ],
    [{ kind: 'error' }, 0, { code: 'no_answer', status: 500, provesNothingDone: false }, { serverErrors: 1 }],
    [
      { kind: 'error', status: 502 },
      0,
      { code: 'no_answer', status: 502, provesNothingDone: false },
      { serverErrors: 1 },
    ],
    [
      { kind: 'error', status: 503 },
      0,
      { code: 'no_answer', status: 503, provesNothingDone: false },
      { serverErrors: 1 },
    ],
    [
      { kind: 'error-after' },
      1,
      { code: 'no_answer', status: 500, provesNothingDone: false },
      { serverErrors: 1 },
    ],
    [
      { kind: 'rate-limit', status: 503, retryAfter: 1 },
      0,
      { status: 503, provesNothingDone: false },
      { serverErrors: 1 },
    ],
    [
      { kind: 'hang' },
      0,
      { code: 'no_answer', status: undefined, provesNothingDone: false },
      { timeouts: 1 },
    ],
    [
      { kind: 'hang', work: true },
      1,
      { code: 'no_answer', status: undefined, provesNothingDone: false },
      { timeouts: 1 },
    ],
    [
      { kind: 'hang-body' },
      1,
      { code: 'no_answer', status: undefined, provesNothingDone: false },
      { timeouts: 1 },
    ],
    [{ kind: 'html' }, 0, { code: 'no_answer', status: 502, provesNothingDone: false }, { serverErrors: 1 }],
    [
      { kind: 'html', status: 200, work: true },
      1,
      { code: 'bad_answer', provesNothingDone: false },
      { lostConnections: 1 },
    ],
    [{ kind: 'garbage' }, 1, { code: 'bad_answer', provesNothingDone: false }, { lostConnections: 1 }],
    [{ kind: 'wrong-shape' }, 1, { code: 'bad_answer', provesNothingDone: false }, { lostConnections: 1 }],
    [
      { kind: 'wrong-shape', body: { data: {} } },
      1,
      { code: 'bad_answer', provesNothingDone: false },
      { lostConnections: 1 },
    ],
    [{ kind: 'error', status: 400 }, 0, { code: 'refused', status: 400, provesNothingDone: true }, {}],
    [{ kind: 'error', status: 401 }, 0, { code: 'unauthorized', status: 401, provesNothingDone: true }, {}],
    [{ kind: 'error', status: 403 }, 0, { code: 'forbidden', status: 403, provesNothingDone: true }, {}],
  ])('is never sent again after %j; keys made: %i', async (effect, made, expected, counted) => {
    strike(effect)
    expect(await errorOf(openRouter.createKey(ADA))).toMatchObject(expected)
    expect(requests()).toEqual(['POST /keys'])
    expect(sandbox.state.keys()).toHaveLength(made)
    // It is settled and asked for anew by the run.
    expect(openRouter.retries).toEqual({ ...NONE, ...counted })
  })

  it('is sent again after 429, which proves that nothing was made', async () => {
    strike({ kind: 'rate-limit', retryAfter: 1 }, 3)
    const { secret } = await time.pass(openRouter.createKey(ADA))
    expect(requests()).toEqual(Array(4).fill('POST /keys'))
    expect(sandbox.state.keys().map((key) => key.secret)).toEqual([secret])
    expect(openRouter.retries).toEqual({ ...NONE, rateLimited: 3 })
  })

  it('is not sent again where the answer after 429 is lost', async () => {
    strike({ kind: 'rate-limit', retryAfter: 1 })
    strike({ kind: 'lose-answer' })
    expect(await errorOf(openRouter.createKey(ADA))).toMatchObject({ provesNothingDone: false })
    expect(requests()).toHaveLength(2)
    expect(sandbox.state.keys()).toHaveLength(1)
  })
})

describe('429', () => {
  it.each([
    ['in seconds', 7, 7000],
    ['as text', '7', 7000],
    // As the header itself, the wait is in whole seconds.
    ['in parts of a second', 0.5, 1000],
    ['in seconds and parts of one', 1.2, 2000],
    ['of nothing, which would be no pause at all', 0, 500],
    ['not at all', undefined, 500],
    ['in words', 'soon', 500],
    ['of the most that is waited for', 120, 120_000],
  ])('is waited for as it asks: %s', async (_, retryAfter, ms) => {
    strike({ kind: 'rate-limit', retryAfter })
    const duration = await time.durationOf(() => openRouter.createKey(ADA))
    expect(duration).toBe(ms)
    expect(sandbox.state.keys()).toHaveLength(1)
  })

  it('is waited for until a date', async () => {
    strike({ kind: 'rate-limit', retryAfter: new Date(Math.ceil(Date.now() / 1000) * 1000 + 30_000) })
    const duration = await time.durationOf(() => openRouter.createKey(ADA))
    expect(duration).toBeGreaterThanOrEqual(30_000)
    // The clock of a server's answers goes by whole seconds.
    expect(duration).toBeLessThanOrEqual(31_000)
  })

  it('is waited for as if it said nothing where the date has passed', async () => {
    strike({ kind: 'rate-limit', retryAfter: new Date(Date.now() - 60_000) })
    expect(await time.durationOf(() => openRouter.createKey(ADA))).toBe(500)
    expect(sandbox.state.keys()).toHaveLength(1)
  })

  it('is waited for longer each time where it does not say how long', async () => {
    strike({ kind: 'rate-limit' }, 8)
    const duration = await time.durationOf(() => openRouter.createKey(ADA))
    expect(duration).toBe(500 + 1000 + 2000 + 4000 + 8000 + 16_000 + 30_000 + 30_000)
  })

  it.each([
    ['429, in seconds', { kind: 'rate-limit', retryAfter: 121 }, 'rate_limited'],
    ['429, in a day', { kind: 'rate-limit', retryAfter: 86_400 }, 'rate_limited'],
    ['503, in a day', { kind: 'rate-limit', status: 503, retryAfter: 86_400 }, 'no_answer'],
  ] as const)('is not waited for beyond two minutes: %s', async (_, effect, code) => {
    strike(effect)
    const start = Date.now()
    expect(await errorOf(openRouter.listKeys())).toMatchObject({ code })
    expect(Date.now() - start).toBe(0)
    expect(requests()).toHaveLength(1)
  })

  it.each([60, 7, 0, undefined, new Date(0)])(
    'is given up on in the end: Retry-After %s',
    async (retryAfter) => {
      // A way out for the test, should the client never give up.
      let asked = 0
      sandbox.faults.add({ effect: { kind: 'rate-limit', retryAfter }, while: () => ++asked < 500 })
      const start = Date.now()
      const error = await errorOf(openRouter.createKey(ADA))
      expect(error).toMatchObject({ code: 'rate_limited', status: 429, provesNothingDone: true })
      expect(Date.now() - start).toBeLessThanOrEqual(200_000)
      expect(requests().length).toBeLessThanOrEqual(100)
    },
  )

  it('of one request holds back the others', async () => {
    const { hash } = sandbox.state.addKey({ name: 'a' })
    sandbox.faults.add({ method: 'POST', times: 1, effect: { kind: 'rate-limit', retryAfter: 9 } })
    await time.pass(
      Promise.all([
        openRouter.createKey(ADA),
        new Promise((resolve) => setTimeout(resolve, 1000)).then(() =>
          openRouter.updateKey(hash, { limit: 1 }),
        ),
      ]),
    )
    const [first, ...rest] = sandbox.state.requests.map(({ at }) => at.getTime())
    expect(rest.map((at) => at - (first ?? 0))).toEqual([9000, 9000])
  })

  it('503 that says how long is waited for as long', async () => {
    strike({ kind: 'rate-limit', status: 503, retryAfter: 40 })
    expect(await time.durationOf(() => openRouter.listKeys())).toBe(40_000)
    expect(openRouter.retries).toEqual({ ...NONE, serverErrors: 1 })
  })
})

describe('a server that does not answer', () => {
  it.each(['hang', 'hang-body'] as const)('is given 30 seconds (%s)', async (kind) => {
    strike({ kind })
    const start = Date.now()
    const error = await errorOf(openRouter.createKey(ADA))
    expect(Date.now() - start).toBe(30_000)
    expect(error.message).toBe(`${served.url} did not answer within 30 seconds.`)
  })

  it('is given up on at once by the signal', async () => {
    const giveUp = new AbortController()
    const client = new OpenRouter(
      { baseUrl: served.url, managementKey: sandbox.managementKey },
      { signal: giveUp.signal },
    )
    sandbox.faults.add({ effect: { kind: 'before', run: () => setTimeout(() => giveUp.abort(), 100) } })
    strike({ kind: 'hang' })
    const start = Date.now()
    const error = await time.pass(client.listKeys().catch((e) => e))
    expect(error).toBeInstanceOf(Error)
    expect(Date.now() - start).toBe(100)
    expect(requests()).toHaveLength(1)
    await expect(client.createKey(ADA)).rejects.toThrow()
    expect(requests()).toHaveLength(1)
  })
})

describe('a run that is stopping', () => {
  let stop: AbortController
  let client: OpenRouter
  beforeEach(() => {
    stop = new AbortController()
    client = new OpenRouter(
      { baseUrl: served.url, managementKey: sandbox.managementKey },
      { concurrency: 1, stopping: stop.signal },
    )
  })

  it('lets what is under way come home, and sends nothing more', async () => {
    strike({ kind: 'slow', ms: 3000 })
    const first = client.createKey(ADA)
    const second = errorOf(client.createKey(ADA))
    setTimeout(() => stop.abort(), 1000)
    const { secret } = await time.pass(first)
    expect(secret).toBe(sandbox.state.keys()[0]?.secret)
    expect(await second).toMatchObject({ code: 'not_sent', status: undefined, provesNothingDone: true })
    expect(await errorOf(client.createKey(ADA))).toMatchObject({ code: 'not_sent' })
    expect(requests()).toEqual(['POST /keys'])
  })

  it('does not wait for a pause to end', async () => {
    strike({ kind: 'rate-limit', retryAfter: 100 })
    setTimeout(() => stop.abort(), 1000)
    const start = Date.now()
    expect(await errorOf(client.createKey(ADA))).toMatchObject({ code: 'not_sent', provesNothingDone: true })
    expect(Date.now() - start).toBe(1000)
  })
})

describe('a refusal after an answer that was lost', () => {
  it.each<[Effect, boolean]>([
    [{ kind: 'lose-answer' }, false],
    [{ kind: 'error-after' }, false],
    [{ kind: 'hang', work: true }, false],
    [{ kind: 'wrong-shape' }, false],
    [{ kind: 'rate-limit', retryAfter: 1 }, true],
  ])('%j, then 400: it proves that nothing was changed: %s', async (effect, proves) => {
    const { hash } = sandbox.state.addKey({ name: 'a' })
    strike(effect)
    strike({ kind: 'error', status: 400 })
    const error = await errorOf(openRouter.updateKey(hash, { limit: 7 }))
    expect(error).toMatchObject({ code: 'refused', status: 400, provesNothingDone: proves })
  })
})

describe('errors tell what happened and what to do', () => {
  it.each<[string, Effect, string]>([
    [
      '401',
      { kind: 'error', status: 401 },
      'OpenRouter does not accept the management key (401: Missing or invalid API key). Check OPENROUTER_PROVISIONING_KEY;',
    ],
    [
      '403',
      { kind: 'error', status: 403 },
      'OpenRouter refused (403: Only management keys can perform this operation). The key in OPENROUTER_PROVISIONING_KEY must be a management key',
    ],
    [
      '404',
      { kind: 'error', status: 404 },
      'OpenRouter refused (404: Not found). Is OPENROUTER_BASE_URL right? It ends in /api/v1.',
    ],
    [
      '400',
      { kind: 'error', status: 400, message: 'name:  is\ntoo long.' },
      'OpenRouter refused (400: name: is too long).',
    ],
    [
      '429',
      { kind: 'rate-limit', retryAfter: 3600 },
      'OpenRouter asks us to slow down (429: Rate limit exceeded). Wait a while',
    ],
    ['500', { kind: 'error' }, 'OpenRouter failed (500: Internal server error). Run the same command again'],
    ['HTML, 502', { kind: 'html' }, 'OpenRouter failed (502: an HTML page).'],
    ['HTML, 403', { kind: 'html', status: 403 }, 'OpenRouter refused (403: an HTML page).'],
    [
      'HTML, 404',
      { kind: 'html', status: 404 },
      'OpenRouter refused (404: an HTML page). Is OPENROUTER_BASE_URL right?',
    ],
    [
      'HTML, 200',
      { kind: 'html', status: 200 },
      'answered with an HTML page (status 200). Is OPENROUTER_BASE_URL right',
    ],
    ['garbage', { kind: 'garbage' }, 'answered with something that is not JSON (status 201).'],
    ['wrong shape', { kind: 'wrong-shape' }, 'answer is not what its documentation promises (data).'],
    ['lost', { kind: 'reset' }, 'could not be reached ('],
  ])('%s', async (_, effect, message) => {
    strike(effect)
    const error = await errorOf(openRouter.createKey(ADA))
    expect(error.message).toContain(message)
    expect(error.message).not.toMatch(/\n/)
  })

  it('names the address where nobody listens', async () => {
    await served.close()
    const error = await errorOf(openRouter.listKeys())
    expect(error).toMatchObject({ code: 'no_answer', status: undefined })
    expect(error.message).toBe(`${served.url} could not be reached (ECONNREFUSED). Check the network.`)
    expect(openRouter.retries).toEqual({ ...NONE, lostConnections: 4 })
    served = await serve(sandbox)
  })

  it('tells a wrong key from a key that may not manage', async () => {
    const { secret } = sandbox.state.addKey({ name: 'a' })
    const ask = (managementKey: string) => new OpenRouter({ baseUrl: served.url, managementKey }).listKeys()
    expect(await errorOf(ask('sk-or-v1-wrong'))).toMatchObject({ code: 'unauthorized', status: 401 })
    expect(await errorOf(ask(secret))).toMatchObject({ code: 'forbidden', status: 403 })
  })

  it.each([
    ['', 'a list', () => openRouter.listKeys()],
    ['/v1', 'a list', () => openRouter.listKeys()],
    ['/v1', 'another list', () => openRouter.guardrailAssignments()],
    ['/v1', 'a creation', () => openRouter.createKey(ADA)],
  ])('asks whether the address is right that ends in “%s” and knows no %s', async (wrong, _, work) => {
    const baseUrl = served.url.replace('/api/v1', wrong)
    openRouter = new OpenRouter({ baseUrl, managementKey: sandbox.managementKey })
    const error = await errorOf(work())
    expect(error).toMatchObject({ code: 'refused', status: 404 })
    expect(error.message).toMatch(
      /^OpenRouter refused \(404: .*\)\. Is OPENROUTER_BASE_URL right\? It ends in \/api\/v1\.$/,
    )
  })

  it.each([
    ['one key', () => openRouter.updateKey('nobody', { limit: 1 })],
    ['one guardrail', () => openRouter.assignGuardrail('nothing', ['h'])],
    [
      'a workspace that is gone',
      () => {
        openRouter.workspaceId = '7b1b2c3d-0000-4000-8000-000000000000'
        return openRouter.listKeys()
      },
    ],
  ])('does not doubt the address where 404 is about %s', async (_, work) => {
    const error = await errorOf(work())
    expect(error.status).toBe(404)
    expect(error.message).not.toContain('OPENROUTER_BASE_URL')
  })

  it('does not doubt an address or a management key that has been right before', async () => {
    await time.pass(openRouter.listKeys())
    strike({ kind: 'error', status: 404 })
    expect((await errorOf(openRouter.createKey(ADA))).message).toBe('OpenRouter refused (404: Not found).')
    strike({ kind: 'error', status: 403, message: 'Guardrail forbids this' })
    expect((await errorOf(openRouter.createKey(ADA))).message).toBe(
      'OpenRouter refused (403: Guardrail forbids this).',
    )
  })

  it.each(['Only management keys can perform this operation', 'A provisioning key is required'])(
    'says at any time that it must be a management key, where OpenRouter does: %s',
    async (message) => {
      await time.pass(openRouter.listKeys())
      strike({ kind: 'error', status: 403, message })
      expect((await errorOf(openRouter.createKey(ADA))).message).toContain('must be a management key')
    },
  )

  it('takes a refusal in any words for one of the management key, as long as nothing has been done with it', async () => {
    strike({ kind: 'error', status: 403, message: 'No' })
    expect((await errorOf(openRouter.listKeys())).message).toBe(
      'OpenRouter refused (403: No). The key in OPENROUTER_PROVISIONING_KEY must be a management key, not one for using models.',
    )
  })

  it.each([401, 403])('names the variable that the management key came from: %i', async (status) => {
    const keyVariable = 'OPENROUTER_MANAGEMENT_KEY'
    openRouter = new OpenRouter({ baseUrl: served.url, managementKey: sandbox.managementKey, keyVariable })
    strike({ kind: 'error', status })
    const { message } = await errorOf(openRouter.listKeys())
    expect(message).toContain(keyVariable)
    expect(message).not.toContain('OPENROUTER_PROVISIONING_KEY')
  })

  it('tells a key that is not there', async () => {
    expect(await errorOf(openRouter.updateKey('nobody', { limit: 1 }))).toMatchObject({
      code: 'refused',
      status: 404,
    })
  })
})

describe('errors hold no secret', () => {
  const SECRET = `sk-or-v1-${'0123456789abcdef'.repeat(4)}`
  const OWN = 'my.own+word*of(passage)4711'

  /** Asks a server that answers as it likes; gives everything that could ever be seen of the error. */
  async function seenOf(listener: RequestListener, managementKey: string): Promise<string> {
    const server = createServer(listener).listen(0)
    const { port } = server.address() as AddressInfo
    const client = new OpenRouter({ baseUrl: `http://127.0.0.1:${port}/api/v1`, managementKey })
    const seen: string[] = []
    for (const work of [
      () => client.createKey(ADA),
      () => client.listKeys(),
      () => client.updateKey('h', {}),
    ]) {
      const error = await time.pass(work().catch((e) => e))
      expect(error).toBeInstanceOf(Error)
      seen.push(
        error.message,
        error.stack,
        JSON.stringify(error),
        inspect(error, { depth: 10, showHidden: true }),
      )
    }
    server.close()
    server.closeAllConnections()
    return seen.join('\n')
  }

  /** The parts of a key that nobody may see, of twelve characters each. */
  const parts = (key: string) => Array.from({ length: key.length - 11 }, (_, i) => key.slice(i, i + 12))

  describe.each([SECRET, OWN])('the management key being %s', (managementKey) => {
    const echoed = `${SECRET.replace('0', 'f')} for Bearer ${managementKey}`
    it.each<[string, number, string, string]>([
      ['400', 400, 'application/json', JSON.stringify({ error: { message: echoed } })],
      ['401', 401, 'application/json', JSON.stringify({ error: { message: echoed } })],
      ['403', 403, 'application/json', JSON.stringify({ error: { message: echoed } })],
      ['404', 404, 'application/json', JSON.stringify({ error: { message: echoed } })],
      ['500', 500, 'application/json', JSON.stringify({ error: { message: echoed } })],
      ['error of another shape', 400, 'application/json', JSON.stringify({ message: echoed })],
      ['HTML', 502, 'text/html', `<html>${echoed}</html>`],
      ['HTML that looks well', 200, 'text/html', `<html>${echoed}</html>`],
      ['no JSON', 200, 'application/json', `{"key": "${echoed}`],
      [
        'wrong shape',
        200,
        'application/json',
        JSON.stringify({ data: { hash: echoed }, key: echoed, [echoed]: 1 }),
      ],
    ])('%s that repeats it', async (_, status, type, body) => {
      const seen = await seenOf((_request, response) => {
        response.writeHead(status, { 'content-type': type, 'x-echo': managementKey })
        response.end(body)
      }, managementKey)
      expect(parts(managementKey).filter((part) => seen.includes(part))).toEqual([])
      expect(seen).not.toContain('sk-or-')
    })

    it.each([185, 190, 195, 199])('cut off after %i characters', async (before) => {
      const message = `${'x'.repeat(before)} ${managementKey}`
      const seen = await seenOf((_request, response) => {
        response.writeHead(400, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ error: { message } }))
      }, managementKey)
      expect(seen).not.toContain(managementKey.slice(0, 6))
    })

    it('in the words of the status line', async () => {
      const seen = await seenOf((_request, response) => {
        response.writeHead(400, `no ${managementKey}`)
        response.end('')
      }, managementKey)
      expect(seen).not.toContain(managementKey)
    })

    it('where the connection breaks', async () => {
      const seen = await seenOf((request) => request.socket.destroy(), managementKey)
      expect(seen).not.toContain(managementKey)
    })
  })

  it('where nobody answers in time', async () => {
    strike({ kind: 'hang' }, Number.POSITIVE_INFINITY)
    const error = await errorOf(openRouter.createKey(ADA))
    const seen = `${error.stack}${JSON.stringify(error)}${inspect(error, { depth: 10, showHidden: true })}`
    expect(seen).not.toContain(sandbox.managementKey)
  })

  it('nor does the client show the key by itself', () => {
    expect(inspect(openRouter, { depth: 10, showHidden: true })).not.toContain(sandbox.managementKey)
    expect(JSON.stringify(openRouter)).not.toContain(sandbox.managementKey)
  })
})
