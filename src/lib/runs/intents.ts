import { type CreateKey, keyRequest } from '../core/changes.js'
import type { Creation, KeyRequest } from '../core/creation.js'
import type { Person } from '../core/student.js'
import type { RunPorts } from './ports.js'

/** A creation that stands in the journal, and may be asked for. */
export interface Intended {
  id: Creation['id']
  request: KeyRequest
}

/**
 * Writes creations into the journal before they are asked for, as many with one commit as are asked for at a
 * time: a commit waits for the disk, and no secret waits for this one. An entry that is never sent is one more
 * that the listing shows to have made nothing.
 */
export class Intents {
  readonly #batches = new Map<number, Promise<Intended[]>>()
  readonly #places: ReadonlyMap<CreateKey, number>

  /** @param people everybody whose key may be made, by MQ ID as the plan spells it */
  constructor(
    readonly changes: readonly CreateKey[],
    readonly people: ReadonlyMap<string, Person>,
    readonly ports: RunPorts,
  ) {
    this.#places = new Map(changes.map((change, i) => [change, i]))
  }

  /** The journal's entry of a change, once it is on the disk. @throws LedgerError */
  async of(change: CreateKey): Promise<Intended> {
    const place = this.#places.get(change) ?? 0
    const size = this.ports.concurrency
    const n = Math.floor(place / size)
    const batch = this.#batches.get(n) ?? this.#write(this.changes.slice(n * size, (n + 1) * size))
    this.#batches.set(n, batch)
    const intended = (await batch)[place % size]
    if (!intended) throw new Error(`no entry was written for ${change.keyName}`)
    return intended
  }

  /** Ends the entries of changes that were never sent. @throws LedgerError */
  async closeUnsent(changes: readonly CreateKey[]): Promise<void> {
    const { ledger, concurrency, now } = this.ports
    const written = changes.filter((change) =>
      this.#batches.has(Math.floor((this.#places.get(change) ?? 0) / concurrency)),
    )
    const ids: number[] = []
    for (const change of written) {
      // Where they could not be written there is nothing to end.
      const intended = await this.of(change).catch(() => undefined)
      if (intended) ids.push(intended.id)
    }
    if (ids.length > 0) await ledger.closeEmptyCreations(ids, 'refused', now())
  }

  async #write(changes: readonly CreateKey[]): Promise<Intended[]> {
    const { ledger, now } = this.ports
    const requests = changes.map((change) => keyRequest(change, this.people))
    const ids = await ledger.intend(requests, now())
    return requests.flatMap((request, i) => {
      const id = ids[i]
      return id === undefined ? [] : [{ id, request }]
    })
  }
}
