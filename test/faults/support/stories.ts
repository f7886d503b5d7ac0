import { expect } from 'vitest'
import type { Effect } from '../../../src/lib/sandbox/effects.js'
import type { FaultRule } from '../../../src/lib/sandbox/faults.js'
import { createSandbox, type SandboxOptions } from '../../../src/lib/sandbox/sandbox.js'
import { MANAGEMENT_KEY, type Pupil, pupils } from '../../e2e/support/classroom.js'
import { expectOneKeyEach } from './end-state.js'
import {
  type CommandName,
  exportInside,
  type Inside,
  type Outcome,
  openInside,
  runInside,
  writeRoster,
} from './inside.js'

/** Enough for several workers to be at it, and few enough to be quick. */
export const CLASS = pupils(12)

/** The requests of each kind, for the rules of faults. */
export const POST = { method: 'POST', path: /^\/keys$/ }
export const GET = { method: 'GET', path: /^\/keys$/ }
export const DELETE = { method: 'DELETE' }
export const PATCH = { method: 'PATCH' }

type NamedEffect = [name: string, effect: () => Effect]

/** The kinds of things that can befall a request. */
export const KINDS: NamedEffect[] = [
  ['its answer is lost', () => ({ kind: 'lose-answer' })],
  ['the connection breaks before it', () => ({ kind: 'reset' })],
  ['500 after the work', () => ({ kind: 'error-after' })],
  ['500 without the work', () => ({ kind: 'error' })],
  ['429 with Retry-After in seconds', () => ({ kind: 'rate-limit', retryAfter: 2 })],
  ['429 without Retry-After', () => ({ kind: 'rate-limit' })],
  ['503 with Retry-After', () => ({ kind: 'rate-limit', status: 503, retryAfter: 3 })],
  ['no answer ever, no work', () => ({ kind: 'hang' })],
  ['no answer ever, after the work', () => ({ kind: 'hang', work: true })],
  ['an HTML page with 502', () => ({ kind: 'html' })],
  ['an HTML page with 200, after the work', () => ({ kind: 'html', status: 200, work: true })],
  ['JSON that breaks off', () => ({ kind: 'garbage' })],
  ['JSON of no known shape', () => ({ kind: 'wrong-shape' })],
  ['a body that stalls', () => ({ kind: 'hang-body' })],
]

/** The same in other words: each of them is like one of the kinds to a program that is right. */
const VARIANTS: NamedEffect[] = [
  ['502 after the work', () => ({ kind: 'error-after', status: 502 })],
  ['503 without the work', () => ({ kind: 'error', status: 503 })],
  [
    '429 with Retry-After as a date',
    () => ({ kind: 'rate-limit', retryAfter: new Date(Date.now() + 5_000) }),
  ],
  ['429 with a Retry-After of no sense', () => ({ kind: 'rate-limit', retryAfter: 'soon' })],
  ['an HTML page with 502, after the work', () => ({ kind: 'html', work: true })],
  ['an HTML page with 200', () => ({ kind: 'html', status: 200 })],
  ['JSON with half of the shape', () => ({ kind: 'wrong-shape', body: { data: { hash: 'x' } } })],
]

/** Everything that can befall a request. */
export const EFFECTS: NamedEffect[] = [...KINDS, ...VARIANTS]

/** When it does: which requests of a kind. */
export type When = [name: string, rule: Omit<FaultRule, 'effect'>]

/** The rows of `test.each` for every kind of effect at each of some times, and for the variants at one of them each. */
export function effectsAt(times: readonly When[]) {
  const at = (effects: NamedEffect[], timesOf: (i: number) => readonly When[]) =>
    effects.flatMap(([what, effect], i) => timesOf(i).map(([when, rule]) => ({ what, when, effect, rule })))
  return [
    ...at(KINDS, () => times),
    ...at(VARIANTS, (i) => [times[i % times.length] ?? ['once', { nth: 1 }]]),
  ]
}

/** A sandbox with more than a page of keys, so that a listing takes several requests. */
export const PAGES: SandboxOptions = { keys: 110 }

/** A folder with a ledger and a roster, and a sandbox with some keys of other people. */
export interface Room extends Inside {
  people: Pupil[]
  /** The keys that were there before. */
  foreign: ReadonlySet<string>
}

/** Opens a room; by default the sandbox has a few keys of others. */
export async function openRoom(
  people: Pupil[] = CLASS,
  options: SandboxOptions = { keys: 4 },
): Promise<Room> {
  const sandbox = createSandbox({ managementKey: MANAGEMENT_KEY, ...options })
  const inside = await openInside(sandbox)
  writeRoster(inside, people)
  return { ...inside, people, foreign: new Set(sandbox.state.keys().map((key) => key.hash)) }
}

/** Runs a command until it is done, twice at most: that is the whole recovery. Gives the outcomes. */
export async function untilDone(room: Inside, ...argv: [CommandName, ...string[]]): Promise<Outcome[]> {
  const first = await runInside(room, argv)
  if (first.exitCode === 0) return [first]
  const second = await runInside(room, argv)
  if (second.exitCode !== 0) throw new Error(`the second run ended with ${second.exitCode}: ${second.stdout}`)
  return [first, second]
}

/** Runs a command that is to succeed. */
export async function runWell(room: Inside, ...argv: [CommandName, ...string[]]): Promise<Outcome> {
  const outcome = await runInside(room, argv)
  expect([outcome.exitCode, outcome.exitCode === 0 ? '' : outcome.stdout]).toEqual([0, ''])
  return outcome
}

/** The rule of `expectOneKeyEach` for everybody in the room. */
export async function expectAllWell(room: Room): Promise<void> {
  expectOneKeyEach({ ...room, exported: await exportInside(room) })
}
