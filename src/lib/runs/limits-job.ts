import type { Ledger } from '../../db/ledger.js'
import { type KnownClass, keysOfClass } from '../core/class-people.js'
import { BadFileError } from '../core/errors.js'
import type { FoundTarget } from '../core/find-targets.js'
import type { Key } from '../core/key.js'
import { matchKeys } from '../core/matching.js'
import { nextLimits } from '../core/next-limits.js'
import {
  isReached,
  type RelativeTarget,
  reachedTargets,
  relativeTargets,
  staleRaises,
  staleTargets,
} from '../core/relative-targets.js'
import type { Drift } from '../core/results.js'
import { type Person, studentRef } from '../core/student.js'
import { planUpdate, type UpdatePlan } from '../core/update-plan.js'
import { count } from '../core/words.js'
import { type LimitsFile, loadLimits, loadLimitsIfThere, saveLimits } from '../files/limits-file.js'
import { loadRosterIfThere } from '../files/roster-file.js'
import { saveSnapshot } from '../files/snapshot-file.js'
import { findClassTargets } from './find-targets.js'
import { type Listed, recordListing } from './listing.js'

/** What `update` and `refresh-limits-file` have in common: the class's keys beside what limits.csv asks for. */
export class LimitsJob {
  #file!: LimitsFile
  #ledger!: Ledger
  #listed!: Listed
  /** The class: the roster, or everybody the ledger knows where there is none. */
  #people: Person[] = []
  #found: FoundTarget[] = []
  /** What each relative target of the plan comes to. */
  #relative: RelativeTarget[] = []
  plan!: UpdatePlan
  /** What changed without this tool, and this run was the first to see. */
  drift: Drift[] = []

  /**
   * Reads limits.csv.
   * @param mustExist whether it is an error that there is none
   * @throws UsageError where there is none; BadFileError with every cell that cannot be read
   */
  async read(limits: string, { mustExist = true } = {}): Promise<string> {
    this.#file = mustExist ? await loadLimits(limits) : await loadLimitsIfThere(limits)
    return count(this.#file.targets.length, 'row')
  }

  /** Finds out who is in the class. */
  async findClass(ledger: Ledger, roster: string): Promise<string> {
    this.#ledger = ledger
    const found = await loadRosterIfThere(roster)
    this.#people = found?.students ?? (await ledger.students())
    const people = count(this.#people.length, 'student')
    return found ? people : `no ${roster}; ${people} in the ledger`
  }

  /**
   * Brings the ledger up to a listing, and plans what limits.csv asks for.
   * @param options whether the plan is to be applied, by the run that holds the lock, and percent of the class's keys
   *   that it may disable or lower
   * @throws BadFileError with every row that must not be applied
   */
  async makePlan(
    listed: Listed,
    { toApply, maxChange }: { toApply: boolean; maxChange?: number },
  ): Promise<string> {
    this.#listed = listed
    const options = { settlePending: toApply }
    this.drift = (await recordListing(this.#ledger, listed, this.#people, options)).drift
    const known = await this.#ledger.knownClass()
    const intended = await this.#ledger.relativeTargets()
    this.#found = this.#findTargets(known)
    const stale = toApply ? staleRaises(this.#found, intended) : []
    if (stale.length > 0) throw new BadFileError(this.#file.path, stale, this.#file.consequence)
    this.#relative = relativeTargets(this.#found, intended)
    const ofClass = keysOfClass(listed.keys, this.#people, known).map(({ key }) => key)
    this.plan = planUpdate(this.#found, this.#relative, ofClass, maxChange)
    return count(this.plan.changes.length, 'change')
  }

  /**
   * Writes down what each relative target comes to, before the first change is sent: whatever becomes of this run,
   * the next one finds what the same words have meant, and nothing is added twice.
   */
  async intendRelative(): Promise<void> {
    const earlier = await this.#ledger.relativeTargets()
    await this.#ledger.dropRelativeTargets(staleTargets(this.#found, earlier))
    await this.#ledger.intendRelativeTargets(this.#relative, new Date())
  }

  /**
   * Forgets what the relative targets came to that are reached, once limits.csv has the amounts in their place.
   * @param changed as for `save`
   */
  async forgetReached(changed: ReadonlyMap<string, Key>): Promise<void> {
    const now = new Map(this.#keysNow(changed).map((key) => [key.hash, key]))
    const reached = this.#relative.filter((entry) => {
      const key = now.get(entry.hash)
      return key && isReached(entry, key)
    })
    await this.#ledger.dropRelativeTargets(reached.map(({ hash }) => hash))
  }

  /**
   * Writes limits.csv anew with what OpenRouter says now; what the instructor has written stays, except that a
   * relative target that is reached becomes the amount.
   * @param changed the keys that were changed since the listing, as they are now
   * @returns how many rows it has
   */
  async save(limits: string, changed: ReadonlyMap<string, Key> = new Map()): Promise<number> {
    // In this order: a run beside this one replaces the cell first, and forgets what it came to afterwards.
    const intended = await this.#ledger.relativeTargets()
    // The instructor may have saved the file while the run was at work.
    this.#file = await loadLimitsIfThere(limits, { atWork: true })
    const known = await this.#ledger.knownClass()
    const rows = this.#matched(changed, known).map(({ student, key }) => ({
      student: studentRef(student),
      key,
    }))
    // A row is about the key that it meant when the plan was made: that one may be disabled by now.
    const found = this.#findTargets(known).map((each) =>
      each.key ? { ...each, key: changed.get(each.key.hash) ?? each.key } : each,
    )
    const next = nextLimits(rows, found, { reached: reachedTargets(found, intended), answered: new Set() })
    await saveLimits(limits, next)
    return next.length
  }

  /** Writes the snapshot of what OpenRouter says now, as `save` does; gives its path. */
  async saveSnapshot(changed: ReadonlyMap<string, Key>): Promise<string> {
    return saveSnapshot('.', this.#matched(changed, await this.#ledger.knownClass()), new Date())
  }

  #matched(changed: ReadonlyMap<string, Key>, { heldBy }: KnownClass) {
    return matchKeys(this.#keysNow(changed), this.#people, heldBy, this.#listed.listedAt).matched
  }

  #keysNow(changed: ReadonlyMap<string, Key>): Key[] {
    return this.#listed.keys.map((key) => changed.get(key.hash) ?? key)
  }

  #findTargets(known: KnownClass): FoundTarget[] {
    const { keys, listedAt: now } = this.#listed
    return findClassTargets(this.#file, { keys, roster: this.#people, known, now })
  }
}
