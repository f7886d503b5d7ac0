import { GuardrailStore } from './guardrail-store.js'
import { KeyStore, type StoredKey } from './key-store.js'
import { dollars } from './spending.js'
import { type Periods, periodsAt } from './times.js'
import { WorkspaceStore } from './workspace-store.js'

/** Everything that the simulated account holds. */
export class Account {
  readonly keys = new KeyStore()
  readonly guardrails = new GuardrailStore()
  readonly workspaces: WorkspaceStore
  /** Dollars. What was spent stays spent when the key that spent it is deleted. */
  readonly credits = { purchased: 1000, spent: 0 }

  /**
   * @param managementKey the one key that may manage
   * @param now the clock
   */
  constructor(
    readonly managementKey: string,
    readonly now: () => Date,
  ) {
    this.workspaces = new WorkspaceStore(now())
  }

  /** The beginnings of the current day, week and month. */
  periods(): Periods {
    return periodsAt(this.now())
  }

  /** Lets a key spend dollars at a moment. */
  spend(key: StoredKey, amount: number, at: Date): void {
    key.spent.push({ at: at.getTime(), amount })
    this.credits.spent = dollars(this.credits.spent + amount)
  }

  /** Deletes a key and what hangs on it. Gives `false` if there is none with that hash. */
  deleteKey(hash: string): boolean {
    this.guardrails.unassign(hash)
    return this.keys.delete(hash)
  }
}
