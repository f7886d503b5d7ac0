import type { RefreshResult } from '../core/results.js'
import { LimitsJob } from './limits-job.js'
import type { Listed } from './listing.js'
import type { Session } from './session.js'

/** The rows of `refresh-limits-file`, in their order; each hands on what it has found, and gives a word about it. */
export class RefreshJob {
  readonly #limits = new LimitsJob()
  #listed!: Listed
  #path = ''
  #rows = 0

  constructor(readonly session: Session) {}

  /** Reads limits.csv, if there is one. @throws BadFileError with every cell that cannot be read */
  read(limits: string): Promise<string> {
    return this.#limits.read(limits, { mustExist: false })
  }

  /** Finds out who is in the class. */
  findClass(roster: string): Promise<string> {
    return this.#limits.findClass(this.session.ledger, roster)
  }

  /** Fetches every key of the account. */
  async fetch(report: (progress: string) => void): Promise<string> {
    this.#listed = await this.session.fetchKeys(report)
    return String(this.#listed.keys.length)
  }

  /** Brings the ledger up to the keys, and finds out where they are not as limits.csv asks. */
  makePlan(): Promise<string> {
    return this.#limits.makePlan(this.#listed, { toApply: false })
  }

  /** Writes limits.csv anew; gives its path. */
  async saveLimits(limits: string): Promise<string> {
    this.#rows = await this.#limits.save(limits)
    this.#path = limits
    return limits
  }

  /** What the run tells a person or a script. */
  result(): RefreshResult {
    const { plan, drift } = this.#limits
    return { plan, rows: this.#rows, drift, files: { limits: this.#path }, retries: this.session.retries }
  }
}
