import { randomBytes } from 'node:crypto'
import type { Account } from './account.js'
import type { SeenRequest } from './call.js'
import type { Guardrail } from './guardrail-store.js'
import type { StoredKey } from './key-store.js'
import { viewKey, type WireKey } from './key-view.js'
import type { LimitReset } from './spending.js'
import { DEFAULT_WORKSPACE_ID, type Workspace, type WorkspaceSeed } from './workspace-store.js'

/** A key as the API shows it, and its secret, which the API does not show. */
export type SandboxKey = WireKey & { secret: string }

/** A key that is to be there already. What is left out is as for a key created now, unlimited and enabled. */
export interface KeySeed {
  name: string
  /** Default: a random one. */
  secret?: string
  limit?: number | null
  limit_reset?: LimitReset | null
  include_byok_in_limit?: boolean
  disabled?: boolean
  /** Spent now, in dollars. */
  usage?: number
  /** May lie anywhere: an older key is put into its place in the list. Default: now, newer than all created. */
  created_at?: Date
  /** May be past: the key is expired then. */
  expires_at?: Date | null
  creator_user_id?: string | null
  workspace_id?: string
}

/** What somebody may do to a key in the dashboard. */
export type KeyEdit = Partial<Pick<WireKey, 'name' | 'disabled' | 'limit' | 'limit_reset'>>

/** The account seen from behind: for tests, and for what people do in the dashboard. Needs no key, meets no fault. */
export class SandboxState {
  /** Every request that came, in order. */
  readonly requests: SeenRequest[] = []
  /** The workspace that is always there. */
  readonly defaultWorkspaceId = DEFAULT_WORKSPACE_ID
  readonly #account: Account

  constructor(account: Account) {
    this.#account = account
  }

  /** Gives all keys, newest first, disabled ones and all workspaces included. */
  keys(): SandboxKey[] {
    const newestFirst = this.#account.keys.all().sort((a, b) => b.createdAt - a.createdAt)
    return newestFirst.map((key) => this.#show(key))
  }

  /** Gives one key. */
  key(hash: string): SandboxKey | undefined {
    const key = this.#account.keys.find(hash)
    return key && this.#show(key)
  }

  /** Puts a key there. */
  addKey(seed: KeySeed): SandboxKey {
    const now = this.#account.now()
    const wanted = {
      secret: seed.secret ?? `sk-or-v1-${randomBytes(32).toString('hex')}`,
      name: seed.name,
      disabled: seed.disabled ?? false,
      limit: seed.limit ?? null,
      limitReset: seed.limit_reset ?? null,
      includeByokInLimit: seed.include_byok_in_limit ?? false,
      workspaceId: seed.workspace_id ?? DEFAULT_WORKSPACE_ID,
      creatorUserId: seed.creator_user_id ?? null,
      expiresAt: seed.expires_at ?? null,
    }
    const key = seed.created_at
      ? this.#account.keys.insert(wanted, seed.created_at.getTime() * 1000)
      : this.#account.keys.create(wanted, now)
    if (seed.usage) this.#account.spend(key, seed.usage, now)
    return this.#show(key)
  }

  /** Changes a key as somebody in the dashboard would. @throws Error if there is no such key */
  editKey(hash: string, { limit_reset, ...edit }: KeyEdit): SandboxKey {
    const key = this.#find(hash)
    const settings = limit_reset === undefined ? edit : { ...edit, limitReset: limit_reset }
    this.#account.keys.change(key, settings, this.#account.now())
    return this.#show(key)
  }

  /** Deletes a key. Gives `false` if there is none. */
  deleteKey(hash: string): boolean {
    return this.#account.deleteKey(hash)
  }

  /** Lets a key spend `amount` dollars, now or at another moment. @throws Error if there is no such key */
  addUsage(hash: string, amount: number, at: Date = this.#account.now()): void {
    this.#account.spend(this.#find(hash), amount, at)
  }

  /** Sets what the account has bought, in dollars. */
  setCredits(purchased: number): void {
    this.#account.credits.purchased = purchased
  }

  /** Puts a guardrail there, in the default workspace unless said. */
  addGuardrail(seed: { name: string; workspace_id?: string; [rule: string]: unknown }): Guardrail {
    return this.#account.guardrails.add({ workspace_id: DEFAULT_WORKSPACE_ID, ...seed }, this.#account.now())
  }

  /** The id of the guardrail that a key has. */
  guardrailOf(hash: string): string | undefined {
    return this.#account.guardrails.assignedTo(hash)
  }

  /** Puts a workspace there. */
  addWorkspace(seed: WorkspaceSeed): Workspace {
    return this.#account.workspaces.add(seed, this.#account.now())
  }

  #find(hash: string): StoredKey {
    const key = this.#account.keys.find(hash)
    if (key === undefined) throw new Error(`The sandbox has no key with the hash ${hash}.`)
    return key
  }

  #show(key: StoredKey): SandboxKey {
    return { ...viewKey(key, this.#account.periods()), secret: key.secret }
  }
}
