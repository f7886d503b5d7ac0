import type { Ledger } from '../../db/ledger.js'
import { everybody, findClassTargets } from '../core/class-people.js'
import type { Key } from '../core/key.js'
import { type FoundTarget, nextLimits, type Target } from '../core/limits.js'
import { matchKeys } from '../core/matching.js'
import { studentRef } from '../core/provision-plan.js'
import type { Person } from '../core/student.js'
import { planUpdate, type UpdatePlan } from '../core/update-plan.js'
import { count } from '../core/words.js'
import { loadTargets, loadTargetsIfThere, saveLimits } from '../files/limits-file.js'
import { loadRosterIfThere } from '../files/roster-file.js'
import { saveSnapshot } from '../files/snapshot-file.js'
import { type Listed, recordListing } from './listing.js'

/** What `update` and `refresh-limits-file` have in common: the class's keys beside what limits.csv asks for. */
export class LimitsJob {
  #targets: Target[] = []
  #ledger!: Ledger
  #listed!: Listed
  /** The class: the roster, or everybody the ledger knows where there is none. */
  #people: Person[] = []
  plan!: UpdatePlan

  /**
   * Reads limits.csv.
   * @param mustExist whether it is an error that there is none
   * @throws UsageError where there is none; BadFileError with every cell that cannot be read
   */
  async read(limits: string, { mustExist = true } = {}): Promise<string> {
    this.#targets = mustExist ? await loadTargets(limits) : await loadTargetsIfThere(limits)
    return count(this.#targets.length, 'row')
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
   * @param options whether this run holds the lock, and percent of the class's keys that may be disabled or lowered
   */
  async makePlan(
    listed: Listed,
    { settlePending = false, maxChange }: { settlePending?: boolean; maxChange?: number } = {},
  ): Promise<string> {
    this.#listed = listed
    // Also of those who have left: their keys may be changed through limits.csv, and that is written down.
    const people = everybody(this.#people, await this.#ledger.students())
    await recordListing(this.#ledger, listed, people, { settlePending })
    const ofClass = matchKeys(listed.keys, people).matched.map(({ key }) => key)
    this.plan = planUpdate(await this.#findTargets(listed.keys), ofClass, maxChange)
    return count(this.plan.changes.length, 'change')
  }

  /**
   * Writes limits.csv anew with what OpenRouter says now; what the instructor has written stays.
   * @param changed the keys that were changed since the listing, as they are now
   * @returns how many rows it has
   */
  async save(limits: string, changed: ReadonlyMap<string, Key> = new Map()): Promise<number> {
    const keys = this.#keysNow(changed)
    const rows = this.#matched(keys).map(({ student, key }) => ({ student: studentRef(student), key }))
    const next = nextLimits(rows, await this.#findTargets(keys))
    await saveLimits(limits, next)
    return next.length
  }

  /** Writes the snapshot of what OpenRouter says now, as `save` does; gives its path. */
  saveSnapshot(changed: ReadonlyMap<string, Key>): Promise<string> {
    return saveSnapshot('.', this.#matched(this.#keysNow(changed)), new Date())
  }

  #matched(keys: readonly Key[]) {
    return matchKeys(keys, this.#people, this.#listed.listedAt).matched
  }

  #keysNow(changed: ReadonlyMap<string, Key>): Key[] {
    return this.#listed.keys.map((key) => changed.get(key.hash) ?? key)
  }

  async #findTargets(keys: readonly Key[]): Promise<FoundTarget[]> {
    return findClassTargets(this.#targets, keys, everybody(this.#people, await this.#ledger.students()))
  }
}
