import { dirname } from 'node:path'
import type { Drift } from '../core/results.js'
import { prepareFolder } from '../files/safe-write.js'
import type { Session } from './session.js'

/** What a run needs on the disk at least, and for each of its changes: in the ledger, its journal and the files. Bytes. */
const ROOM = 64 * 1024
const ROOM_EACH = 4 * 1024

/**
 * What the jobs have in common that make a plan and apply it: how they end before their time. Once something has been
 * changed, an error stops the run without ending it: what still has to be done, such as writing the secrets, is done.
 */
export abstract class PlannedJob<Plan, Files> {
  /** What is to be done, once it is planned. */
  plan!: Plan
  /** Why the run ended before its time, where it did. */
  stoppedBy: Error | undefined
  /** What changed without this tool, and this run was the first to see. */
  drift: Drift[] = []
  /** The files that were written. */
  protected readonly files: Partial<Files> = {}
  #begun = false

  constructor(readonly session: Session) {}

  /** Whether the run has not come to its end, so that limits.csv is left as it is. */
  get endedEarly(): boolean {
    return this.stoppedBy !== undefined || this.session.signals.stopping.aborted
  }

  /**
   * Makes sure that what the run does can be written down, before the first request that changes anything.
   * @param changes how many changes there are to write down
   */
  protected async begin(limits: string, changes: number): Promise<void> {
    const { ledger } = this.session
    const room = ROOM + changes * ROOM_EACH
    for (const folder of new Set(['.', dirname(limits), dirname(ledger.path)]))
      await prepareFolder(folder, room)
    this.#begun = true
  }

  /**
   * Does the work of a row that applies the plan.
   * @throws what the work throws, as long as nothing has been changed; later that only stops the run
   */
  async apply(work: () => Promise<string | undefined>): Promise<string | undefined> {
    try {
      return await work()
    } catch (error) {
      if (!this.#begun) throw error
      this.stoppedBy ??= error as Error
      return 'failed'
    }
  }
}
