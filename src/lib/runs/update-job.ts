import { dirname } from 'node:path'
import { countOutcomes, stoppedOf } from '../core/outcome.js'
import type { UpdateResult } from '../core/results.js'
import type { UpdatePlan } from '../core/update-plan.js'
import { prepareFolder } from '../files/safe-write.js'
import { LimitsJob } from './limits-job.js'
import type { Listed } from './listing.js'
import type { Session } from './session.js'
import { type Updates, updateKeys } from './update-run.js'

/** The rows of `update`, in their order; each hands on what it has found, and gives a word about it. */
export class UpdateJob {
  readonly #limits = new LimitsJob()
  readonly #files: UpdateResult['files'] = {}
  #listed!: Listed
  updates!: Updates

  constructor(readonly session: Session) {}

  /** The changes that limits.csv asks for, once they are planned. */
  get plan(): UpdatePlan {
    return this.#limits.plan
  }

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
  makePlan(maxChange: number): Promise<string> {
    return this.#limits.makePlan(this.#listed, { settlePending: true, maxChange })
  }

  /** Changes what the plan asks for, once it is certain that it can be written down. */
  async changeKeys(limits: string, report: (progress: string) => void): Promise<string> {
    for (const folder of new Set(['.', dirname(limits)])) await prepareFolder(folder)
    await this.#limits.intendRelative(limits)
    const { changes } = this.plan
    this.updates = await updateKeys(changes, this.session.ports, (done) =>
      report(`${done} of ${changes.length}`),
    )
    return String(this.updates.changed.size)
  }

  /** Why the run ended before its time, where it did. */
  get stoppedBy(): Error | undefined {
    return this.updates.stoppedBy
  }

  /** Whether the run has not come to its end, or does not know what is so now: limits.csv then stays as it is. */
  get endedEarly(): boolean {
    const { stoppedBy, outcomes } = this.updates
    if (stoppedBy !== undefined || this.session.signals.stopping.aborted) return true
    return outcomes.some(({ outcome }) => outcome === 'in doubt')
  }

  /** Writes limits.csv anew with what is so now, and the snapshot; what cannot be written ends the run. */
  async saveFiles(limits: string): Promise<string> {
    try {
      return await this.#writeFiles(limits)
    } catch (error) {
      this.updates.stoppedBy ??= error as Error
      return 'failed'
    }
  }

  async #writeFiles(limits: string): Promise<string> {
    await this.#limits.save(limits, this.updates.changed)
    this.#files.limits = limits
    await this.#limits.forgetReached(this.updates.changed)
    this.#files.snapshot = await this.#limits.saveSnapshot(this.updates.changed)
    return `${limits}, ${this.#files.snapshot}`
  }

  /** What the run tells a person or a script in the end. */
  result(): UpdateResult {
    const { outcomes: students, stoppedBy } = this.updates
    return {
      plan: this.plan,
      students,
      counts: countOutcomes(students),
      files: this.#files,
      ...stoppedOf(stoppedBy),
      retries: this.session.retries,
    }
  }
}
