import type { Ledger } from '../../db/ledger.js'
import type { OpenRouter } from '../openrouter/client.js'

/** What a run that changes OpenRouter works with. */
export interface RunPorts {
  openRouter: OpenRouter
  ledger: Ledger
  /** How many requests run at a time. */
  concurrency: number
  /** Once aborted, nothing new is started. */
  stopping: AbortSignal
  now: () => Date
}
