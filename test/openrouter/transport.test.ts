import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { asOpenRouterError, retryAfterMs } from '../../src/lib/openrouter/transport.js'

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
  ])('finds the reason of %s', async (error, reason) => {
    expect(await ask(error)).toMatchObject({
      code: 'no_answer',
      message: `https://x.example/api/v1 could not be reached (${reason}). Check the network.`,
    })
  })

  it('gives back what has nothing to do with a request', async () => {
    const ours = new RangeError('boom')
    expect(await ask(ours)).toBe(ours)
    expect(await ask('boom')).toEqual(new Error('boom'))
  })
})
