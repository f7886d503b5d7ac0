import type { Ledger } from '../../db/ledger.js'
import { openLedger } from '../../db/open.js'
import { type RunLock, takeRunLock } from '../../db/run-lock.js'
import type { Retries } from '../core/results.js'
import { type Account, OpenRouter } from '../openrouter/client.js'
import { fetchKeys, type Listed } from './listing.js'
import type { RunPorts, StopSignals } from './ports.js'
import { chooseWorkspace } from './workspace.js'

/** How many requests run at a time where nothing else is said. */
const CONCURRENCY = 8

/** What a run opens, and closes again however it ends. */
export class Session {
  readonly #openRouter: OpenRouter
  #ledger: Ledger | undefined
  #lock: RunLock | undefined

  /** @param concurrency how many requests run at a time at best; undefined is as many as is usual */
  constructor(
    account: Account,
    readonly signals: StopSignals,
    readonly concurrency = CONCURRENCY,
  ) {
    const { stopping, givingUp } = signals
    this.#openRouter = new OpenRouter(account, { concurrency, stopping, signal: givingUp })
  }

  /**
   * Opens the ledger for a run that changes OpenRouter, and takes its lock; for a dry run a copy of it in memory,
   * without a lock. Then chooses the workspace.
   * @param command what the run does, for the message that a second run gets
   * @returns the path
   * @throws what openLedger, takeRunLock and chooseWorkspace throw
   */
  async open(
    path: string,
    command: string,
    { dryRun, workspace }: { dryRun: boolean; workspace: string | undefined },
  ): Promise<string> {
    this.#ledger = await openLedger(path, { copy: dryRun })
    if (!dryRun) this.#lock = takeRunLock(path, command, new Date())
    return this.#enter(path, workspace)
  }

  /**
   * Opens the ledger for a run that changes nothing at OpenRouter, and may be at work beside one that does. Then
   * chooses the workspace.
   * @returns the path
   * @throws what openLedger and chooseWorkspace throw
   */
  async openToRead(path: string, workspace: string | undefined): Promise<string> {
    this.#ledger = await openLedger(path)
    return this.#enter(path, workspace)
  }

  async #enter(path: string, workspace: string | undefined): Promise<string> {
    await this.signals.orStop(chooseWorkspace(this.#openRouter, this.ledger, workspace))
    return path
  }

  /** OpenRouter, for questions. */
  get openRouter(): OpenRouter {
    return this.#openRouter
  }

  /** The ledger, once it is open. */
  get ledger(): Ledger {
    if (!this.#ledger) throw new Error('the ledger is not open yet')
    return this.#ledger
  }

  /** What had to be asked again so far. */
  get retries(): Retries {
    return this.#openRouter.retries
  }

  /** Fetches every key of the account; `report` is told how many have come. */
  fetchKeys(report: (progress: string) => void): Promise<Listed> {
    return this.signals.orStop(fetchKeys(this.#openRouter, (count) => report(String(count))))
  }

  /** What the part of the run that changes OpenRouter works with. */
  get ports(): RunPorts {
    const { ledger, concurrency, signals } = this
    return {
      openRouter: this.#openRouter,
      ledger,
      concurrency,
      stopping: signals.stopping,
      now: () => new Date(),
    }
  }

  /** Gives the lock back and closes the ledger. */
  async close(): Promise<void> {
    this.#lock?.release()
    await this.#ledger?.close()
  }
}
