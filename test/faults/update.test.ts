import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { SandboxOptions } from '../../src/lib/sandbox/sandbox.js'
import { limitsText, removeFolders } from '../e2e/support/classroom.js'
import { changelog, expectTidy, keysOf, keysOfEach } from './support/end-state.js'
import { pass, runInside, startFastClock, writeLimits } from './support/inside.js'
import {
  CLASS,
  EFFECTS,
  effectsAt,
  GET,
  KINDS,
  openRoom,
  PAGES,
  PATCH,
  type Room,
  runWell,
  untilDone,
  type When,
} from './support/stories.js'

vi.mock('better-sqlite3', async (real) =>
  (await import('./support/life.js')).withTrackedConnections(await real()),
)
vi.mock('node:timers/promises', async () => (await import('./support/life.js')).fakeTimersPromises())

beforeEach(() => startFastClock())
afterEach(() => {
  vi.useRealTimers()
})
afterAll(removeFolders)

/** What the instructor asks of each: a new limit, none, to be disabled, both, or nothing. */
const TARGETS = CLASS.map(({ email }, i) => ({
  email,
  limit: ['7', 'unlimited', undefined, '0', undefined][i % 5],
  disabled: [undefined, undefined, 'true', 'true', undefined][i % 5],
}))

/** A class with keys, and a limits.csv that asks for changes. */
async function openWithTargets(options?: SandboxOptions): Promise<Room> {
  const room = await openRoom(CLASS, options)
  await runWell(room, 'provision')
  writeLimits(room, limitsText(TARGETS))
  return room
}

/** The changes that limits.csv asks for, as the changelog is to hold them. */
function wanted({ sandbox }: Room) {
  const keys = keysOfEach(sandbox, CLASS)
  return TARGETS.flatMap(({ limit, disabled }, i) => {
    const hash = keys[i]?.[0]?.hash
    const from = Number(CLASS[i]?.budget)
    return [
      ...(limit === undefined ? [] : [{ hash, action: 'update_limit', from: String(from), to: limit }]),
      ...(disabled === undefined ? [] : [{ hash, action: 'update_disabled', from: 'false', to: disabled }]),
    ]
  })
}

/** Every key is as limits.csv asks, and each change stands in the changelog once and under its own name. */
function expectUpdated(room: Room): void {
  const keys = keysOfEach(room.sandbox, CLASS)
  CLASS.forEach((person, i) => {
    const { limit, disabled } = TARGETS[i] ?? {}
    const asked = limit === undefined ? Number(person.budget) : limit === 'unlimited' ? null : Number(limit)
    expect(keys[i]).toMatchObject([{ limit: asked, disabled: disabled === 'true' }])
  })
  const money = (text: string | null) =>
    text !== null && /^[\d.]+$/.test(text) ? String(Number(text)) : text
  const rows = changelog(room.folder)
    .filter((row) => row.action !== 'provisioned')
    .map((row) => ({ ...row, from: money(row.from), to: money(row.to) }))
  const sorted = (all: object[]) =>
    all.map((row) => JSON.stringify(row, ['hash', 'action', 'from', 'to'])).sort()
  expect(sorted(rows)).toEqual(sorted(wanted(room)))
  expectTidy(room.folder)
}

const TIMES: When[] = [
  ['the first', { nth: 1 }],
  ['every third', { every: 3 }],
  ['the first nine', { times: 9 }],
]

describe('changes', () => {
  test.each(effectsAt(TIMES))('$what, $when of them', async ({ effect, rule }) => {
    const room = await openWithTargets()
    const fault = room.sandbox.faults.add({ ...PATCH, ...rule, effect: effect() })
    await untilDone(room, 'update')
    expect(fault.fired).toBeGreaterThan(0)
    expectUpdated(room)
  })

  test.each(EFFECTS)('%s, all of them in the first run', async (_, effect) => {
    const room = await openWithTargets()
    const fault = room.sandbox.faults.add({ ...PATCH, effect: effect() })
    // Where the work was done, the key itself can tell so: then the first run is well already.
    expect([0, 1, 3]).toContain((await runInside(room, ['update'])).exitCode)
    fault.remove()
    await runWell(room, 'update')
    expectUpdated(room)
  })

  test.each(KINDS)('%s, all of them in the first run; then a check, then provision', async (_, effect) => {
    const room = await openWithTargets()
    const fault = room.sandbox.faults.add({ ...PATCH, effect: effect() })
    await runInside(room, ['update'])
    fault.remove()
    await runWell(room, 'check')
    await runWell(room, 'provision')
    await runWell(room, 'check')
    await runWell(room, 'update')
    expectUpdated(room)
  })

  test.each([20_000, 31_000, 200_000])('one that comes true %i ms late', async (ms) => {
    const room = await openWithTargets()
    room.sandbox.faults.add({ ...PATCH, nth: [1, 4], effect: { kind: 'late', ms } })
    await untilDone(room, 'update')
    await pass(ms)
    await runWell(room, 'check')
    await runWell(room, 'update')
    expectUpdated(room)
  })

  test.each([
    [400, 'refused'],
    [403, 'refused'],
    [404, 'gone meanwhile'],
  ])(
    'one that came true without an answer, and is refused with %i (%s) when it is sent again',
    async (status) => {
      const room = await openWithTargets()
      const [person] = CLASS
      const [key] = person ? keysOf(room.sandbox, person) : []
      const path = new RegExp(`^/keys/${key?.hash}$`)
      room.sandbox.faults.add({ ...PATCH, path, nth: 1, effect: { kind: 'error-after' } })
      room.sandbox.faults.add({ ...PATCH, path, nth: 2, effect: { kind: 'error', status } })
      // The key itself is looked at then, and shows that the first request has done the work.
      expect((await runInside(room, ['update'])).exitCode).toBe(0)
      await runWell(room, 'update')
      expectUpdated(room)
    },
  )

  test('one that came true without an answer, and is then asked to wait for too long', async () => {
    const room = await openWithTargets()
    room.sandbox.faults.add({ ...PATCH, nth: 1, effect: { kind: 'lose-answer' } })
    room.sandbox.faults.add({ ...PATCH, effect: { kind: 'rate-limit', retryAfter: 3_600 } })
    expect([1, 3]).toContain((await runInside(room, ['update'])).exitCode)
    room.sandbox.faults.clear()
    await runWell(room, 'update')
    expectUpdated(room)
  })

  test('a target that is changed while the last change is in doubt', async () => {
    const room = await openWithTargets()
    const fault = room.sandbox.faults.add({ ...PATCH, effect: { kind: 'lose-answer' } })
    await runInside(room, ['update'])
    fault.remove()
    const [person] = CLASS
    writeLimits(room, limitsText([{ email: person?.email ?? '', limit: '9' }]))
    await runWell(room, 'update')
    const [key] = person ? keysOf(room.sandbox, person) : []
    const steps = changelog(room.folder).filter(
      (row) => row.hash === key?.hash && row.action === 'update_limit',
    )
    expect(steps.map(({ to }) => Number(to))).toEqual([7, 9])
  })

  test.each([401, 403])('%i for everybody ends the run', async (status) => {
    const room = await openWithTargets()
    const fault = room.sandbox.faults.add({ ...PATCH, effect: { kind: 'error', status } })
    const { exitCode, json } = await runInside(room, ['update', '--concurrency', '2'])
    expect(exitCode).toBe(1)
    expect(json.counts['not tried']).toBeGreaterThanOrEqual(5)
    expect(fault.fired).toBeLessThanOrEqual(2)
    fault.remove()
    await runWell(room, 'update')
    expectUpdated(room)
  })

  test('one that is refused stops nobody else', async () => {
    const room = await openWithTargets()
    const fault = room.sandbox.faults.add({ ...PATCH, nth: 3, effect: { kind: 'error', status: 400 } })
    const { exitCode, json } = await runInside(room, ['update'])
    expect([exitCode, json.counts.failed]).toEqual([3, 1])
    fault.remove()
    await runWell(room, 'update')
    expectUpdated(room)
  })

  test('an answer that says something else than was asked for is a failure', async () => {
    const room = await openWithTargets()
    const [person] = CLASS
    const [key] = person ? keysOf(room.sandbox, person) : []
    const body = { data: { ...key, secret: undefined, limit: 6 } }
    const path = new RegExp(`^/keys/${key?.hash}$`)
    room.sandbox.faults.add({ ...PATCH, path, times: 1, effect: { kind: 'wrong-shape', body } })
    const { exitCode, json } = await runInside(room, ['update'])
    expect([exitCode, json.counts.failed]).toEqual([3, 1])
  })
})

describe('listings', () => {
  test.each(KINDS)('%s, all pages: nothing is changed, and limits.csv stays as it is', async (_, effect) => {
    const room = await openWithTargets(PAGES)
    room.sandbox.faults.add({ ...GET, effect: effect() })
    expect((await runInside(room, ['update'])).exitCode).toBe(1)
    expect(room.sandbox.state.requests.some(({ method }) => method === 'PATCH')).toBe(false)
    room.sandbox.faults.clear()
    await runWell(room, 'update')
    expectUpdated(room)
  })
})
