import { describe, expect, test } from 'vitest'
import { ask, sandboxAt } from './asking.js'

// A Wednesday: the week began on Monday the 2nd, the month on Sunday the 1st.
const WEDNESDAY = '2026-03-04T12:00:00Z'

async function spent(reset: 'daily' | 'weekly' | 'monthly' | null, later: string, limit: number | null = 5) {
  const { sandbox, clock } = sandboxAt(WEDNESDAY)
  const { hash } = sandbox.state.addKey({ name: 'Ada', limit, limit_reset: reset })
  sandbox.state.addUsage(hash, 1, new Date('2026-03-01T09:00:00Z'))
  sandbox.state.addUsage(hash, 0.2, new Date('2026-03-03T23:59:59.999Z'))
  sandbox.state.addUsage(hash, 0.1)
  clock.set(later)
  const { data } = (await ask(sandbox, 'GET', `/keys/${hash}`)).body
  return data
}

describe('usage', () => {
  test.each([
    ['the same day', '2026-03-04T23:59:59Z', { usage_daily: 0.1, usage_weekly: 0.3, usage_monthly: 1.3 }],
    ['the next day', '2026-03-05T00:00:00Z', { usage_daily: 0, usage_weekly: 0.3, usage_monthly: 1.3 }],
    ['Sunday night', '2026-03-08T23:59:59Z', { usage_daily: 0, usage_weekly: 0.3, usage_monthly: 1.3 }],
    ['Monday', '2026-03-09T00:00:00Z', { usage_daily: 0, usage_weekly: 0, usage_monthly: 1.3 }],
    ['the next month', '2026-04-01T00:00:00Z', { usage_daily: 0, usage_weekly: 0, usage_monthly: 0 }],
  ])('%s', async (_, later, expected) => {
    expect(await spent(null, later)).toMatchObject({ ...expected, usage: 1.3 })
  })
})

describe('limit_remaining', () => {
  test.each([
    ['for life', null, WEDNESDAY, 5, 3.7],
    ['for life, next month', null, '2026-04-01T00:00:00Z', 5, 3.7],
    ['daily', 'daily', WEDNESDAY, 5, 4.9],
    ['daily, next day', 'daily', '2026-03-05T00:00:00Z', 5, 5],
    ['weekly', 'weekly', WEDNESDAY, 5, 4.7],
    ['weekly, on Monday', 'weekly', '2026-03-09T00:00:00Z', 5, 5],
    ['monthly', 'monthly', WEDNESDAY, 5, 3.7],
    ['monthly, next month', 'monthly', '2026-04-01T00:00:00Z', 5, 5],
    ['used up', null, WEDNESDAY, 1.3, 0],
    ['over the limit', null, WEDNESDAY, 1, 0],
    ['zero', null, WEDNESDAY, 0, 0],
    ['unlimited', null, WEDNESDAY, null, null],
    ['unlimited with a reset', 'daily', WEDNESDAY, null, null],
  ] as const)('%s', async (_, reset, later, limit, expected) => {
    expect(await spent(reset, later, limit)).toMatchObject({
      limit,
      limit_reset: reset,
      limit_remaining: expected,
    })
  })

  test('follows a limit that is raised', async () => {
    const { sandbox } = sandboxAt(WEDNESDAY)
    const { hash } = sandbox.state.addKey({ name: 'Ada', limit: 3, usage: 2.75 })
    const { body } = await ask(sandbox, 'PATCH', `/keys/${hash}`, { body: { limit: 8 } })
    expect(body.data).toMatchObject({ limit: 8, limit_remaining: 5.25, usage: 2.75 })
  })
})

describe('credits', () => {
  test('are what was bought, and what all keys spent, also those that are gone', async () => {
    const { sandbox } = sandboxAt(WEDNESDAY)
    const { hash } = sandbox.state.addKey({ name: 'Ada', usage: 1.1 })
    sandbox.state.addUsage(hash, 2.2)
    sandbox.state.addKey({ name: 'Bilal', usage: 0.5 })
    sandbox.state.deleteKey(hash)
    sandbox.state.setCredits(40)
    const { status, body } = await ask(sandbox, 'GET', '/credits')
    expect({ status, body }).toEqual({ status: 200, body: { data: { total_credits: 40, total_usage: 3.8 } } })
  })
})
