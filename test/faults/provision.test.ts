import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Pupil, pupils, removeFolders } from '../e2e/support/classroom.js'
import { handedOut, keysOf, keysOfEach, secretTimes } from './support/end-state.js'
import { type Outcome, pass, runInside, startFastClock } from './support/inside.js'
import {
  CLASS,
  DELETE,
  EFFECTS,
  effectsAt,
  expectAllWell,
  GET,
  openRoom,
  PAGES,
  POST,
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

const TIMES: When[] = [
  ['the first', { nth: 1 }],
  ['every third', { every: 3 }],
  ['the first nine', { times: 9 }],
]

describe('creations', () => {
  test.each(effectsAt(TIMES))('$what, $when of them', async ({ effect, rule }) => {
    const room = await openRoom()
    const fault = room.sandbox.faults.add({ ...POST, ...rule, effect: effect() })
    await untilDone(room, 'provision')
    expect(fault.fired).toBeGreaterThan(0)
    await expectAllWell(room)
  })

  test.each(EFFECTS)('%s, all of them in the first run', async (_, effect) => {
    const room = await openRoom()
    const fault = room.sandbox.faults.add({ ...POST, effect: effect() })
    const first = await runInside(room, ['provision'])
    expect([1, 3]).toContain(first.exitCode)
    fault.remove()
    await runWell(room, 'provision')
    await expectAllWell(room)
  })

  test('a server that refuses everything as too fast is given up within the hour', async () => {
    const room = await openRoom()
    room.sandbox.faults.add({ ...POST, effect: { kind: 'rate-limit' } })
    const start = Date.now()
    const { exitCode } = await runInside(room, ['provision'])
    expect([1, 3]).toContain(exitCode)
    expect(Date.now() - start).toBeLessThan(60 * 60_000)
  })

  test('no more than so many in each second', async () => {
    const room = await openRoom()
    const fault = room.sandbox.faults.add({ ...POST, effect: { kind: 'per-second', limit: 3 } })
    const [outcome] = await untilDone(room, 'provision')
    expect(fault.fired).toBeGreaterThan(0)
    expect(outcome).toMatchObject({ exitCode: 0, json: { counts: { created: CLASS.length } } })
    expect(outcome?.json.retries.rateLimited).toBe(fault.fired)
    await expectAllWell(room)
  })

  test('an answer that proves that nothing was made is the only one after which a creation is sent again', async () => {
    for (const [name, effect] of EFFECTS) {
      const room = await openRoom(CLASS.slice(0, 1), {})
      const listings = () => room.sandbox.state.requests.filter(({ method }) => method === 'GET').length
      const posts: number[] = []
      room.sandbox.faults.add({ ...POST, effect: { kind: 'before', run: () => posts.push(listings()) } })
      room.sandbox.faults.add({ ...POST, nth: 1, effect: effect() })
      await runInside(room, ['provision'])
      const refused = name.startsWith('429')
      expect([name, posts.length]).toEqual([name, 2])
      // Anything but a refusal: the list is looked at before the second one.
      expect([name, posts[1] === posts[0]]).toEqual([name, refused])
    }
  })

  test.each([5_000, 30_100, 30_700, 45_000, 90_000])(
    'one that comes true %i ms after it was sent, when nobody waits for it any more',
    async (ms) => {
      const room = await openRoom()
      room.sandbox.faults.add({ ...POST, nth: [2, 5], effect: { kind: 'late', ms } })
      await untilDone(room, 'provision')
      await pass(ms)
      await runWell(room, 'provision')
      await expectAllWell(room)
    },
  )

  test.each([2_000, 4_000])(
    'one that comes true %i ms after its answer was lost: the same run finds it, and nobody has two keys',
    async (ms) => {
      const room = await openRoom()
      const fault = room.sandbox.faults.add({
        ...POST,
        nth: [2, 5],
        effect: { kind: 'late', ms, reset: true },
      })
      const { exitCode, json } = await runInside(room, ['provision'])
      expect([fault.fired, exitCode]).toEqual([2, 0])
      expect(json.counts).toEqual({ created: CLASS.length - 2, healed: 2 })
      expect(json.deleted).toHaveLength(2)
      await expectAllWell(room)
    },
  )

  test('one that comes true in the midst of another look: what is open then is settled first', async () => {
    const room = await openRoom(CLASS.slice(0, 3), {})
    room.sandbox.faults.add({ ...POST, nth: 2, effect: { kind: 'late', ms: 2_000, reset: true } })
    // The one in its place is lost as well, and comes true at once.
    room.sandbox.faults.add({ ...POST, nth: 4, effect: { kind: 'lose-answer' } })
    const { exitCode, json } = await runInside(room, ['provision'])
    expect([exitCode, json.counts]).toEqual([0, { created: 2, healed: 1 }])
    await expectAllWell(room)
  })

  test('nobody waits for what may come late where every answer came', async () => {
    const room = await openRoom(CLASS.slice(0, 3), {})
    const start = Date.now()
    await runWell(room, 'provision')
    expect(Date.now() - start).toBeLessThan(1_000)
    const lossy = await openRoom(CLASS.slice(0, 3), {})
    lossy.sandbox.faults.add({ ...POST, nth: 2, effect: { kind: 'reset' } })
    const again = Date.now()
    await runWell(lossy, 'provision')
    expect(Date.now() - again).toBeGreaterThanOrEqual(5_000)
  })

  test('one that came late and has been used by then is left alone', async () => {
    const room = await openRoom(CLASS.slice(0, 3), {})
    const [person] = room.people
    room.sandbox.faults.add({
      ...POST,
      body: new RegExp(person?.mqId ?? ''),
      nth: 1,
      effect: { kind: 'late', ms: 2_000, reset: true },
    })
    // Whoever gets hold of it uses it: it is not deleted then, and a person has to look.
    const watch = room.sandbox.faults.add({
      ...GET,
      effect: {
        kind: 'before',
        run: () => {
          const [first, second] = person ? keysOf(room.sandbox, person) : []
          if (first && second) room.sandbox.state.addUsage(first.hash, 0.5)
        },
      },
    })
    await runInside(room, ['provision'])
    watch.remove()
    expect(room.sandbox.state.requests.some(({ method }) => method === 'DELETE')).toBe(false)
    expect(person && keysOf(room.sandbox, person)).toHaveLength(2)
  })

  test.each<[string, object]>([
    ['limit', { limit: '3' }],
    ['name', { name: null }],
    ['usage', { usage: 'none' }],
  ])('answers with an odd %s keep their secrets', async (_, odd) => {
    const room = await openRoom()
    const body = ({ data, ...rest }: { data: object }) => ({ ...rest, data: { ...data, ...odd } })
    const fault = room.sandbox.faults.add({ ...POST, every: 3, effect: { kind: 'wrong-shape', body } })
    const { exitCode, json } = await runInside(room, ['provision'])
    expect([fault.fired, exitCode, json.counts]).toEqual([4, 0, { created: CLASS.length }])
    await expectAllWell(room)
  })

  test('answers with odd fields keep their secrets, also where the keys cannot be asked about', async () => {
    const room = await openRoom()
    const body = ({ data, ...rest }: { data: object }) => ({ ...rest, data: { ...data, limit: '3' } })
    room.sandbox.faults.add({ ...POST, every: 3, effect: { kind: 'wrong-shape', body } })
    room.sandbox.faults.add({ method: 'GET', path: /^\/keys\/./, effect: { kind: 'hang' } })
    const { exitCode, json } = await runInside(room, ['provision'])
    expect([exitCode, json.counts]).toEqual([3, { created: 8, failed: 4 }])
    expect(handedOut(room.folder)).toHaveLength(CLASS.length)
    room.sandbox.faults.clear()
    await runWell(room, 'provision')
    await expectAllWell(room)
  })

  test('one that comes true late, while the next run is at work', async () => {
    const room = await openRoom(CLASS.slice(0, 3), {})
    room.sandbox.faults.add({ ...POST, nth: 2, effect: { kind: 'late', ms: 30 } })
    // Killed as soon as all three are sent: the second is still on its way when the next run reads the list.
    const { exitCode } = await runInside(room, ['provision'], { step: 9, when: 'before' })
    expect(exitCode).toBe('killed')
    await runInside(room, ['provision'])
    await pass(100)
    await runWell(room, 'provision')
    await expectAllWell(room)
  })

  test('each secret is in the ledger as soon as its answer is there, whatever the others wait for', async () => {
    const room = await openRoom(CLASS, {})
    // Half of the class is slow: the secrets of the other half are not kept waiting for it.
    room.sandbox.faults.add({ ...POST, every: 2, effect: { kind: 'slow', ms: 20_000 } })
    await runWell(room, 'provision', '--concurrency', '4')
    const made = new Map(room.sandbox.state.keys().map((key) => [key.hash, Date.parse(key.created_at)]))
    const waited = secretTimes(room.folder).map(({ hash, at }) => Date.parse(at) - (made.get(hash) ?? 0))
    expect(waited).toHaveLength(CLASS.length)
    expect(Math.max(...waited)).toBeLessThan(100)
  })

  test('each is told what became of it', async () => {
    const room = await openRoom(CLASS, {})
    room.sandbox.faults.add({ ...POST, nth: 2, effect: { kind: 'lose-answer' } })
    room.sandbox.faults.add({
      ...POST,
      body: /46100007/,
      effect: { kind: 'error', status: 400, message: 'No' },
    })
    const { exitCode, json } = await runInside(room, ['provision'])
    expect(exitCode).toBe(3)
    expect(json.counts).toEqual({ created: 10, healed: 1, failed: 1 })
    expect(json.deleted).toHaveLength(1)
    expect(json.students.find((student: Pupil) => student.mqId === '46100007')).toMatchObject({
      outcome: 'failed',
      reason: expect.stringContaining('400'),
    })
    expect(handedOut(room.folder)).toHaveLength(11)
    const again = await runInside(room, ['provision'])
    expect(again.json.counts).toEqual({ 'already had one': 11, failed: 1 })
  })

  test.each([401, 403])('%i for everybody ends the run', async (status) => {
    const room = await openRoom(CLASS, {})
    const fault = room.sandbox.faults.add({ ...POST, effect: { kind: 'error', status } })
    const { exitCode, json } = await runInside(room, ['provision', '--concurrency', '2'])
    expect(exitCode).toBe(1)
    expect(json.counts['not tried']).toBeGreaterThanOrEqual(10)
    expect(fault.fired).toBeLessThanOrEqual(2)
    fault.remove()
    await runWell(room, 'provision')
    await expectAllWell(room)
  })

  test('403 for one stops nobody else', async () => {
    const room = await openRoom(CLASS, {})
    const fault = room.sandbox.faults.add({ ...POST, nth: 1, effect: { kind: 'error', status: 403 } })
    const { exitCode, json } = await runInside(room, ['provision'])
    expect([exitCode, json.counts]).toEqual([3, { created: 11, failed: 1 }])
    fault.remove()
    await runWell(room, 'provision')
    await expectAllWell(room)
  })
})

describe('listings', () => {
  test.each(
    effectsAt([
      ['the first', { nth: 1 }],
      ['every second', { every: 2, times: 6 }],
      ['the first three', { times: 3 }],
    ]),
  )('$what, $when of the pages', async ({ effect, rule }) => {
    const room = await openRoom(CLASS, PAGES)
    const fault = room.sandbox.faults.add({ ...GET, ...rule, effect: effect() })
    await untilDone(room, 'provision')
    expect(fault.fired).toBeGreaterThan(0)
    await expectAllWell(room)
  })

  test.each(EFFECTS)('%s, all pages in the first run: no key is made', async (_, effect) => {
    const room = await openRoom(CLASS, PAGES)
    const fault = room.sandbox.faults.add({ ...GET, effect: effect() })
    const first = await runInside(room, ['provision'])
    expect(first.exitCode).toBe(1)
    expect(room.sandbox.state.keys()).toHaveLength(110)
    fault.remove()
    await runWell(room, 'provision')
    await expectAllWell(room)
  })

  /** Everybody has a key already, spread over four pages: whoever looks keyless for a moment gets a second one. */
  async function openFull() {
    const people = pupils(12)
    const room = await openRoom(people, {})
    const at = (n: number) => new Date(2026, 1, 1, 0, 0, n)
    for (let n = 0; n < 360; n++) {
      const person = n % 30 === 0 ? people[n / 30] : undefined
      const name = person ? `20260201_${person.first} ${person.last}_${person.mqId}` : `lab robot ${n}`
      room.sandbox.state.addKey({ name, created_at: at(n) })
    }
    return { ...room, foreign: new Set(room.sandbox.state.keys().map((key) => key.hash)) }
  }

  const newest = (room: Room, count: number) =>
    room.sandbox.state
      .keys()
      .filter((key) => key.name.startsWith('lab robot'))
      .slice(0, count)

  test.each([1, 2, 3, 37, 99, 100])('%i keys are deleted between two pages', async (count) => {
    const room = await openFull()
    room.sandbox.faults.beforePage((n) => {
      if (n > 4) return
      for (const key of newest(room, count).slice(0, Math.ceil(count / (n === 2 ? 1 : 4)))) {
        if (n === 2 || n === 4) room.sandbox.state.deleteKey(key.hash)
      }
    })
    const { exitCode, json } = await runInside(room, ['provision'])
    expect([exitCode, json.counts]).toEqual([0, { 'already had one': 12 }])
    expect(keysOfEach(room.sandbox, room.people).map((keys) => keys.length)).toEqual(Array(12).fill(1))
  })

  test.each([1, 2, 3, 37, 99, 100])('%i keys are made between two pages', async (count) => {
    const room = await openFull()
    room.sandbox.faults.beforePage((n) => {
      if (n === 2 || n === 3)
        for (let i = 0; i < count; i++) room.sandbox.state.addKey({ name: `new robot ${n} ${i}` })
    })
    const { exitCode, json } = await runInside(room, ['provision'])
    expect([exitCode, json.counts]).toEqual([0, { 'already had one': 12 }])
    expect(keysOfEach(room.sandbox, room.people).map((keys) => keys.length)).toEqual(Array(12).fill(1))
  })

  test('keys are made and deleted between two pages, as many of the one as of the other', async () => {
    const room = await openFull()
    room.sandbox.faults.beforePage((n) => {
      if (n !== 2 && n !== 4) return
      for (const key of newest(room, 60)) room.sandbox.state.deleteKey(key.hash)
      for (let i = 0; i < 60; i++) room.sandbox.state.addKey({ name: `lab robot again ${n} ${i}` })
    })
    const { exitCode, json } = await runInside(room, ['provision'])
    expect([exitCode, json.counts]).toEqual([0, { 'already had one': 12 }])
  })

  test('a list that never stands still is said to be one, and nobody is given a key', async () => {
    const room = await openFull()
    room.sandbox.faults.beforePage(() => {
      // More go than come, and by more than pages overlap.
      for (const key of newest(room, 8)) room.sandbox.state.deleteKey(key.hash)
      for (let i = 0; i < 2; i++) room.sandbox.state.addKey({ name: 'lab robot again' })
    })
    const { exitCode, json } = await runInside(room, ['provision'])
    expect([exitCode, json.error.code]).toEqual([1, 'list_unstable'])
    expect(room.sandbox.state.requests.some(({ method }) => method === 'POST')).toBe(false)
  })
})

describe('deletions of lost keys', () => {
  /** All answers of a first run are lost: there is a key for each person, and nobody has its secret. */
  async function openLost() {
    const room = await openRoom()
    const fault = room.sandbox.faults.add({ ...POST, effect: { kind: 'lose-answer' } })
    const stop = room.sandbox.faults.add({ ...DELETE, effect: { kind: 'error', status: 503 } })
    await runInside(room, ['provision'])
    expect(keysOfEach(room.sandbox, CLASS).map((keys) => keys.length)).toEqual(CLASS.map(() => 1))
    fault.remove()
    stop.remove()
    return room
  }

  test.each(effectsAt(TIMES))('$what, $when of them', async ({ effect, rule }) => {
    const room = await openLost()
    const fault = room.sandbox.faults.add({ ...DELETE, ...rule, effect: effect() })
    await untilDone(room, 'provision')
    expect(fault.fired).toBeGreaterThan(0)
    await expectAllWell(room)
  })

  test('one that OpenRouter refuses stops nobody else', async () => {
    const room = await openLost()
    const [person] = CLASS
    const [key] = person ? keysOf(room.sandbox, person) : []
    const path = new RegExp(`^/keys/${key?.hash}$`)
    const fault = room.sandbox.faults.add({ ...DELETE, path, effect: { kind: 'error', status: 400 } })
    const { exitCode, json } = await runInside(room, ['provision'])
    expect([exitCode, json.counts.healed]).toEqual([3, 11])
    fault.remove()
    await runWell(room, 'provision')
    await expectAllWell(room)
  })
})

describe('everything at once', () => {
  test.each([1, 2, 3, 4, 5, 6])(
    'each request meets one of the faults with some probability (%i)',
    async (seed) => {
      const room = await openRoom(CLASS, PAGES)
      const faults = EFFECTS.map(([, effect], i) =>
        room.sandbox.faults.add({ probability: 0.02, seed: seed * 100 + i, effect: effect() }),
      )
      let exitCode: Outcome['exitCode'] = 1
      for (let runs = 0; runs < 8 && exitCode !== 0; runs++)
        exitCode = (await runInside(room, ['provision'])).exitCode
      expect(faults.some((fault) => fault.fired > 0)).toBe(true)
      room.sandbox.faults.clear()
      await runWell(room, 'provision')
      await expectAllWell(room)
    },
  )
})
