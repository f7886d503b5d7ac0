import { dirname } from 'node:path'
import type { Drift } from '../core/results.js'
import { prepareFolder } from '../files/safe-write.js'
import type { Session } from './session.js'

/**
 * What the jobs have in common that make a plan and apply it: how they end before their time. Once something has
 * stopped a run, its rows go on with what still has to be done, such as writing the secrets.
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

  constructor(readonly session: Session) {}

  /** Whether the run has not come to its end, so that limits.csv is left as it is. */
  get endedEarly(): boolean {
    return this.stoppedBy !== undefined || this.session.signals.stopping.aborted
  }

  /** Makes sure that what the run makes can be written down, before the first request that changes anything. */
  protected async prepareFolders(limits: string): Promise<void> {
    for (const folder of new Set(['.', dirname(limits)])) await prepareFolder(folder)
  }

  /** Does a row's work; what it cannot do ends the run. */
  protected async orStop(work: () => Promise<string>): Promise<string> {
    try {
      return await work()
    } catch (error) {
      this.stoppedBy ??= error as Error
      return 'failed'
    }
  }
}
