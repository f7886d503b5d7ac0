import { AsyncLocalStorage } from 'node:async_hooks'
import type Database from 'better-sqlite3'
import type { Sandbox } from '../../../src/lib/sandbox/sandbox.js'

/*
 * What stands in for modules that the commands import. It imports none of them itself, not by a detour either:
 * a mock that waits for what it mocks waits for ever.
 */

/** Where a run is killed: at its nth request or ledger transaction, before it, or after it but before its answer is seen. */
export interface KillPoint {
  step: number
  when: 'before' | 'after'
}

/** A run under way, as the doors to the network and the ledger know it. */
export interface Life {
  sandbox: Sandbox
  killAt: KillPoint | undefined
  /** How many requests and transactions were begun, and how many of them have ended. */
  steps: number
  ended: number
  dead: boolean
  connections: Database.Database[]
  die(): void
}

/** Which run the code at work belongs to. */
export const lives = new AsyncLocalStorage<Life>()

/** For `vi.mock('better-sqlite3')`: connections that a killed run would leave open are closed as the system would. */
export function withTrackedConnections(real: { default: typeof Database }): { default: typeof Database } {
  class Tracked extends real.default {
    constructor(path: string | Buffer, options: Database.Options = {}) {
      // Another program's lock is waited for by the database itself, which no fake clock reaches.
      super(path as string, { ...options, ...((options.timeout ?? 1) > 0 && { timeout: 40 }) })
      lives.getStore()?.connections.push(this as unknown as Database.Database)
    }

    // Nothing here cuts the power, and waiting for the disk is most of what a transaction takes.
    override pragma(source: string, options?: Database.PragmaOptions): unknown {
      return super.pragma(source.startsWith('synchronous') ? 'synchronous = OFF' : source, options)
    }
  }
  return { default: Tracked as unknown as typeof Database }
}

/** For `vi.mock('node:timers/promises')`: the pauses of a run go by the same fast clock as everything else. */
export function fakeTimersPromises(): object {
  const pause = (ms: number, value?: unknown, { signal }: { signal?: AbortSignal } = {}) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms, value)
      const stop = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      if (signal?.aborted) stop()
      signal?.addEventListener('abort', stop, { once: true })
    })
  return { setTimeout: pause, default: { setTimeout: pause } }
}
