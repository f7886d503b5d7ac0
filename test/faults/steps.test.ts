import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { limitsText, pupils, removeFolders } from '../e2e/support/classroom.js'
import { changelog, handedOut, keysOfEach } from './support/end-state.js'
import { runInside, startFastClock, writeLimits } from './support/inside.js'
import type { KillPoint } from './support/life.js'
import { DELETE, expectAllWell, openRoom, PATCH, POST, type Room, runWell } from './support/stories.js'

/*
 * A run is a row of steps, requests and transactions of the ledger, and can die before and after each. Here it dies at
 * every single one of them.
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

const CLASS = pupils(3)

/** Kills the same story at each of its steps, and looks at how the next run ends it. */
async function sweep(
  open: () => Promise<Room>,
  argv: ['provision' | 'update', ...string[]],
  expectWell: (room: Room) => Promise<void>,
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

const argv: ['provision', ...string[]] = ['provision', '--concurrency', '2']

describe('killed at each step', () => {
  test('of a provision', async () => {
    const steps = await sweep(() => openRoom(CLASS, {}), argv, expectAllWell)
    // Two transactions and a request for each student at least, or the sweep has missed them.
    expect(steps).toBeGreaterThan(3 * CLASS.length)
  })

  test('of a provision that heals', async () => {
    // Two at work at the same time are enough: the steps are twice as many, and so are the runs for each.
    const people = pupils(2)
    const open = async () => {
      const room = await openRoom(people, {})
      const lost = room.sandbox.faults.add({ ...POST, effect: { kind: 'lose-answer' } })
      const kept = room.sandbox.faults.add({ ...DELETE, effect: { kind: 'error', status: 400 } })
      await runInside(room, ['provision'])
      lost.remove()
      kept.remove()
      expect(keysOfEach(room.sandbox, people).map((keys) => keys.length)).toEqual([1, 1])
      return room
    }
    const steps = await sweep(open, argv, expectAllWell)
    expect(steps).toBeGreaterThan(6 * people.length)
  })

  test('of an update', async () => {
    const open = async () => {
      const room = await openRoom(CLASS, {})
      await runWell(room, 'provision')
      writeLimits(room, limitsText(CLASS.map(({ email }) => ({ email, limit: '7', disabled: 'true' }))))
      return room
    }
    const steps = await sweep(open, ['update', '--concurrency', '2'], async (room) => {
      expect(room.sandbox.state.keys()).toMatchObject(CLASS.map(() => ({ limit: 7, disabled: true })))
      const changes = changelog(room.folder).filter(({ action }) => action !== 'provisioned')
      expect(changes.map(({ action }) => action).sort()).toEqual([
        ...CLASS.map(() => 'update_disabled'),
        ...CLASS.map(() => 'update_limit'),
      ])
    })
    expect(steps).toBeGreaterThan(2 * CLASS.length)
  })

  test('and again at each step of the next run, with one student', async () => {
    const people = pupils(1)
    const deaths: KillPoint[] = Array.from({ length: 22 }, (_, i) => ({
      step: 1 + (i >> 1),
      when: i % 2 === 0 ? 'before' : 'after',
    }))
    // Each second death of each first one would be too many: every seventh is as good, and all kinds are met.
    for (const [i, first] of deaths.entries()) {
      for (const second of deaths.filter((_, j) => (i + j) % 7 === 0)) {
        const room = await openRoom(people, {})
        await runInside(room, ['provision'], first)
        await runInside(room, ['provision'], second)
        await runWell(room, 'provision')
        await expectAllWell(room).catch((error: Error) => {
          error.message = `killed at ${JSON.stringify([first, second])}: ${error.message}`
          throw error
        })
      }
    }
  }, 60_000)
})

describe('the ledger is locked by another program', () => {
  /** Another program's exclusive lock on the ledger. */
  function lock({ folder }: Room): () => void {
    const other = new Database(join(folder, 'keys.db'), { timeout: 1000 })
    other.exec('BEGIN EXCLUSIVE')
    return () => other.close()
  }

  test.each(['provision', 'update', 'check', 'export-keys'] as const)(
    'from the start: %s says so',
    async (command) => {
      const room = await openRoom(CLASS, {})
      await runWell(room, 'provision')
      writeLimits(room, limitsText([{ email: CLASS[0]?.email ?? '', limit: '7' }]))
      const asked = room.sandbox.state.requests.length
      const unlock = lock(room)
      const { exitCode, json } = await runInside(room, [command])
      expect([exitCode, json.error.code]).toEqual([1, 'ledger_locked'])
      expect(json.error.message).toContain('keys.db is locked by another program')
      expect(room.sandbox.state.requests.slice(asked).filter(({ method }) => method !== 'GET')).toEqual([])
      unlock()
      await runWell(room, command)
    },
  )

  test.each([1, 2, 4, 7])('from creation %i on: no further key is made, and nothing is lost', async (n) => {
    const room = await openRoom(pupils(10), {})
    let unlock = () => {}
    room.sandbox.faults.add({
      ...POST,
      nth: n,
      effect: {
        kind: 'before',
        run: () => {
          unlock = lock(room)
        },
      },
    })
    const { exitCode, json } = await runInside(room, argv)
    unlock()
    expect([exitCode, (json.stopped ?? json.error).code]).toEqual([1, 'ledger_locked'])
    const posts = room.sandbox.state.requests.filter(({ method }) => method === 'POST').length
    // Those that were under way, two at a time, and none after them.
    expect(posts).toBeLessThanOrEqual(n + 1)
    await runWell(room, 'provision')
    await expectAllWell(room)
  })

  test('from the second change on: no further key is changed, and each stands in the changelog once', async () => {
    const room = await openRoom(pupils(10), {})
    await runWell(room, 'provision')
    writeLimits(room, limitsText(room.people.map(({ email }) => ({ email, limit: '7' }))))
    let unlock = () => {}
    room.sandbox.faults.add({
      ...PATCH,
      nth: 2,
      effect: {
        kind: 'before',
        run: () => {
          unlock = lock(room)
        },
      },
    })
    const { exitCode, json } = await runInside(room, ['update', '--concurrency', '2'])
    unlock()
    expect([exitCode, (json.stopped ?? json.error).code]).toEqual([1, 'ledger_locked'])
    expect(room.sandbox.state.requests.filter(({ method }) => method === 'PATCH').length).toBeLessThanOrEqual(
      3,
    )
    await runWell(room, 'update')
    const changes = changelog(room.folder).filter(({ action }) => action !== 'provisioned')
    expect(changes.map(({ action }) => action)).toEqual(room.people.map(() => 'update_limit'))
  })

  test('only between two transactions of a secret: it is waited for', async () => {
    const room = await openRoom(CLASS, {})
    room.sandbox.faults.add({
      ...POST,
      nth: 2,
      effect: {
        kind: 'before',
        run: () => {
          // Let go before the answer is there.
          const unlock = lock(room)
          queueMicrotask(unlock)
        },
      },
    })
    await runWell(room, 'provision')
    expect(handedOut(room.folder)).toHaveLength(3)
    await expectAllWell(room)
  })
})
