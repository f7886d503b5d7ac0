import type { Ledger } from '../../db/ledger.js'
import type { OpenRouter } from '../openrouter/client.js'

/** What a signal from outside means for a run. */
export interface StopSignals {
  /** Once aborted, nothing new is started. */
  stopping: AbortSignal
  /** Once aborted, what is under way is given up. */
  givingUp: AbortSignal
  /** Waits for work that changes nothing, and not any longer once a signal has come: throws `interrupted`. */
  orStop<T>(work: Promise<T>): Promise<T>
}

/** What the part of a run that changes OpenRouter works with. */
export interface RunPorts {
  openRouter: OpenRouter
  ledger: Ledger
  /** How many requests run at a time. */
  concurrency: number
  /** Once aborted, nothing new is started. */
  stopping: AbortSignal
  now: () => Date
}
