import { HTTPError, TimeoutError } from 'ky'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { asOpenRouterError, countLost, retryAfterMs } from '../../src/lib/openrouter/transport.js'

// The transport itself is tested through its only user, against a server: see client.test.ts.

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-03-02T10:00:00Z') })
})
afterEach(() => {
  vi.useRealTimers()
})

it.each([
  [undefined, undefined],
  ['7', 7000],
  [' 7 ', 7000],
  ['0', 0],
  ['0.25', 250],
  ['soon', undefined],
  ['', undefined],
  ['Mon, 02 Mar 2026 10:00:30 GMT', 30_000],
  ['Mon, 02 Mar 2026 09:59:30 GMT', 0],
  ['2026-03-02T10:01:00Z', 60_000],
])('Retry-After %j asks to wait for %s ms', (header, ms) => {
  const headers: Record<string, string> = header === undefined ? {} : { 'retry-after': header }
  expect(retryAfterMs(new Response('', { status: 429, headers }))).toBe(ms)
})

it.each([
  // A clock that is a quarter of an hour behind, and one that is ahead.
  ['Mon, 02 Mar 2026 09:45:00 GMT', 'Mon, 02 Mar 2026 09:45:30 GMT', 30_000],
  ['Mon, 02 Mar 2026 10:15:00 GMT', 'Mon, 02 Mar 2026 10:15:30 GMT', 30_000],
  ['Mon, 02 Mar 2026 10:15:00 GMT', 'Mon, 02 Mar 2026 10:14:30 GMT', 0],
  ['Mon, 02 Mar 2026 10:15:00 GMT', '30', 30_000],
  ['no date', 'Mon, 02 Mar 2026 10:00:30 GMT', 30_000],
  ['', 'Mon, 02 Mar 2026 10:00:30 GMT', 30_000],
])('by the clock of the one who says %j, Retry-After %j asks to wait for %s ms', (date, header, ms) => {
  const response = new Response('', { status: 429, headers: { date, 'retry-after': header } })
  expect(retryAfterMs(response)).toBe(ms)
})

describe('what was lost', () => {
  const NONE = { rateLimited: 0, serverErrors: 0, timeouts: 0, lostConnections: 0 }
  const request = new Request('https://x.example')
  const answered = (status: number) =>
    new HTTPError(new Response('', { status }), request, {} as ConstructorParameters<typeof HTTPError>[2])

  it.each<[string, unknown, Partial<typeof NONE>]>([
    ['500', answered(500), { serverErrors: 1 }],
    ['503', answered(503), { serverErrors: 1 }],
    ['599', answered(599), { serverErrors: 1 }],
    ['499', answered(499), {}],
    ['429, which is counted elsewhere', answered(429), {}],
    ['400', answered(400), {}],
    ['nothing in time', new TimeoutError(request), { timeouts: 1 }],
    ['a broken connection', new TypeError('fetch failed'), { lostConnections: 1 }],
    ['anything else', new Error('garbled'), { lostConnections: 1 }],
  ])('is counted after %s', (_, error, counted) => {
    const retries = { ...NONE }
    countLost(retries, error)
    expect(retries).toEqual({ ...NONE, ...counted })
  })
})

describe('asOpenRouterError', () => {
  const account = { baseUrl: 'https://x.example/api/v1', managementKey: 'made-up-key' }
  const ask = (error: unknown) => asOpenRouterError(error, account, { path: 'keys', proven: false })

  it.each([
    [
      Object.assign(new TypeError('fetch failed'), {
        cause: Object.assign(new Error('no'), { code: 'ENOTFOUND' }),
      }),
      'ENOTFOUND',
    ],
    [
      Object.assign(new TypeError('fetch failed'), {
        cause: new AggregateError([Object.assign(new Error('no'), { code: 'ECONNREFUSED' })]),
      }),
      'ECONNREFUSED',
    ],
    [new TypeError('fetch failed'), 'fetch failed'],
  ])('finds the reason of %s', (error, reason) => {
    expect(ask(error)).toMatchObject({
      code: 'no_answer',
      message: `https://x.example/api/v1 could not be reached (${reason}). Check the network.`,
    })
  })

  it('gives back what has nothing to do with a request', () => {
    const ours = new RangeError('boom')
    expect(ask(ours)).toBe(ours)
    expect(ask('boom')).toEqual(new Error('boom'))
  })
})
