import fc from 'fast-check'
import { describe, test } from 'vitest'
import type { CreateKey } from '../../src/lib/core/changes.js'
import { isExpired, type Key } from '../../src/lib/core/key.js'
import type { Rotation, RotationInput } from '../../src/lib/core/rotation.js'
import { newRotations, planRotation, type RotationPlan } from '../../src/lib/core/rotation-plan.js'
import type { Person } from '../../src/lib/core/student.js'
import { aKey, aPerson } from './make.js'

/*
 * Terms of a small class, made up at random: rotations of every kind, some of which break off anywhere or fail for
 * some, and in between what people do in the dashboard. A plan is applied to a model of OpenRouter and the journal.
 */

const DAY = 86_400_000
const PEOPLE = ['Ada', 'Bilal', 'Chiara'].map((firstName, i) =>
  aPerson({ firstName, email: `${firstName}@students.example.edu`, mqId: String(48_200_001 + i) }),
)

/** What a person asks of `rotate`. */
interface Request {
  what: 'rotate'
  mode: RotationInput['mode']
  who: number[]
  deleteOld: boolean
  keepOldDays: number
  /** After how many requests it breaks off. */
  breaksAfter: number
  /** Of which keys, by their place, the request to retire them is refused. */
  refused: number[]
}

/** What somebody does in the dashboard to a key, by its place in the list, or the time that passes. */
type Event =
  | { what: 'disable' | 'enable' | 'delete' | 'expire' | 'lose secret'; key: number }
  | { what: 'make'; who: number }
  | { what: 'wait'; days: number }

/** OpenRouter and the ledger. */
class World {
  now = new Date('2026-03-02T10:00:00Z')
  keys: Key[] = PEOPLE.map((each, i) => this.newKey(each, `start-${i}`))
  secretHere = new Set(this.keys.map(({ hash }) => hash))
  rotations: Rotation[] = []
  #made = 0

  newKey(of: Person, hash: string, over: Partial<Key> = {}): Key {
    const name = `20260302_${of.firstName} ${of.lastName}_${of.mqId}`
    return aKey({ hash, name, createdAt: this.now.toISOString(), ...over })
  }

  input({ mode, who, deleteOld, keepOldDays }: Request): RotationInput {
    return {
      students: mode === 'named' ? PEOPLE.filter((_, i) => who.includes(i)) : PEOPLE,
      mode,
      roster: PEOPLE,
      known: { students: PEOPLE, heldBy: new Map(), replaced: new Map() },
      keys: [...this.keys],
      creations: [],
      secretHere: new Set(this.secretHere),
      rotations: this.rotations.map((row) => ({ ...row })),
      guardrailOf: new Map(),
      unassigned: [],
      wrongTerms: [],
      asked: [],
      deleteOld,
      keepOldDays,
      expiresAt: undefined,
      maxChange: 100,
      now: this.now,
    }
  }

  /** The world as it is, to go on with in another way. */
  copy(): World {
    const copy = new World()
    copy.now = this.now
    copy.keys = [...this.keys]
    copy.secretHere = new Set(this.secretHere)
    copy.rotations = this.rotations.map((row) => ({ ...row }))
    copy.#made = this.#made
    return copy
  }

  working(mqId: string): Key[] {
    return this.keys.filter(
      (key) => key.name.endsWith(`_${mqId}`) && !key.disabled && !isExpired(key, this.now),
    )
  }

  happen(event: Event): void {
    // Two runs are never of the same moment.
    this.now = new Date(this.now.getTime() + (event.what === 'wait' ? event.days * DAY : 1))
    if (event.what === 'wait') return
    if (event.what === 'make') {
      const person = PEOPLE[event.who]
      if (person) this.keys.push(this.newKey(person, `by-hand-${++this.#made}`))
      return
    }
    const at = event.key % Math.max(1, this.keys.length)
    const key = this.keys[at]
    if (!key) return
    if (event.what === 'delete') this.keys.splice(at, 1)
    else if (event.what === 'lose secret') this.secretHere.delete(key.hash)
    else if (event.what === 'expire') this.keys[at] = { ...key, expiresAt: this.now.toISOString() }
    else this.keys[at] = { ...key, disabled: event.what === 'disable' }
  }

  /** Applies a plan as the job does; `limits` says where it breaks off, and what is refused. Tells whether it ended. */
  apply(
    plan: RotationPlan,
    input: RotationInput,
    { breaksAfter = Infinity, refused = [] as number[] } = {},
  ): boolean {
    this.now = new Date(this.now.getTime() + 1)
    for (const row of newRotations(plan, input)) this.#begin(row)
    let left = breaksAfter
    for (const change of plan.changes) {
      if (change.kind !== 'create') continue
      if (left-- <= 0) return false
      this.#make(change)
    }
    for (const change of plan.changes) {
      if (change.kind !== 'disable' && change.kind !== 'delete') continue
      if (left-- <= 0) return false
      const at = this.keys.findIndex(({ hash }) => hash === change.hash)
      const key = this.keys[at]
      if (!key || refused.includes(at)) continue
      if (change.kind === 'delete') this.keys.splice(at, 1)
      else this.keys[at] = { ...key, disabled: true }
      this.#retired(change.hash)
    }
    for (const { hash } of plan.retired) this.#retired(hash)
    return left > 0
  }

  /** Ends what a run has come to the end with. */
  close(moot: readonly number[]): void {
    for (const row of this.rotations) {
      const isOver = row.newHash !== null && (row.retiredAt !== null || row.retireAt > this.now)
      if (row.closedAt === null && isOver) row.closedAt = this.now
      if (moot.includes(row.id)) Object.assign(row, { closedAt: this.now, retiredAt: this.now })
    }
  }

  #begin(row: ReturnType<typeof newRotations>[number]): void {
    const entry = { ...row, plannedAt: this.now, closedAt: null }
    const there = this.rotations.find(
      ({ oldHash, retiredAt }) => oldHash === row.oldHash && retiredAt === null,
    )
    if (there) Object.assign(there, entry)
    else this.rotations.push({ ...entry, id: this.rotations.length + 1, newHash: null, retiredAt: null })
  }

  #make(change: CreateKey): void {
    const person = PEOPLE.find(({ mqId }) => mqId === change.mqId)
    if (!person) throw new Error('nobody')
    const hash = `made-${++this.#made}`
    this.keys.push(this.newKey(person, hash, { expiresAt: change.expiresAt }))
    this.secretHere.add(hash)
    for (const row of this.rotations)
      if ((row.closedAt === null || row.retiredAt === null) && row.mqId === change.mqId) row.newHash = hash
  }

  #retired(hash: string): void {
    for (const row of this.rotations)
      if (row.oldHash === hash && row.retiredAt === null) row.retiredAt = this.now
  }
}

const place = fc.nat(11)
const request: fc.Arbitrary<Request> = fc.record({
  what: fc.constant('rotate'),
  mode: fc.constantFrom('named', 'named', 'all', 'lost', 'due'),
  who: fc.subarray([0, 1, 2], { minLength: 1 }),
  deleteOld: fc.boolean(),
  keepOldDays: fc.constantFrom(0, 0, 2),
  breaksAfter: fc.oneof({ weight: 2, arbitrary: fc.constant(99) }, { weight: 1, arbitrary: fc.nat(6) }),
  refused: fc.oneof(
    { weight: 2, arbitrary: fc.constant<number[]>([]) },
    { weight: 1, arbitrary: fc.array(place, { maxLength: 3 }) },
  ),
})
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ what: fc.constantFrom('disable', 'enable', 'delete', 'expire', 'lose secret'), key: place }),
  fc.record({ what: fc.constant('make'), who: fc.nat(2) }),
  fc.record({ what: fc.constant('wait'), days: fc.integer({ min: 1, max: 3 }) }),
)
const term = fc.array(fc.oneof({ weight: 2, arbitrary: request }, { weight: 1, arbitrary: event }), {
  maxLength: 12,
})

const creations = ({ changes }: RotationPlan) =>
  changes.flatMap((change) => (change.kind === 'create' ? [change.mqId] : []))
const retired = ({ changes }: RotationPlan) =>
  changes.filter((change) => change.kind === 'disable' || change.kind === 'delete')

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

/** Lives through a term, and looks at each plan, and at what becomes of it. */
function live(
  steps: readonly (Request | Event)[],
  look: (world: World, request: Request, plan: RotationPlan, input: RotationInput) => void,
): void {
  const world = new World()
  for (const step of steps) {
    if (step.what !== 'rotate') {
      world.happen(step)
      continue
    }
    const input = world.input(step)
    const plan = planRotation(input)
    look(world, step, plan, input)
    const isOver = world.apply(plan, input, step)
    if (isOver) world.close(plan.moot)
  }
}

const check = (look: Parameters<typeof live>[1]) =>
  fc.assert(
    fc.property(term, (steps) => live(steps, look)),
    { numRuns: 1_000 },
  )

describe('whatever has happened before', () => {
  test('nobody is given two keys by one plan, and no key is retired twice', () => {
    check((_, __, plan) => {
      must(new Set(creations(plan)).size === creations(plan).length, 'two new keys for one student')
      const hashes = retired(plan).map(({ hash }) => hash)
      must(new Set(hashes).size === hashes.length, 'a key is retired twice')
    })
  })

  test('whoever loses a key that works has another one afterwards', () => {
    check((world, _, plan, input) => {
      const before = world.copy()
      const after = world.copy()
      after.apply(plan, input)
      for (const { mqId, hash } of retired(plan)) {
        const worked = before.working(mqId).some((key) => key.hash === hash)
        must(!worked || after.working(mqId).length > 0, `${mqId} has no key any more`)
      }
    })
  })

  test('a plan touches nobody whom it is not about, and is the same when it is made again', () => {
    check((_, __, plan, input) => {
      const about = new Set(input.students.map(({ mqId }) => mqId))
      must(
        [...plan.changes, ...plan.kept].every(({ mqId }) => about.has(mqId)),
        'somebody else',
      )
      must(JSON.stringify(planRotation(input)) === JSON.stringify(plan), 'another plan')
    })
  })

  test('once a plan is applied, the same words find nothing more to make or to retire', () => {
    check((world, request, plan, input) => {
      const after = world.copy()
      after.apply(plan, input)
      // As long as it is not closed: then the same words are a new request.
      const again = planRotation(after.input(request))
      const begun = new Set(creations(plan))
      must(
        creations(again).every((mqId) => !begun.has(mqId)),
        'a second new key',
      )
      const inUse = new Set(PEOPLE.flatMap(({ mqId }) => after.working(mqId).map(({ hash }) => hash)))
      const left = retired(again).filter(({ mqId, hash }) => begun.has(mqId) && inUse.has(hash))
      must(left.length === 0, 'something left to retire')
    })
  })

  test('a plan that breaks off anywhere is finished by the same words, with one new key for each student', () => {
    check((world, request, plan, input) => {
      const whole = world.copy()
      whole.apply(plan, input)
      for (let n = 0; n <= plan.changes.length; n++) {
        const broken = world.copy()
        broken.apply(plan, input, { breaksAfter: n })
        const rest = broken.input(request)
        const again = planRotation(rest)
        broken.apply(again, rest)
        const done = creations(plan).slice(0, n)
        must(
          creations(again).every((mqId) => !done.includes(mqId)),
          `a second new key after ${n}`,
        )
        for (const mqId of creations(plan)) {
          const ended = broken.working(mqId).length
          must(ended === whole.working(mqId).length, `${mqId} has ${ended} keys that work after ${n}`)
        }
      }
    })
  })

  test('without --keep-old a new request leaves its student one key that works, whatever was kept', () => {
    check((world, request, plan, input) => {
      if (request.keepOldDays > 0 || plan.resumesSince !== null) return
      const after = world.copy()
      after.apply(plan, input)
      for (const mqId of creations(plan))
        must(after.working(mqId).length === 1, `${mqId} has ${after.working(mqId).length}`)
    })
  })
})
