import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Pupil, pupils, removeFolders } from '../e2e/support/classroom.js'
import { changelog, handedOut, keysOf } from './support/end-state.js'
import { exportInside, pass, runInside, startFastClock, writeRoster } from './support/inside.js'
import { DELETE, expectAllWell, GET, openRoom, POST, type Room, runWell } from './support/stories.js'

vi.mock('better-sqlite3', async (real) =>
  (await import('./support/life.js')).withTrackedConnections(await real()),
)
vi.mock('node:timers/promises', async () => (await import('./support/life.js')).fakeTimersPromises())

beforeEach(() => startFastClock())
afterEach(() => {
  vi.useRealTimers()
})
afterAll(removeFolders)

const [ADA, BRUNO] = pupils(2) as [Pupil, Pupil]
const MINUTE = 60_000
/** What Ada's key is called that is made on the day of these stories. */
const NAME = `20260302_${ADA.first} ${ADA.last}_${ADA.mqId}`

/** Lets the answer to one person's creation be lost, and ends the run before it can look for the key. */
async function dieAfter(room: Room, person: Pupil, effect: 'lose-answer' | 'reset' = 'lose-answer') {
  const lost = room.sandbox.faults.add({ ...POST, body: new RegExp(person.mqId), effect: { kind: effect } })
  const blind = room.sandbox.faults.add({
    ...GET,
    while: () => lost.fired > 0,
    effect: { kind: 'error', status: 400 },
  })
  const { exitCode } = await runInside(room, ['provision'])
  expect([1, 3]).toContain(exitCode)
  lost.remove()
  blind.remove()
}

/** A class of two: Bruno has a key, and so has Ada, but the answer with its secret was lost. */
async function openDoubtful(skewMs = 0): Promise<Room> {
  const room = await openRoom([ADA, BRUNO], { now: () => new Date(Date.now() + skewMs) })
  await dieAfter(room, ADA)
  return room
}

const only = (room: Room, person: Pupil) => {
  const [key, ...more] = keysOf(room.sandbox, person)
  if (!key || more.length > 0) throw new Error(`${person.mqId} has ${more.length} more keys`)
  return key
}

const outcomeOf = (json: { students: { mqId: string; outcome: string }[] }, { mqId }: Pupil) =>
  json.students.find((student) => student.mqId === mqId)?.outcome

/** Everything in the folder, for the comparison of before and after; the ledger too, to the byte. */
function contents(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'latin1')]),
  )
}

describe('a key whose secret was lost', () => {
  test('is deleted, its student gets a new one, and both stand in the changelog', async () => {
    const room = await openDoubtful()
    const lost = only(room, ADA)
    const { json } = await runWell(room, 'provision')
    expect([outcomeOf(json, ADA), outcomeOf(json, BRUNO)]).toEqual(['healed', 'already had one'])
    expect(json.deleted).toMatchObject([{ hash: lost.hash, mqId: ADA.mqId }])
    expect(only(room, ADA).hash).not.toBe(lost.hash)
    const about = changelog(room.folder).filter(({ hash }) =>
      [lost.hash, only(room, ADA).hash].includes(hash),
    )
    expect(about.map(({ action }) => action)).toEqual(['deleted_lost', 'provisioned'])
    await expectAllWell(room)
  })

  test('is shown by --dry-run, which writes nothing and sends nothing', async () => {
    const room = await openDoubtful()
    const lost = only(room, ADA)
    const before = contents(room.folder)
    const asked = room.sandbox.state.requests.length
    const { exitCode, json } = await runInside(room, ['provision', '--dry-run'])
    expect(exitCode).toBe(0)
    expect(json.changes).toMatchObject([
      { kind: 'delete-lost', mqId: ADA.mqId, hash: lost.hash },
      { kind: 'create', mqId: ADA.mqId },
    ])
    expect(contents(room.folder)).toEqual(before)
    expect(room.sandbox.state.requests.slice(asked).every(({ method }) => method === 'GET')).toBe(true)
    expect(only(room, ADA).hash).toBe(lost.hash)
  })

  test('is known to check, which says who is in doubt and does not get in the way', async () => {
    const room = await openDoubtful()
    const first = await runWell(room, 'check')
    expect(first.json.inDoubt).toMatchObject([{ mqId: ADA.mqId, email: ADA.email }])
    await runWell(room, 'check')
    const { json } = await runWell(room, 'provision')
    expect(outcomeOf(json, ADA)).toBe('healed')
    expect((await runWell(room, 'check')).json.inDoubt).toEqual([])
    await expectAllWell(room)
  })

  test('is known to refresh-limits-file and update too, and they do not get in the way', async () => {
    const room = await openDoubtful()
    await runWell(room, 'refresh-limits-file')
    await runWell(room, 'update')
    expect(outcomeOf((await runWell(room, 'provision')).json, ADA)).toBe('healed')
    await expectAllWell(room)
  })

  test('is not one that was never made: that student gets a key, and nothing is deleted', async () => {
    const room = await openRoom([ADA, BRUNO], {})
    await dieAfter(room, ADA, 'reset')
    expect(keysOf(room.sandbox, ADA)).toEqual([])
    const { json } = await runWell(room, 'provision')
    expect([outcomeOf(json, ADA), json.deleted]).toEqual(['created', []])
    await expectAllWell(room)
  })

  test('belongs to a student who has left the class since: it is deleted all the same', async () => {
    const room = await openDoubtful()
    const lost = only(room, ADA)
    writeRoster(room, [BRUNO])
    await runWell(room, 'provision')
    expect(keysOf(room.sandbox, ADA)).toEqual([])
    expect(changelog(room.folder).filter(({ hash }) => hash === lost.hash)).toMatchObject([
      { action: 'deleted_lost' },
    ])
  })

  test.each([
    ['has another name', { ...ADA, first: 'Adela' }],
    ['has another address', { ...ADA, email: 'ada.new@students.example.edu' }],
  ])('belongs to a student who %s since', async (_, changed) => {
    const room = await openDoubtful()
    room.people = [changed, BRUNO]
    writeRoster(room, room.people)
    expect(outcomeOf((await runWell(room, 'provision')).json, ADA)).toBe('healed')
    const [row] = (await exportInside(room)).filter((key) => key.mq_id === ADA.mqId)
    expect(row).toMatchObject({ email: changed.email, api_key: only(room, ADA).secret })
    await expectAllWell(room)
  })

  test('is found the day after too, though new keys have another date in their names', async () => {
    const room = await openDoubtful()
    await pass(24 * 60 * MINUTE)
    expect(outcomeOf((await runWell(room, 'provision')).json, ADA)).toBe('healed')
    expect(only(room, ADA).name).toMatch(/^20260303_/)
    await expectAllWell(room)
  })

  test.each([-14, -10, -1, 1, 10, 14])(
    'is found though the clock of OpenRouter is %i minutes ahead',
    async (minutes) => {
      const room = await openDoubtful(minutes * MINUTE)
      expect(outcomeOf((await runWell(room, 'provision')).json, ADA)).toBe('healed')
      await expectAllWell(room)
    },
  )

  test('is deleted once, though the run that deleted it could not write that down', async () => {
    const room = await openDoubtful()
    const lost = only(room, ADA)
    const undisturbed = room.sandbox.faults.add({ ...DELETE, effect: { kind: 'before', run: () => {} } })
    let killed = 0
    // Killed right after the deletion's work, wherever among the steps of a run that is.
    for (let step = 1; undisturbed.fired === 0; step++) {
      killed = step
      const outcome = await runInside(room, ['provision'], { step, when: 'after' })
      expect(outcome.exitCode).toBe('killed')
    }
    expect(killed).toBeGreaterThan(1)
    expect(room.sandbox.state.key(lost.hash)).toBeUndefined()
    await runWell(room, 'check')
    await runWell(room, 'provision')
    expect(changelog(room.folder).filter(({ hash }) => hash === lost.hash)).toMatchObject([
      { action: 'deleted_lost' },
    ])
    await expectAllWell(room)
  })
})

describe('what does not fit exactly is left alone', () => {
  /** Provision neither deletes nor makes anything for Ada, says why, and asks for a person. */
  async function expectLeftAlone(room: Room, why: RegExp) {
    const before = room.sandbox.state.keys().map((key) => key.hash)
    for (let runs = 0; runs < 2; runs++) {
      const { exitCode, json } = await runInside(room, ['provision'])
      expect([exitCode, outcomeOf(json, ADA), json.deleted]).toEqual([3, 'in doubt', []])
      expect(json.leftAlone).toMatchObject([{ mqId: ADA.mqId, why: expect.stringMatching(why) }])
      expect(json.leftAlone[0].hashes.sort()).toEqual(
        keysOf(room.sandbox, ADA)
          .map((key) => key.hash)
          .sort(),
      )
    }
    expect(room.sandbox.state.keys().map((key) => key.hash)).toEqual(before)
    expect((await runWell(room, 'check')).json.inDoubt).toMatchObject([{ mqId: ADA.mqId }])
  }

  test.each([0.01, 2.5])('a key on which %d dollars were spent', async (amount) => {
    const room = await openDoubtful()
    room.sandbox.state.addUsage(only(room, ADA).hash, amount)
    await expectLeftAlone(room, /used/)
  })

  test('two keys that could both be the one', async () => {
    const room = await openDoubtful()
    room.sandbox.state.addKey({ name: only(room, ADA).name })
    await expectLeftAlone(room, /2 keys/)
  })

  test('two keys, of which one was used', async () => {
    const room = await openDoubtful()
    const { hash } = room.sandbox.state.addKey({ name: only(room, ADA).name })
    room.sandbox.state.addUsage(hash, 1)
    await expectLeftAlone(room, /./)
  })

  test('a person who deletes what is not in use ends the doubt', async () => {
    const room = await openDoubtful()
    const mine = room.sandbox.state.addKey({ name: only(room, ADA).name })
    await expectLeftAlone(room, /2 keys/)
    room.sandbox.state.deleteKey(mine.hash)
    expect(outcomeOf((await runWell(room, 'provision')).json, ADA)).toBe('healed')
    const made = keysOf(room.sandbox, ADA)
    expect(made).toHaveLength(1)
    expect((await exportInside(room)).find((key) => key.mq_id === ADA.mqId)?.api_key).toBe(made[0]?.secret)
  })

  test.each([
    ['another name', { name: `20260302_A. ${ADA.last}_${ADA.mqId}` }],
    ['the same name in another case', { name: NAME.toUpperCase() }],
    ['the date of another day', { name: `20260228_${ADA.first} ${ADA.last}_${ADA.mqId}` }],
  ])('a key made by hand with %s, beside a creation that made nothing', async (_, seed) => {
    const room = await openRoom([ADA, BRUNO], {})
    await dieAfter(room, ADA, 'reset')
    const mine = room.sandbox.state.addKey(seed)
    const { json } = await runWell(room, 'provision')
    expect([outcomeOf(json, ADA), json.deleted]).toEqual(['already had one', []])
    expect(keysOf(room.sandbox, ADA).map(({ hash }) => hash)).toEqual([mine.hash])
  })

  test.each([
    ['long before', new Date(2026, 2, 1)],
    ['hours later', new Date(2026, 2, 2, 14)],
  ])(
    'a key with exactly its name that was made %s, beside a creation that made nothing',
    async (_, created_at) => {
      const room = await openRoom([ADA, BRUNO], {})
      await dieAfter(room, ADA, 'reset')
      const mine = room.sandbox.state.addKey({ name: NAME, created_at })
      await expectLeftAlone(room, /made at another time/)
      // Whoever has looked may give it another name: then it is hers, and nobody is in doubt.
      room.sandbox.state.editKey(mine.hash, { name: `20260301_Hers_${ADA.mqId}` })
      const { json } = await runWell(room, 'provision')
      expect([outcomeOf(json, ADA), json.deleted]).toEqual(['already had one', []])
    },
  )

  test.each([{}, { disabled: true }])(
    'a key made by hand before any run (%j): nobody is in doubt',
    async (seed) => {
      const room = await openRoom([ADA, BRUNO], {})
      const mine = room.sandbox.state.addKey({ name: NAME, ...seed })
      const { json } = await runWell(room, 'provision')
      expect(json.counts).toEqual({ created: 1, 'already had one': 1 })
      expect(json.keyHolders).toMatchObject([{ mqId: ADA.mqId, secretHere: false }])
      expect(keysOf(room.sandbox, ADA).map(({ hash }) => hash)).toEqual([mine.hash])
      expect(handedOut(room.folder)).toHaveLength(1)
    },
  )
})

describe('secrets that no file has held', () => {
  test('of a run that was killed are said to be of an earlier run, and written by the next', async () => {
    const people = pupils(4)
    const room = await openRoom(people, {})
    const last = room.sandbox.faults.add({ ...POST, nth: 4, effect: { kind: 'before', run: () => {} } })
    // Far enough for some secrets to be in the ledger, and not so far that the file is written.
    const { steps } = await runInside({ ...room, folder: (await openRoom(people, {})).folder }, [
      'provision',
      '--dry-run',
    ])
    const step = steps + 11
    expect((await runInside(room, ['provision'], { step, when: 'after' })).exitCode).toBe('killed')
    expect(last.matched).toBe(4)
    expect(handedOut(room.folder)).toEqual([])
    const { json } = await runWell(room, 'provision')
    expect(json.recovered).toBeGreaterThan(0)
    await expectAllWell(room)
  })

  test('are written though the run fails in the middle, and are not written again by the next', async () => {
    const room = await openRoom(pupils(10), {})
    const fault = room.sandbox.faults.add({
      ...POST,
      body: /4610000[6-9]|46100010/,
      effect: { kind: 'error', status: 401 },
    })
    const first = await runInside(room, ['provision', '--concurrency', '1'])
    expect([first.exitCode, first.json.counts.created]).toEqual([1, 5])
    expect(handedOut(room.folder)).toHaveLength(5)
    fault.remove()
    const { json } = await runWell(room, 'provision')
    expect(json.recovered).toBe(0)
    expect(handedOut(room.folder)).toHaveLength(10)
    await expectAllWell(room)
  })
})
