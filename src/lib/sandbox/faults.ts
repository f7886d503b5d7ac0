import type { SeenRequest } from './call.js'
import { answerWith, type Effect, type EndingEffect } from './effects.js'

/** When something goes wrong, and what. All conditions that are given must hold. */
export interface FaultRule {
  /** `POST`, or several: `['PATCH', 'DELETE']`. */
  method?: string | string[]
  /** Tested on the path below the base: `/^\/keys$/`. */
  path?: RegExp
  /** Tested on the JSON of the body, or asked with the parsed body. */
  body?: RegExp | ((body: unknown) => boolean)
  /** Only the nth request that the conditions above let through, or some of them, counted from 1. */
  nth?: number | number[]
  /** Only every kth of them. */
  every?: number
  /** Each of them with this probability, 0 to 1, drawn from a generator of the rule's own. */
  probability?: number
  /** Where that generator starts; the same seed gives the same draws. */
  seed?: number
  /** Only as long as this gives true. */
  while?: () => boolean
  /** No more than so many times in all. */
  times?: number
  effect: Effect
}

/** A rule at work. */
export interface Fault {
  /** How many requests had its method, path and body. */
  readonly matched: number
  /** How many of them it struck. */
  readonly fired: number
  /** Takes the rule away. */
  remove(): void
}

/**
 * The rules by which things go wrong, asked in the order in which they were added: the first that strikes
 * answers. After `before`, and as long as `per-second` admits, the next rule is asked.
 */
export class Faults {
  readonly #rules = new Set<ActiveRule>()
  readonly #now: () => Date

  /** @param now the clock by which `per-second` counts */
  constructor(now: () => Date) {
    this.#now = now
  }

  /** Adds a rule, behind those that are there. */
  add(rule: FaultRule): Fault {
    const active = new ActiveRule(rule, () => this.#rules.delete(active))
    this.#rules.add(active)
    return active
  }

  /** Calls `run` before each request for a page of keys is answered: with 1 before the first, and so on. */
  beforePage(run: (n: number, request: SeenRequest) => void): Fault {
    return this.add({ method: 'GET', path: /^\/keys$/, effect: { kind: 'before', run } })
  }

  /** Takes all rules away. */
  clear(): void {
    this.#rules.clear()
  }

  /** Answers a request: by the first rule that strikes, or by the work alone. */
  async answer(request: SeenRequest, work: () => Response, signal: AbortSignal): Promise<Response> {
    let ending: EndingEffect | undefined
    // Every rule counts every request, also those that another rule answers: "the third" stays the third.
    for (const rule of [...this.#rules]) {
      if (!rule.counts(request) || ending !== undefined || !rule.strikes(this.#now())) continue
      const { effect } = rule.rule
      if (effect.kind === 'before') effect.run(rule.fired, request)
      else ending = effect.kind === 'per-second' ? TOO_MANY_THIS_SECOND : effect
    }
    return ending === undefined ? work() : answerWith(ending, work, signal)
  }
}

const TOO_MANY_THIS_SECOND: EndingEffect = { kind: 'rate-limit', retryAfter: 1 }

class ActiveRule implements Fault {
  matched = 0
  fired = 0
  readonly #random: () => number
  #second = { start: Number.NaN, admitted: 0 }

  constructor(
    readonly rule: FaultRule,
    readonly remove: () => void,
  ) {
    this.#random = randomFrom(rule.seed ?? 1)
  }

  /** Whether the request is of the rule's kind; counts it if so. */
  counts(request: SeenRequest): boolean {
    const { method = request.method, path, body } = this.rule
    const ofItsKind =
      [method].flat().includes(request.method) &&
      (path?.test(request.path) ?? true) &&
      bodyMatches(body, request.body)
    if (ofItsKind) this.matched += 1
    return ofItsKind
  }

  /** Whether the rule strikes the request that it just counted; counts that too. */
  strikes(now: Date): boolean {
    const { nth, every = 1, probability = 1, times = Number.POSITIVE_INFINITY, effect } = this.rule
    const drawn = this.#random() < probability
    const strikes =
      (nth === undefined || [nth].flat().includes(this.matched)) &&
      this.matched % every === 0 &&
      drawn &&
      this.fired < times &&
      (this.rule.while?.() ?? true) &&
      !(effect.kind === 'per-second' && this.#admits(effect.limit, now))
    if (strikes) this.fired += 1
    return strikes
  }

  /** Whether there is room for one more in the current second. */
  #admits(limit: number, now: Date): boolean {
    const start = Math.floor(now.getTime() / 1000)
    if (this.#second.start !== start) this.#second = { start, admitted: 0 }
    this.#second.admitted += 1
    return this.#second.admitted <= limit
  }
}

function bodyMatches(wanted: FaultRule['body'], body: unknown): boolean {
  if (wanted === undefined) return true
  return wanted instanceof RegExp ? wanted.test(JSON.stringify(body) ?? '') : wanted(body)
}

/** Numbers from 0 to below 1, the same for the same seed (the generator known as mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
