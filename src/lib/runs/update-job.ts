import { countOutcomes, stoppedOf } from '../core/outcome.js'
import type { UpdateResult } from '../core/results.js'
import type { UpdatePlan } from '../core/update-plan.js'
import { LimitsJob } from './limits-job.js'
import type { Listed } from './listing.js'
import { PlannedJob } from './planned-job.js'
import { NOTHING_UPDATED, type Updates, updateKeys } from './update-run.js'

/** The rows of `update`, in their order; each hands on what it has found, and gives a word about it. */
export class UpdateJob extends PlannedJob<UpdatePlan, UpdateResult['files']> {
  readonly #limits = new LimitsJob()
  #listed!: Listed
  #updates: Updates = NOTHING_UPDATED

  /** @throws UsageError where there is no limits.csv; BadFileError with every cell that cannot be read */
  read(limits: string): Promise<string> {
    return this.#limits.read(limits)
  }

  /** Finds out who is in the class. */
  findClass(roster: string): Promise<string> {
    return this.#limits.findClass(this.session.ledger, roster)
  }

  /** Fetches the keys. */
  async fetch(report: (progress: string) => void): Promise<string> {
    this.#listed = await this.session.fetchKeys(report)
    return String(this.#listed.keys.length)
  }

  /**
   * Brings the ledger up to the keys, and plans.
   * @param maxChange percent of the class's keys that may be disabled or lowered
   */
  async makePlan(maxChange: number): Promise<string> {
    const said = await this.#limits.makePlan(this.#listed, { toApply: true, maxChange })
    this.plan = this.#limits.plan
    this.drift = this.#limits.drift
    return said
  }

  /** Changes what the plan asks for, once it is certain that it can be written down. */
  async changeKeys(limits: string, report: (progress: string) => void): Promise<string> {
    const { changes } = this.plan
    await this.begin(limits, changes.length)
    await this.#limits.intendRelative()
    this.#updates = await updateKeys(changes, this.session.ports, (done) =>
      report(`${done} of ${changes.length}`),
    )
    this.stoppedBy ??= this.#updates.stoppedBy
    return String(this.#updates.outcomes.filter(({ outcome }) => outcome === 'updated').length)
  }

  /** Whether the run has not come to its end, or does not know what is so now: limits.csv then stays as it is. */
  override get endedEarly(): boolean {
    return super.endedEarly || this.#updates.outcomes.some(({ outcome }) => outcome === 'in doubt')
  }

  /** Writes limits.csv anew with what is so now, and the snapshot. */
  async saveFiles(limits: string): Promise<string> {
    const { changed } = this.#updates
    await this.#limits.save(limits, changed)
    this.files.limits = limits
    await this.#limits.forgetReached(changed)
    this.files.snapshot = await this.#limits.saveSnapshot(changed)
    return `${limits}, ${this.files.snapshot}`
  }

  /** What the run tells a person or a script in the end. */
  result(): UpdateResult {
    const { outcomes: students } = this.#updates
    return {
      plan: this.plan,
      students,
      counts: countOutcomes(students),
      drift: this.drift,
      files: this.files,
      ...stoppedOf(this.stoppedBy),
      retries: this.session.retries,
    }
  }
}
