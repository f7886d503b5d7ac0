import { copyFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  type Classroom,
  limitsText,
  MANAGEMENT_KEY,
  newFolder,
  openClassroom,
  type Pupil,
  pupils,
  removeFolders,
  rosterText,
} from '../e2e/support/classroom.js'
import { type Ended, type Running, run } from '../e2e/support/program.js'
import {
  changelog,
  deletedBy,
  expectOneKeyEach,
  expectTidy,
  keysOfEach,
  openCreations,
} from './support/end-state.js'
import { AGREED, type CommandName, exportInside, runInside } from './support/inside.js'
import { expectRotated, openRotation } from './support/rotated.js'

/*
 * The built program, ended by the system in the middle of its work. The sandbox is in this process, so that what
 * the program has asked for is known at each moment.
 */

vi.mock('better-sqlite3', async (real) =>
  (await import('./support/life.js')).withTrackedConnections(await real()),
)

// Generous, for machines that do much else: what has to be quick is measured by itself.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const CLASS = pupils(16)
/** Enough for a run with four workers to have a beginning, a middle and an end, and few enough for a hundred runs. */
const SWEPT = CLASS.slice(0, 10)
/** Long enough for requests to be under way at any moment, several at a time. */
const LATENCY_MS = 6
const PROVISION: [CommandName, ...string[]] = ['provision', '--concurrency', '4']

/** Whatever the plan is, it has been agreed to. */
const UPDATE: [CommandName, ...string[]] = ['update', '--yes', '--force']

const rooms: Classroom[] = []
afterEach(async () => {
  for (const room of rooms.splice(0)) await room.close()
})
afterAll(removeFolders)

/** An empty ledger, to be copied: a new process for each would take as long as what is tested. */
const template = { ledger: '', withKeys: '' }
beforeAll(async () => {
  const folder = newFolder()
  await run(['init-db'], { cwd: folder })
  template.ledger = join(folder, 'keys.db')
})

type Between = NonNullable<Parameters<typeof openClassroom>[2]>

async function open(
  people: Pupil[] = CLASS,
  between: Between = (request, answer) => answer(request),
  latency = LATENCY_MS,
): Promise<Classroom> {
  // One half on the way to the work, the other on the way back; and none of it for runs inside this process.
  const room = await openClassroom(people, {}, async (request, answer) => {
    if (latency > 0) await wait(latency / 2)
    const response = await between(request, answer)
    if (latency > 0) await wait(latency / 2)
    return response
  })
  copyFileSync(template.ledger, join(room.folder, 'keys.db'))
  rooms.push(room)
  return room
}

async function close(room: Classroom): Promise<void> {
  rooms.splice(rooms.indexOf(room), 1)
  await room.close()
}

const inside = ({ folder, sandbox }: Classroom) => ({ folder, sandbox })

async function runWell(room: Classroom, args: string[]): Promise<void> {
  const { code, stderr } = await room.run(args)
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}: ${stderr}`)
}

let restarts = 0
/** Runs a command again: every twentieth time as a process, else in this one, which does not have to start first. */
async function runAgain(room: Classroom, [command, ...flags]: [CommandName, ...string[]]): Promise<void> {
  if (restarts++ % 20 === 0) return runWell(room, [command, ...flags, ...(AGREED[command] ?? [])])
  const { exitCode, stdout } = await runInside(inside(room), [command, ...flags])
  if (exitCode !== 0) throw new Error(`${command} ended with ${exitCode}: ${stdout}`)
}

/** The same command, once: that is the whole recovery. */
async function expectRecovery(room: Classroom): Promise<void> {
  await runAgain(room, PROVISION)
  await expectEnd(room)
}

async function expectEnd(room: Classroom): Promise<void> {
  expectOneKeyEach({ ...room, exported: await exportInside(inside(room)) })
}

/** Does something with each item, a few at a time: the tests wait for processes most of the time. */
async function eachOf<T>(items: Iterable<T>, work: (item: T) => Promise<void>, most = 4): Promise<void> {
  const rest = items[Symbol.iterator]()
  const worker = async () => {
    for (let next = rest.next(); !next.done; next = rest.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: most }, worker))
}

/** Settles when the sandbox gets its first request, or its first one of a kind. */
function firstRequest(method?: string): { between: Between; came: Promise<void> } {
  let come = () => {}
  const came = new Promise<void>((resolve) => {
    come = resolve
  })
  return {
    came,
    between: (request, answer) => {
      if (method === undefined || request.method === method) come()
      return answer(request)
    },
  }
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** How long a run takes from its first request (of a kind) to its end, while others run beside it. */
async function measure(
  args: string[],
  prepare: (room: Classroom) => Promise<unknown>,
  method?: string,
): Promise<number> {
  let longest = 0
  await eachOf([1, 2, 3, 4], async () => {
    const { between, came } = firstRequest(method)
    const room = await open(SWEPT, between)
    await prepare(room)
    const running = room.start(args)
    await came
    const start = performance.now()
    expect((await running.ended).code).toBe(0)
    longest = Math.max(longest, performance.now() - start)
    await close(room)
  })
  return longest
}

/** What the sandbox and the ledger hold when a run was killed: to know that a sweep has met all kinds of moments. */
function momentOf(room: Classroom): string {
  const made = keysOfEach(room.sandbox, room.people).filter((keys) => keys.length > 0).length
  const logged = changelog(room.folder).filter(({ action }) => action === 'provisioned').length
  const open = openCreations(room.folder).length
  if (made === 0) return open === 0 ? 'before the first creation' : 'during the first creations'
  if (made === room.people.length && open === 0) return 'after the last creation'
  return made > logged ? 'with keys whose secrets are lost' : 'between creations'
}

describe('kill -9', () => {
  test('at any moment of a provision, from its first request to its end', { timeout: 240_000 }, async () => {
    let length = await measure(PROVISION, async () => {})
    const moments = new Map<string, number>()
    let killed = 0
    // A hundred moments, spread evenly whenever one stops: each is in the widest gap between those before it.
    function* points() {
      for (let i = 0; killed < 100 && i < 250; i++) yield ((i * 0.618034) % 1) * length
    }
    await eachOf(points(), async (ms) => {
      const { between, came } = firstRequest()
      const room = await open(SWEPT, between)
      const { child, ended } = room.start(PROVISION)
      await came
      const start = performance.now()
      await wait(ms)
      child.kill('SIGKILL')
      const { signal } = await ended
      if (signal === 'SIGKILL') {
        killed += 1
        const moment = momentOf(room)
        moments.set(moment, (moments.get(moment) ?? 0) + 1)
      } else {
        // It was over before: the machine has become faster since the run was measured.
        length = Math.min(length, performance.now() - start)
      }
      await expectRecovery(room)
      // Only what was under way can be lost: everything else was committed with its answer.
      expect(deletedBy(room.sandbox).length).toBeLessThanOrEqual(4)
      await close(room)
    })
    expect(killed).toBeGreaterThanOrEqual(100)
    // A sweep that never met a lost secret would prove nothing. Which other moments it meets is the machine's doing;
    // the creations, one by one, and the start of the program have tests of their own.
    expect(moments.get('with keys whose secrets are lost')).toBeGreaterThanOrEqual(5)
    expect(moments.size).toBeGreaterThanOrEqual(2)
  })

  test('while the program starts and opens the ledger', async () => {
    const points = Array.from({ length: 8 }, (_, i) => 30 * i)
    await eachOf(points, async (ms) => {
      const room = await open(CLASS.slice(0, 4))
      const { child, ended } = room.start(PROVISION)
      await wait(ms)
      child.kill('SIGKILL')
      await ended
      await expectRecovery({ ...room, people: CLASS.slice(0, 4) })
      await close(room)
    })
  })

  type Moment = 'before its work' | 'after its work' | 'after its answer'

  /** Kills a run at the nth request of a kind. */
  function killingAt(method: string, n: number, moment: Moment) {
    const target: { running?: Running } = {}
    let seen = 0
    const kill = () => target.running?.child.kill('SIGKILL')
    const between: Between = async (request, answer) => {
      if (request.method !== method || ++seen !== n) return answer(request)
      if (moment === 'before its work') {
        kill()
        return Response.error()
      }
      const response = await answer(request)
      if (moment === 'after its work') {
        kill()
        return Response.error()
      }
      // The answer is on its way; whether it is still read and written down, nobody can say.
      setTimeout(kill, n % 3)
      return response
    }
    return { target, between, seen: () => seen }
  }

  const MOMENTS: Moment[] = ['before its work', 'after its work', 'after its answer']
  const at = (count: number) =>
    MOMENTS.flatMap((moment) => Array.from({ length: count }, (_, i) => ({ moment, n: i + 1 })))

  test('at each creation: before its work, after its work, after its answer', {
    timeout: 60_000,
  }, async () => {
    const people = CLASS.slice(0, 8)
    await eachOf(at(4), async ({ n, moment }) => {
      const { target, between, seen } = killingAt('POST', n, moment)
      const room = await open(people, between, 0)
      target.running = room.start(['provision', '--concurrency', '3'])
      await target.running.ended
      expect(seen()).toBeGreaterThanOrEqual(n)
      await expectRecovery(room)
      await close(room)
    })
  })

  test('at each deletion of a lost key', async () => {
    const people = CLASS.slice(0, 4)
    await eachOf(at(3), async ({ n, moment }) => {
      const { target, between, seen } = killingAt('DELETE', n, moment)
      const room = await open(people, between, 0)
      room.sandbox.faults.add({ method: 'POST', effect: { kind: 'lose-answer' } })
      room.sandbox.faults.add({ method: 'GET', nth: 3, effect: { kind: 'error', status: 400 } })
      expect((await runInside(inside(room), ['provision', '--concurrency', '4'])).exitCode).toBe(1)
      room.sandbox.faults.clear()
      expect(keysOfEach(room.sandbox, people).map((keys) => keys.length)).toEqual([1, 1, 1, 1])
      target.running = room.start(['provision', '--concurrency', '2'])
      await target.running.ended
      expect(seen()).toBeGreaterThanOrEqual(n)
      await expectRecovery(room)
      await close(room)
    })
  })

  test('at each request of a rotation, new keys and old ones', async () => {
    const people = CLASS.slice(0, 4)
    const rotate: [CommandName, ...string[]] = ['rotate', '--all', '--concurrency', '2']
    const requests = ['POST', 'PATCH'].flatMap((method) => at(3).map((each) => ({ method, ...each })))
    await eachOf(requests, async ({ method, n, moment }) => {
      // Armed once everybody has the key that is to be replaced.
      let killing: ReturnType<typeof killingAt> | undefined
      const between: Between = (request, answer) =>
        killing ? killing.between(request, answer) : answer(request)
      const room = await open(people, between, 0)
      const rotation = await openRotation({ ...room, foreign: new Set() })
      killing = killingAt(method, n, moment)
      killing.target.running = room.start([...rotate, '--yes', '--force'])
      await killing.target.running.ended
      expect(killing.seen()).toBeGreaterThanOrEqual(n)
      await runAgain(room, rotate)
      await expectRotated(rotation)
      await close(room)
    })
  })

  test('again and again', async () => {
    await eachOf([1, 2], async (seed) => {
      const { between, came } = firstRequest()
      const room = await open(CLASS, between)
      for (let i = 0; i < 4; i++) {
        const { child, ended } = room.start(PROVISION)
        await came
        await wait(220 + ((seed * 37 + i * 53) % 120))
        child.kill('SIGKILL')
        await ended
      }
      await expectRecovery(room)
      await close(room)
    })
  })

  describe('during update', () => {
    const targets = SWEPT.map(({ email }, i) => ({
      email,
      limit: i % 2 === 0 ? '7' : undefined,
      disabled: i % 3 === 0 ? 'true' : undefined,
    }))

    beforeAll(async () => {
      const room = await open(SWEPT, undefined, 0)
      await runInside(inside(room), ['provision'])
      template.withKeys = join(room.folder, 'keys.db')
      keys = room.sandbox.state.keys()
    })
    let keys: ReturnType<Classroom['sandbox']['state']['keys']> = []

    async function prepare(room: Classroom): Promise<void> {
      copyFileSync(template.withKeys, join(room.folder, 'keys.db'))
      for (const { name, secret, limit, limit_reset, created_at } of keys)
        room.sandbox.state.addKey({ name, secret, limit, limit_reset, created_at: new Date(created_at) })
      room.write('limits.csv', limitsText(targets))
    }

    async function expectUpdated(room: Classroom): Promise<void> {
      await runAgain(room, [...UPDATE, '--concurrency', '4'])
      const expected: string[] = []
      const keys = keysOfEach(room.sandbox, SWEPT)
      SWEPT.forEach((person, i) => {
        const { limit, disabled } = targets[i] ?? {}
        const [key, ...more] = keys[i] ?? []
        expect(more).toEqual([])
        expect(key).toMatchObject({ limit: Number(limit ?? person.budget), disabled: disabled === 'true' })
        if (limit) expected.push(`${key?.hash} update_limit ${Number(person.budget)} 7`)
        if (disabled) expected.push(`${key?.hash} update_disabled false true`)
      })
      const money = (text: string | null) => (/^[\d.]+$/.test(text ?? '') ? Number(text) : text)
      const rows = changelog(room.folder).filter(({ action }) => action !== 'provisioned')
      expect(rows.map((r) => `${r.hash} ${r.action} ${money(r.from)} ${money(r.to)}`).sort()).toEqual(
        expected.sort(),
      )
      expectTidy(room.folder)
    }

    test('at any moment', async () => {
      const args = [...UPDATE, '--concurrency', '4']
      const length = await measure(args, prepare, 'PATCH')
      let struck = 0
      // A few from the first request on, and most of them from the first change, for something to be under way.
      const points = Array.from({ length: 20 }, (_, i) => ({
        from: i % 5 === 0 ? 'GET' : 'PATCH',
        ms: (i * length) / 20,
      }))
      await eachOf(points, async ({ from, ms }) => {
        const { between, came } = firstRequest(from)
        const room = await open(SWEPT, between)
        await prepare(room)
        const { child, ended } = room.start(args)
        await came
        await wait(ms)
        child.kill('SIGKILL')
        const { signal } = await ended
        if (signal === 'SIGKILL' && room.sandbox.state.requests.some(({ method }) => method === 'PATCH'))
          struck += 1
        await expectUpdated(room)
        await close(room)
      })
      expect(struck).toBeGreaterThanOrEqual(5)
    })

    test('at a change: before its work, after its work, after its answer', async () => {
      await eachOf(at(3), async ({ n, moment }) => {
        const { target, between, seen } = killingAt('PATCH', n * 2, moment)
        const room = await open(SWEPT, between, 0)
        await prepare(room)
        target.running = room.start([...UPDATE, '--concurrency', '3'])
        await target.running.ended
        expect(seen()).toBeGreaterThanOrEqual(n * 2)
        await expectUpdated(room)
        await close(room)
      })
    })
  })
})

describe('two runs at once', () => {
  /** A run that is held up by the sandbox at its nth request of a kind until it is let go. */
  async function heldUp(args: string[], method = 'POST', n = 2) {
    let letGo = () => {}
    let arrive = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve
    })
    let seen = 0
    const room = await open(CLASS.slice(0, 4), async (request, answer) => {
      if (request.method === method && ++seen === n) {
        arrive()
        await held
      }
      return answer(request)
    })
    const running = room.start(args)
    await arrived
    return { room, running, letGo }
  }

  test.each(['provision', 'update'])(
    'a second %s says that and since when another is at work, and asks OpenRouter nothing',
    async (command) => {
      const { room, running, letGo } = await heldUp(['provision', '--concurrency', '1'])
      room.write('limits.csv', limitsText([{ email: room.people[0]?.email ?? '', limit: '7' }]))
      const asked = room.sandbox.state.requests.length
      const start = performance.now()
      const second = await room.run([command])
      expect(performance.now() - start).toBeLessThan(4_000)
      expect(second.code).toBe(1)
      expect(second.stderr).toMatch(
        /class-keys provision \(process \d+\) has been at work since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/,
      )
      expect(second.stderr).toContain(`process ${running.child.pid}`)
      const json = await room.run([command, '--json'])
      expect(JSON.parse(json.stdout).error.code).toBe('run_under_way')
      expect(room.sandbox.state.requests.length).toBe(asked)
      letGo()
      expect((await running.ended).code).toBe(0)
      await room.run(['provision'])
      await expectEnd(room)
    },
  )

  test('check, export-keys and a dry run go on beside it', async () => {
    const { room, running, letGo } = await heldUp(['provision', '--concurrency', '1'])
    for (const args of [['check'], ['export-keys'], ['provision', '--dry-run']])
      expect([args, (await room.run(args)).code]).toEqual([args, 0])
    letGo()
    expect((await running.ended).code).toBe(0)
    await expectEnd(room)
  })

  test('the lock of a run that was killed is not in the way', async () => {
    const { room, running, letGo } = await heldUp(['provision', '--concurrency', '1'])
    running.child.kill('SIGKILL')
    await running.ended
    letGo()
    expect(room.files()).toContain('keys.db-lock')
    await expectRecovery(room)
  })

  test('of several started at the same moment one does the work', async () => {
    const room = await open(CLASS.slice(0, 6))
    const ended = await Promise.all(Array.from({ length: 5 }, () => room.run(PROVISION)))
    const codes = ended.map(({ code }) => code)
    expect(codes.filter((code) => code === 0).length).toBeGreaterThanOrEqual(1)
    expect(codes.filter((code) => code !== 0 && code !== 1)).toEqual([])
    expect(room.sandbox.state.requests.filter(({ method }) => method === 'POST')).toHaveLength(6)
    await expectEnd(room)
  })
})

describe('signals', () => {
  const seconds = async (running: Running): Promise<Ended & { seconds: number }> => {
    const start = performance.now()
    return { ...(await running.ended), seconds: (performance.now() - start) / 1000 }
  }

  /** A provision that is at work when the signal comes, all its requests taking a little while. */
  async function atWork() {
    let arrive = () => {}
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve
    })
    let seen = 0
    const room = await open(
      CLASS,
      async (request, answer) => {
        if (request.method === 'POST' && ++seen === 6) arrive()
        return answer(request)
      },
      40,
    )
    const running = room.start(PROVISION)
    await arrived
    return { room, running }
  }

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    '%s: what is under way comes home, the file is written, and the exit code is %i',
    async (signal, code) => {
      const { room, running } = await atWork()
      running.child.kill(signal)
      const ended = await seconds(running)
      expect([ended.code, ended.signal]).toEqual([code, null])
      expect(ended.seconds).toBeLessThan(4)
      const made = room.sandbox.state.keys().length
      expect(made).toBeGreaterThanOrEqual(4)
      expect(made).toBeLessThan(CLASS.length)
      // Everything that was made came home: nothing has to be healed.
      const csv = room.files().filter((name) => name.startsWith('api_keys_'))
      expect(csv).toHaveLength(1)
      for (const key of room.sandbox.state.keys()) expect(room.read(csv[0] ?? '')).toContain(key.secret)
      expect(openCreations(room.folder)).toEqual([])
      expect(ended.stderr).toMatch(new RegExp(`${made} of 16 students are done; run the same command again`))
      await expectRecovery(room)
      expect(room.sandbox.state.requests.some(({ method }) => method === 'DELETE')).toBe(false)
    },
  )

  test('a second SIGINT ends it at once, and nothing is lost', async () => {
    const room = await open()
    const fault = room.sandbox.faults.add({
      method: 'POST',
      nth: [5, 6, 7, 8],
      effect: { kind: 'hang', work: true },
    })
    const running = room.start(PROVISION)
    while (fault.fired < 4) await wait(10)
    running.child.kill('SIGINT')
    await wait(200)
    running.child.kill('SIGINT')
    const ended = await seconds(running)
    expect(ended.code).toBe(130)
    // The first alone would have given what is under way five seconds.
    expect(ended.seconds).toBeLessThan(3)
    fault.remove()
    await expectRecovery(room)
  })

  test.each(['GET', 'POST'])(
    'SIGINT while OpenRouter does not answer a %s: over within a few seconds all the same',
    async (method) => {
      let arrive = () => {}
      const arrived = new Promise<void>((resolve) => {
        arrive = resolve
      })
      const room = await open(CLASS.slice(0, 4), (request, answer) => {
        if (request.method === method) arrive()
        return answer(request)
      })
      const fault = room.sandbox.faults.add({ method, effect: { kind: 'hang', work: true } })
      const running = room.start(PROVISION)
      await arrived
      await wait(50)
      running.child.kill('SIGINT')
      const ended = await seconds(running)
      expect(ended.code).toBe(130)
      expect(ended.seconds).toBeLessThan(8)
      fault.remove()
      await expectRecovery(room)
    },
  )

  test('SIGINT while OpenRouter has asked to wait for a minute: over within a few seconds', async () => {
    const room = await open(CLASS.slice(0, 4))
    const fault = room.sandbox.faults.add({ method: 'POST', effect: { kind: 'rate-limit', retryAfter: 60 } })
    const running = room.start(PROVISION)
    while (fault.fired === 0) await wait(10)
    await wait(100)
    running.child.kill('SIGINT')
    const ended = await seconds(running)
    expect(ended.code).toBe(130)
    expect(ended.seconds).toBeLessThan(8)
    fault.remove()
    await expectRecovery(room)
  })

  test('SIGINT during an update: over within a few seconds, and the same command goes on', async () => {
    const room = await open(CLASS, undefined, 0)
    await room.run(['provision'])
    room.write('limits.csv', limitsText(CLASS.map(({ email }) => ({ email, limit: '7' }))))
    const before = room.read('limits.csv')
    room.sandbox.faults.add({ method: 'PATCH', effect: { kind: 'slow', ms: 60 } })
    const running = room.start([...UPDATE, '--concurrency', '2'])
    while (!room.sandbox.state.requests.some(({ method }) => method === 'PATCH')) await wait(5)
    running.child.kill('SIGINT')
    const ended = await seconds(running)
    expect(ended.code).toBe(130)
    expect(ended.seconds).toBeLessThan(4)
    expect(room.read('limits.csv')).toBe(before)
    expect((await room.run(UPDATE)).code).toBe(0)
    expect(room.sandbox.state.keys().map(({ limit }) => limit)).toEqual(CLASS.map(() => 7))
    const updates = changelog(room.folder).filter(({ action }) => action !== 'provisioned')
    expect(updates.map(({ action }) => action)).toEqual(CLASS.map(() => 'update_limit'))
  })
})

describe('a disk that takes nothing more', () => {
  // A limit on the size of files is as good as a full disk, and needs neither root nor a mount of its own.
  const limited = (kilobytes: number) => `ulimit -f ${kilobytes}; exec "$@"`

  test('is found out before the first creation', async () => {
    const room = await open(CLASS)
    const { code, stderr } = await room.run(PROVISION, { shell: limited(0) })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^Error: .*(disk|full)/m)
    expect(stderr).not.toMatch(/^ +at /m)
    expect(room.sandbox.state.requests.some(({ method }) => method === 'POST')).toBe(false)
    await expectRecovery(room)
  })

  test('is found out before the first creation, also where there is room for some of it', async () => {
    const room = await open(pupils(40))
    // The ledger is well below that; what the run would need for forty keys is not.
    const { code, stderr } = await room.run(PROVISION, { shell: limited(200) })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^Error: .*\(the disk takes no file of that size\)/m)
    expect(room.sandbox.state.requests.some(({ method }) => method === 'POST')).toBe(false)
    await expectRecovery(room)
  })

  test('in the middle: no further key is made, and what was made is not lost', async () => {
    // Names so long that the ledger grows by a page every few keys.
    const people = pupils(80).map((person) => ({ ...person, last: `${person.last}${'x'.repeat(300)}` }))
    const room = await open(people)
    // The ledger of the first half is larger than the room that is asked for before the second one.
    room.write('roster.csv', rosterText(people.slice(0, 40)))
    await runWell(room, ['provision'])
    room.write('roster.csv', rosterText(people))
    room.sandbox.state.requests.length = 0
    const before = changelog(room.folder).filter(({ action }) => action === 'provisioned').length
    const kilobytes = Math.ceil(statSync(join(room.folder, 'keys.db')).size / 1024) + 40
    const { code, stderr } = await room.run(['provision', '--concurrency', '2'], {
      shell: limited(kilobytes),
    })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^Error: .*(disk|full)/m)
    const posts = room.sandbox.state.requests.filter(({ method }) => method === 'POST').length
    expect(posts).toBeGreaterThan(2)
    expect(posts).toBeLessThan(40)
    const logged = changelog(room.folder).filter(({ action }) => action === 'provisioned').length - before
    expect(posts - logged).toBeLessThanOrEqual(2)
    await expectRecovery(room)
  })
})

test('the management key of these tests is not one that the program knows by itself', () => {
  expect(MANAGEMENT_KEY).not.toContain('sandbox')
})
