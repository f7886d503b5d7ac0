import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { sumUsd } from '../../src/lib/core/money.js'
import type { Effect } from '../../src/lib/sandbox/effects.js'
import { csvRows, limitsText, pupils, removeFolders } from '../e2e/support/classroom.js'
import { changelog, handedOut, keysOf, keysOfEach, relativeTargets } from './support/end-state.js'
import { type CommandName, pass, runInside, startFastClock, writeLimits } from './support/inside.js'
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

/** Kills the same story at each of its steps, and looks at how the next run ends it, after what runs `between`. */
async function sweep(
  open: () => Promise<Room>,
  argv: ['provision' | 'update', ...string[]],
  expectWell: (room: Room) => Promise<void>,
  between: readonly [CommandName, ...string[]][] = [],
): Promise<number> {
  for (let step = 1; ; step++) {
    for (const when of ['before', 'after'] as const) {
      const room = await open()
      const { exitCode } = await runInside(room, argv, { step, when })
      for (const each of between) await runWell(room, ...each)
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

  describe('of an update that adds to limits', () => {
    const [one, two] = CLASS
    const budgets = CLASS.map(({ budget }) => Number(budget))
    const added = [5, 2.5, 0.01]
    const cells = ['+5', '+ $2.50', '+.01']
    const wanted = budgets.map((budget, i) => sumUsd([budget, added[i] ?? 0]))

    /** A class with keys, and a limits.csv whose first columns are these. */
    async function openRaised(header: string, more: (i: number) => string): Promise<Room> {
      const room = await openRoom(CLASS, {})
      await runWell(room, 'provision')
      const rows = CLASS.map(({ email }, i) => `${email},${cells[i]},,${more(i)}`)
      writeLimits(room, `${[`email,target_limit,target_disabled,${header}`, ...rows].join('\n')}\n`)
      return room
    }
    const openPlain = () => openRaised('actual_limit', (i) => String(budgets[i]))

    /** Every amount was added exactly once, and nothing asks for it once more. */
    async function expectAddedOnce(room: Room): Promise<void> {
      expect(CLASS.map((person) => keysOf(room.sandbox, person)[0]?.limit)).toEqual(wanted)
      const changes = changelog(room.folder).filter(({ action }) => action !== 'provisioned')
      expect(changes.map(({ action, to }) => [action, Number(to)]).sort()).toEqual(
        wanted.map((amount) => ['update_limit', amount]).sort(),
      )
      const rows = csvRows(readFileSync(join(room.folder, 'limits.csv'), 'utf8'))
      expect(rows.map((row) => [row.target_limit, row.actual_limit])).toEqual(
        wanted.map((amount) => [amount.toFixed(2), amount.toFixed(2)]),
      )
      expect(relativeTargets(room.folder)).toEqual([])
      const asked = room.sandbox.state.requests.length
      await runWell(room, 'update')
      const later = room.sandbox.state.requests.slice(asked)
      expect(later.filter(({ method }) => method === 'PATCH')).toEqual([])
    }

    const update: ['update', ...string[]] = ['update', '--concurrency', '2']

    test.each<[string, [CommandName, ...string[]][]]>([
      ['', []],
      [', then the limits file is refreshed', [['refresh-limits-file']]],
      [', then check and provision run', [['check'], ['provision']]],
      [', then a dry run shows it', [['update', '--dry-run']]],
    ])('each once%s', async (_, between) => {
      const steps = await sweep(openPlain, update, expectAddedOnce, between)
      // Beside the steps of any update: what they come to is read, written down, and forgotten.
      expect(steps).toBeGreaterThan(2 * CLASS.length + 4)
    })

    test('each once, with a file that shows the amount already: it is refused until it is refreshed', async () => {
      const open = async () => {
        const room = await openRaised('actual_limit', (i) => String(wanted[i]))
        const { exitCode, json } = await runInside(room, update)
        expect([exitCode, json.error.problems.length]).toEqual([2, CLASS.length])
        expect(relativeTargets(room.folder)).toEqual([])
        expect(room.sandbox.state.requests.some(({ method }) => method === 'PATCH')).toBe(false)
        await runWell(room, 'refresh-limits-file')
        return room
      }
      await sweep(open, update, expectAddedOnce)
    })

    test('each once, with a file that tells nothing of what is', async () => {
      await sweep(() => openRaised('mq_id', (i) => CLASS[i]?.mqId ?? ''), update, expectAddedOnce)
    })

    test('each once, and the period of reset with it', async () => {
      const open = () => openRaised('target_limit_reset', () => 'daily')
      await sweep(open, update, async (room) => {
        const keys = CLASS.map((person) => keysOf(room.sandbox, person)[0])
        expect(keys.map((key) => key?.limit)).toEqual(wanted)
        expect(keys.map((key) => key?.limit_reset)).toEqual(['daily', 'daily', 'daily'])
        const actions = changelog(room.folder).map(({ action }) => action)
        for (const action of ['provisioned', 'update_limit', 'update_limit_reset'])
          expect(actions.filter((each) => each === action)).toHaveLength(CLASS.length)
        expect(actions).toHaveLength(3 * CLASS.length)
      })
    })

    test('each once, where the next run is killed too', async () => {
      const { steps } = await runInside(await openPlain(), update)
      const deaths: KillPoint[] = Array.from({ length: 2 * steps }, (_, i) => ({
        step: 1 + (i >> 1),
        when: i % 2 === 0 ? 'before' : 'after',
      }))
      for (const [i, first] of deaths.entries()) {
        for (const second of deaths.filter((_, j) => (i + j) % 19 === 0)) {
          const room = await openPlain()
          await runInside(room, update, first)
          await runInside(room, update, second)
          await runWell(room, 'update')
          await expectAddedOnce(room).catch((error: Error) => {
            error.message = `killed at ${JSON.stringify([first, second])}: ${error.message}`
            throw error
          })
        }
      }
    }, 120_000)

    test('the same words written anew after a run that was killed as late as can be are added again', async () => {
      const { steps } = await runInside(await openPlain(), update)
      // Whatever the last steps are: the file has the amounts, and the ledger may still have them too.
      let again = 0
      for (let step = steps - 3; step <= steps; step++) {
        for (const when of ['before', 'after'] as const) {
          const room = await openPlain()
          await runInside(room, update, { step, when })
          const path = join(room.folder, 'limits.csv')
          const rows = csvRows(readFileSync(path, 'utf8'))
          if (!rows.every((row, i) => row.target_limit === wanted[i]?.toFixed(2))) continue
          again += 1
          writeLimits(
            room,
            `${['email,target_limit,target_disabled,actual_limit', ...rows.map((row, i) => `${row.email},${cells[i]},,${row.actual_limit}`)].join('\n')}\n`,
          )
          await runWell(room, 'update')
          expect(CLASS.map((person) => keysOf(room.sandbox, person)[0]?.limit)).toEqual(
            wanted.map((amount, i) => sumUsd([amount, added[i] ?? 0])),
          )
        }
      }
      expect(again).toBeGreaterThan(1)
    })

    test('those that are refused ask again, the others not', async () => {
      const room = await openPlain()
      const [key] = two ? keysOf(room.sandbox, two) : []
      const path = new RegExp(`^/keys/${key?.hash}$`)
      const fault = room.sandbox.faults.add({ ...PATCH, path, effect: { kind: 'error', status: 400 } })
      for (let n = 0; n < 2; n++) {
        expect((await runInside(room, update)).exitCode).toBe(3)
        const rows = csvRows(readFileSync(join(room.folder, 'limits.csv'), 'utf8'))
        expect(rows.map((row) => row.target_limit)).toEqual([
          wanted[0]?.toFixed(2),
          `"'${cells[1]}"`,
          wanted[2]?.toFixed(2),
        ])
        expect(relativeTargets(room.folder)).toEqual([{ hash: key?.hash, target: wanted[1] }])
        await runWell(room, 'refresh-limits-file')
      }
      fault.remove()
      await runWell(room, 'update')
      await expectAddedOnce(room)
    })

    test.each<[string, Effect, boolean]>([
      ['its answer is lost', { kind: 'lose-answer' }, true],
      ['the connection breaks before it', { kind: 'reset' }, false],
    ])('a change in doubt asks on, and is done once: %s', async (_, effect, done) => {
      const room = await openPlain()
      const [key] = one ? keysOf(room.sandbox, one) : []
      const path = new RegExp(`^/keys/${key?.hash}$`)
      const limits = readFileSync(join(room.folder, 'limits.csv'), 'utf8')
      room.sandbox.faults.add({ method: ['PATCH', 'GET'], path, effect })
      expect((await runInside(room, update)).exitCode).toBe(3)
      expect(keysOf(room.sandbox, one ?? { mqId: '' })[0]?.limit).toBe(done ? wanted[0] : budgets[0])
      expect(readFileSync(join(room.folder, 'limits.csv'), 'utf8')).toBe(limits)
      expect(relativeTargets(room.folder)).toHaveLength(3)
      room.sandbox.faults.clear()
      await runWell(room, 'provision')
      await runWell(room, 'update')
      await expectAddedOnce(room)
    })

    test('one that comes true late is done once', async () => {
      const room = await openPlain()
      room.sandbox.faults.add({ ...PATCH, nth: 1, effect: { kind: 'late', ms: 31_000 } })
      await runInside(room, update)
      await pass(31_000)
      await runWell(room, 'update')
      await runWell(room, 'update')
      await expectAddedOnce(room)
    })

    test('the amount counts, and not how it is written', async () => {
      const room = await openPlain()
      await runInside(room, update, { step: 12, when: 'after' })
      const text = readFileSync(join(room.folder, 'limits.csv'), 'utf8')
      writeLimits(room, text.replace(',+5,', ',+$5.00,').replace(',+ $2.50,', ',+2.5,'))
      await runWell(room, 'update')
      await expectAddedOnce(room)
    })
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
