import { createHash } from 'node:crypto'
import type { LimitReset, Spent } from './spending.js'
import { Timeline } from './timeline.js'
import type { Micros } from './times.js'

/** What `PATCH /keys/{hash}` may change. */
export interface KeySettings {
  name: string
  disabled: boolean
  limit: number | null
  limitReset: LimitReset | null
  includeByokInLimit: boolean
}

/** A key as the sandbox keeps it. The secret is kept for tests; no answer but that to the creation has it. */
export interface StoredKey extends KeySettings {
  readonly hash: string
  readonly secret: string
  readonly createdAt: Micros
  readonly workspaceId: string
  readonly creatorUserId: string | null
  readonly expiresAt: Date | null
  updatedAt: Date | null
  readonly spent: Spent[]
}

/** A key to be stored: its hash follows from the secret, its exact time of creation from what is there. */
export type NewKey = Omit<StoredKey, 'hash' | 'createdAt' | 'updatedAt' | 'spent'>

/** Gives the hash by which a key is known: the SHA-256 of its secret in hex. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** All keys of the account: found by hash in a step, listed newest first page by page. */
export class KeyStore {
  readonly #byHash = new Map<string, StoredKey>()
  readonly #lists = new Map<string, { all: Timeline<StoredKey>; enabled: Timeline<StoredKey> }>()
  #lastCreation: Micros = 0

  /** Finds a key by its hash. */
  find(hash: string): StoredKey | undefined {
    return this.#byHash.get(hash)
  }

  /** Gives all keys of all workspaces, in no order that means anything. */
  all(): StoredKey[] {
    return [...this.#byHash.values()]
  }

  /** Stores a key made now: always newer than any that was made so before, even if the clock stands still. */
  create(key: NewKey, now: Date): StoredKey {
    this.#lastCreation = Math.max(now.getTime() * 1000, this.#lastCreation + 1)
    return this.insert(key, this.#lastCreation)
  }

  /** Stores a key as if it had been made at that moment, or at the next free microsecond. */
  insert(key: NewKey, createdAt: Micros): StoredKey {
    const hash = hashOf(key.secret)
    if (this.#byHash.has(hash)) throw new Error(`There is already a key with the hash ${hash}.`)
    const { all, enabled } = this.#listsOf(key.workspaceId)
    let free = createdAt
    while (all.taken(free)) free += 1
    const stored: StoredKey = { ...key, hash, createdAt: free, updatedAt: null, spent: [] }
    this.#byHash.set(hash, stored)
    all.add(stored)
    if (!stored.disabled) enabled.add(stored)
    return stored
  }

  /** Changes a key's settings. With nothing to change it stays as it is, its `updatedAt` too. */
  change(key: StoredKey, settings: Partial<KeySettings>, now: Date): void {
    if (Object.keys(settings).length === 0) return
    const { enabled } = this.#listsOf(key.workspaceId)
    enabled.remove(key)
    Object.assign(key, settings, { updatedAt: now })
    if (!key.disabled) enabled.add(key)
  }

  /** Deletes a key. Gives `false` if there is none with that hash. */
  delete(hash: string): boolean {
    const key = this.#byHash.get(hash)
    if (key === undefined) return false
    this.#byHash.delete(hash)
    const { all, enabled } = this.#listsOf(key.workspaceId)
    all.remove(key)
    enabled.remove(key)
    return true
  }

  /** Gives one page of a workspace's keys, newest first; disabled keys count, also for the offset, only if asked for. */
  page(workspaceId: string, includeDisabled: boolean, offset: number, size: number): StoredKey[] {
    const { all, enabled } = this.#listsOf(workspaceId)
    return (includeDisabled ? all : enabled).page(offset, size)
  }

  #listsOf(workspaceId: string) {
    const lists = this.#lists.get(workspaceId) ?? { all: new Timeline(), enabled: new Timeline() }
    this.#lists.set(workspaceId, lists)
    return lists
  }
}
