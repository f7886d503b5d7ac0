import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { pupils, removeFolders } from '../e2e/support/classroom.js'
import { keysOfEach } from './support/end-state.js'
import { type CommandName, pass, runInside, startFastClock } from './support/inside.js'
import { expectRotated, openRotationRoom, type RotationRoom } from './support/rotated.js'
import {
  DELETE,
  effectsAt,
  GET,
  KINDS,
  PATCH,
  POST,
  runWell,
  untilDone,
  type When,
} from './support/stories.js'

/*
 * What makes and unmakes: each kind of fault at each kind of request of a rotation, and its death at each step.
 */

vi.mock('better-sqlite3', async (real) =>
  (await import('./support/life.js')).withTrackedConnections(await real()),
)
vi.mock('node:timers/promises', async () => (await import('./support/life.js')).fakeTimersPromises())

beforeEach(() => startFastClock())
afterEach(() => {
  vi.useRealTimers()
})
afterAll(removeFolders)

const CLASS = pupils(5)
const ALL: [CommandName, ...string[]] = ['rotate', '--all', '--concurrency', '3']
const DELETING: [CommandName, ...string[]] = [...ALL, '--delete-old']
const KEEPING: [CommandName, ...string[]] = [...ALL, '--keep-old', '3']
const DUE: [CommandName, ...string[]] = ['rotate', '--due', '--concurrency', '3']
const THREE_DAYS = 3 * 86_400_000
const TIMES: When[] = [
  ['the first', { nth: 1 }],
  ['every second', { every: 2 }],
]

describe('faults', () => {
  test.each(effectsAt(TIMES))('creations: $what, $when of them', async ({ effect, rule }) => {
    const room = await openRotationRoom(CLASS)
    const fault = room.sandbox.faults.add({ ...POST, ...rule, effect: effect() })
    await untilDone(room, ...ALL)
    expect(fault.fired).toBeGreaterThan(0)
    await expectRotated(room)
  })

  test.each(KINDS)('creations: %s, all of them in the first run', async (_, effect) => {
    const room = await openRotationRoom(CLASS)
    const fault = room.sandbox.faults.add({ ...POST, effect: effect() })
    expect([1, 3]).toContain((await runInside(room, ALL)).exitCode)
    // Nobody's old key was touched for a new one that is not there.
    expect(room.sandbox.state.requests.some(({ method }) => method === 'PATCH')).toBe(false)
    fault.remove()
    await runWell(room, ...ALL)
    await expectRotated(room)
  })

  test.each(effectsAt(TIMES))('old keys disabled: $what, $when of them', async ({ effect, rule }) => {
    const room = await openRotationRoom(CLASS)
    const fault = room.sandbox.faults.add({ ...PATCH, ...rule, effect: effect() })
    await untilDone(room, ...ALL)
    expect(fault.fired).toBeGreaterThan(0)
    await expectRotated(room)
  })

  test.each(effectsAt(TIMES))('old keys deleted: $what, $when of them', async ({ effect, rule }) => {
    const room = await openRotationRoom(CLASS)
    const fault = room.sandbox.faults.add({ ...DELETE, ...rule, effect: effect() })
    await untilDone(room, ...DELETING)
    expect(fault.fired).toBeGreaterThan(0)
    await expectRotated(room, { deleteOld: true })
  })

  test.each(KINDS)('old keys: %s, all of them in the first run', async (_, effect) => {
    for (const [argv, request, deleteOld] of [
      [ALL, PATCH, false],
      [DELETING, DELETE, true],
    ] as const) {
      const room = await openRotationRoom(CLASS.slice(0, 3))
      const fault = room.sandbox.faults.add({ ...request, effect: effect() })
      // What has come true without its answer is found to be so, and the run is over.
      const { exitCode } = await runInside(room, argv)
      fault.remove()
      if (exitCode !== 0) await runWell(room, ...argv)
      await expectRotated(room, { deleteOld })
    }
  })

  test.each(KINDS)('listings: %s, the first two', async (_, effect) => {
    const room = await openRotationRoom(CLASS.slice(0, 3))
    room.sandbox.faults.add({ ...GET, times: 2, effect: effect() })
    await untilDone(room, ...ALL)
    await expectRotated(room)
  })

  test('no more than so many in each second', async () => {
    const room = await openRotationRoom(CLASS)
    const fault = room.sandbox.faults.add({ effect: { kind: 'per-second', limit: 3 } })
    await untilDone(room, ...ALL)
    expect(fault.fired).toBeGreaterThan(0)
    await expectRotated(room)
  })

  test.each([
    ['POST', POST],
    ['PATCH', PATCH],
  ])('a %s that is refused for one student stops nobody else', async (_, request) => {
    const room = await openRotationRoom(CLASS)
    const fault = room.sandbox.faults.add({ ...request, nth: 2, effect: { kind: 'error', status: 400 } })
    const { exitCode, json } = await runInside(room, ALL)
    expect([exitCode, json.counts]).toEqual([3, { rotated: 4, failed: 1 }])
    fault.remove()
    const again = await runWell(room, ...ALL)
    expect(again.json.counts).toEqual({ rotated: 1 })
    await expectRotated(room)
  })

  test('401 in the middle ends the run, and the next one goes on with it', async () => {
    const room = await openRotationRoom(CLASS)
    const fault = room.sandbox.faults.add({ ...POST, nth: [3, 4, 5], effect: { kind: 'error', status: 401 } })
    const { exitCode, json } = await runInside(room, ALL)
    expect([exitCode, json.stopped.code]).toEqual([1, 'unauthorized'])
    expect(room.sandbox.state.requests.some(({ method }) => method === 'PATCH')).toBe(false)
    fault.remove()
    await runWell(room, ...ALL)
    await expectRotated(room)
  })
})

/** A class whose old keys are kept, on the day on which they are due. */
async function openDueRoom(people: RotationRoom['people'], ...flags: string[]): Promise<RotationRoom> {
  const room = await openRotationRoom(people)
  await runWell(room, ...KEEPING, ...flags)
  await pass(THREE_DAYS)
  return room
}

describe('old keys that are kept', () => {
  test.each(KINDS)('retired when they are due: %s, every second of them', async (_, effect) => {
    for (const [flags, request, deleteOld] of [
      [[], PATCH, false],
      [['--delete-old'], DELETE, true],
    ] as const) {
      const room = await openDueRoom(CLASS.slice(0, 3), ...flags)
      const fault = room.sandbox.faults.add({ ...request, every: 2, effect: effect() })
      await untilDone(room, ...DUE)
      expect(fault.fired).toBeGreaterThan(0)
      await expectRotated(room, { deleteOld })
    }
  })

  test.each(KINDS)('the new keys: %s, every second of them', async (_, effect) => {
    const room = await openRotationRoom(CLASS.slice(0, 3))
    room.sandbox.faults.add({ ...POST, every: 2, effect: effect() })
    await untilDone(room, ...KEEPING)
    expect(room.sandbox.state.requests.some(({ method }) => method === 'PATCH')).toBe(false)
    await pass(THREE_DAYS)
    await runWell(room, ...DUE)
    await expectRotated(room)
  })
})

describe('killed at each step', () => {
  const people = pupils(2)

  async function sweep(
    open: () => Promise<RotationRoom>,
    argv: readonly [CommandName, ...string[]],
    expectWell: (room: RotationRoom) => Promise<void>,
  ): Promise<number> {
    for (let step = 1; ; step++) {
      for (const when of ['before', 'after'] as const) {
        const room = await open()
        const { exitCode } = await runInside(room, argv, { step, when })
        await runWell(room, ...argv)
        await expectWell(room).catch((error: Error) => {
          error.message = `killed ${when} step ${step}: ${error.message}`
          throw error
        })
        if (exitCode !== 'killed') return step - 1
      }
    }
  }

  /** A run that was killed when everything was written is over: the next one is a new one, and as right as the first. */
  async function expectRotatedOnceOrAnew(room: RotationRoom, deleteOld: boolean): Promise<void> {
    const made = room.sandbox.state.requests.filter(({ method }) => method === 'POST').length
    if (made <= 2 * people.length - 1) return expectRotated(room, { deleteOld })
    const enabled = keysOfEach(room.sandbox, people).map((keys) => keys.filter((key) => !key.disabled).length)
    expect(enabled).toEqual(people.map(() => 1))
    expect([[...room.lockedOut], [...room.tooEarly]]).toEqual([[], []])
  }

  test.each([
    ['old keys disabled', ALL, false],
    ['old keys deleted', DELETING, true],
  ] as const)('%s', async (_, argv, deleteOld) => {
    const steps = await sweep(
      () => openRotationRoom(people),
      argv,
      (room) => expectRotatedOnceOrAnew(room, deleteOld),
    )
    // A creation and a change with their transactions for each, or the sweep has missed them.
    expect(steps).toBeGreaterThan(4 * people.length)
  })

  test('old keys kept, then retired when they are due', async () => {
    const kept = await sweep(
      () => openRotationRoom(people),
      KEEPING,
      async (room) => {
        expect(room.sandbox.state.requests.some(({ method }) => method === 'PATCH')).toBe(false)
        const enabled = keysOfEach(room.sandbox, people).flatMap((keys) =>
          keys.filter((key) => !key.disabled),
        )
        expect(enabled.length).toBeGreaterThanOrEqual(2 * people.length)
        await pass(THREE_DAYS)
        await runWell(room, ...DUE)
        await expectRotatedOnceOrAnew(room, false)
      },
    )
    expect(kept).toBeGreaterThan(3 * people.length)
    // What is due is done once, however often it is said.
    const due = await sweep(
      () => openDueRoom(people),
      DUE,
      (room) => expectRotated(room),
    )
    expect(due).toBeGreaterThan(2 * people.length)
  })

  test('a second rotation, while the old keys are still kept', async () => {
    const open = async () => {
      const room = await openRotationRoom(people)
      await runWell(room, ...KEEPING)
      return room
    }
    await sweep(open, ALL, async (room) => {
      const theirs = keysOfEach(room.sandbox, people)
      const enabled = theirs.map((keys) => keys.filter((key) => !key.disabled).length)
      expect(enabled).toEqual(people.map(() => 1))
      // A run that was killed when everything was written is over, and the next one is a new one.
      const counts = [...new Set(theirs.map((keys) => keys.length))]
      expect([[3], [4]]).toContainEqual(counts)
      expect([[...room.lockedOut], [...room.tooEarly]]).toEqual([[], []])
    })
  })

  test('while lost keys are deleted', async () => {
    const open = async () => {
      const room = await openRotationRoom(people)
      const lost = room.sandbox.faults.add({ ...POST, effect: { kind: 'lose-answer' } })
      const kept = room.sandbox.faults.add({ ...DELETE, effect: { kind: 'error', status: 400 } })
      await runInside(room, ALL)
      lost.remove()
      kept.remove()
      expect(keysOfEach(room.sandbox, people).map((keys) => keys.length)).toEqual([2, 2])
      return room
    }
    await sweep(open, ALL, (room) => expectRotatedOnceOrAnew(room, false))
  })

  test('provision in between changes nothing that the next rotate would not finish', async () => {
    for (let step = 1; step < 30; step += 2) {
      const room = await openRotationRoom(people)
      await runInside(room, ALL, { step, when: 'after' })
      await runWell(room, 'provision')
      await runWell(room, ...ALL)
      await expectRotatedOnceOrAnew(room, false)
    }
  })
})
