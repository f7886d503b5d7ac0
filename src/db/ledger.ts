import { eq } from 'drizzle-orm'
import type { UnassignedKey } from '../lib/core/changes.js'
import type { KnownClass } from '../lib/core/class-people.js'
import type { Creation, GuardrailRef, KeyRequest, WrongTerms } from '../lib/core/creation.js'
import type { HistoryEntry } from '../lib/core/history.js'
import type { GoneKey, Key } from '../lib/core/key.js'
import type { RelativeTarget } from '../lib/core/relative-targets.js'
import type { Drift } from '../lib/core/results.js'
import type { NewRotation, Rotation } from '../lib/core/rotation.js'
import type { Person } from '../lib/core/student.js'
import type { Connection, Db } from './connection.js'
import * as creations from './creations.js'
import { markTold, untoldDrift } from './drift.js'
import { asLedgerError } from './errors.js'
import * as guardrails from './guardrails.js'
import { readHistory } from './history.js'
import {
  type Change,
  hashesThere,
  keyWriter,
  logChanges,
  markGone,
  markOffboarded,
  offboardedHashes,
  readHolders,
} from './keys.js'
import { addPending, DELETED, dropPending, type Listing, recordListing, recordUsage } from './listings.js'
import * as offboarding from './offboarding.js'
import { addRelativeTargets, dropRelativeTargets, readRelativeTargets } from './relative-targets.js'
import * as rotations from './rotations.js'
import {
  type LedgerKey,
  markHandedOut,
  readLedgerKeys,
  secretHashes,
  type WaitingKey,
  waitingKeys,
} from './secrets.js'
import { readGoneKeys, readStudentKeys, type StudentKey } from './student-keys.js'
import { readStudents } from './students.js'
import { key } from './tables.js'
import type { LedgerWorkspace } from './workspaces.js'
import * as workspaces from './workspaces.js'

/**
 * The only door to the database. Its methods are asynchronous, so that another engine can stand behind it one
 * day; each is one transaction, on the disk before it returns. All throw LedgerError.
 */
export class Ledger {
  readonly #connection: Connection

  /** @param path the ledger's path as the person gave it, for messages */
  constructor(
    connection: Connection,
    readonly path: string,
  ) {
    this.#connection = connection
  }

  /** Everybody the ledger knows by MQ ID. */
  async students(): Promise<Person[]> {
    return this.#read(readStudents)
  }

  /**
   * Brings the ledger to what OpenRouter says; what changed without this tool is logged as `observed_…`, and
   * given back.
   */
  async recordListing(listing: Listing, now: Date): Promise<Drift[]> {
    return this.#write((db) => recordListing(db, listing, now))
  }

  /** What changed without this tool and no check has told of yet, and how far in the changelog that goes. */
  async untoldDrift(): Promise<{ drift: Drift[]; upTo: number }> {
    return this.#read(untoldDrift)
  }

  /** Writes down how far in the changelog a check has told what changed without this tool. */
  async markTold(upTo: number): Promise<void> {
    this.#write((db) => markTold(db, upTo))
  }

  /** Writes down what keys of the ledger have spent. */
  async recordUsage(keys: readonly Pick<Key, 'hash' | 'usage'>[], now: Date): Promise<void> {
    this.#write((db) => recordUsage(db, keys, now))
  }

  /** Writes down that keys are about to be asked for, in one commit; gives the numbers of the journal's entries. */
  async intend(requests: readonly KeyRequest[], at: Date): Promise<number[]> {
    return this.#write((db) => creations.intend(db, requests, at))
  }

  /** The journal's entries that may still have left a key behind: open, being undone, or held absent. */
  async unsettledCreations(): Promise<Creation[]> {
    return this.#read(creations.unsettled)
  }

  /** The keys that were made with another limit or reset period than was asked for, which nobody has changed since. */
  async wrongTerms(): Promise<WrongTerms[]> {
    return this.#read(creations.wrongTerms)
  }

  /** Commits the answer to a creation: secret, key, student, changelog row and the end of the journal's entry. */
  async completeCreation(
    id: number,
    request: KeyRequest,
    made: { key: Key; secret: string },
    at: Date,
  ): Promise<void> {
    this.#write((db) => creations.complete(db, id, request, made, at))
  }

  /** Ends the journal's entries that made nothing. */
  async closeEmptyCreations(ids: readonly number[], state: 'refused' | 'absent', at: Date): Promise<void> {
    this.#write((db) => creations.closeEmpty(db, ids, state, at))
  }

  /** Writes down that the lost key of a creation is about to be deleted. */
  async startUndoing(id: number, lost: Key, at: Date): Promise<void> {
    this.#write((db) => creations.startUndoing(db, id, lost, at))
  }

  /** Writes down that the lost keys of creations are deleted, with a changelog row each. */
  async finishUndoing(ids: readonly number[], at: Date): Promise<void> {
    this.#write((db) => {
      for (const id of ids) creations.finishUndoing(db, id, at)
    })
  }

  /** The workspace that the keys of this ledger are in; undefined is the account's default one. */
  async workspace(): Promise<LedgerWorkspace | undefined> {
    return this.#read(workspaces.readWorkspace)
  }

  /** Makes this ledger one about a workspace. */
  async setWorkspace(chosen: LedgerWorkspace): Promise<void> {
    this.#write((db) => workspaces.writeWorkspace(db, chosen))
  }

  /** The hashes of the keys that are still in OpenRouter as far as the ledger knows. */
  async hashesThere(): Promise<string[]> {
    return this.#read(hashesThere)
  }

  /** The keys that were made for a guardrail, and that OpenRouter has not confirmed to have it. */
  async unassignedKeys(): Promise<UnassignedKey[]> {
    return this.#read(guardrails.unassignedKeys)
  }

  /** The guardrails that keys were made with, by hash. */
  async guardrailsOfKeys(): Promise<Map<string, GuardrailRef>> {
    return this.#read(guardrails.readGuardrails)
  }

  /** Writes down that OpenRouter has confirmed the guardrail of keys, with a changelog row each. */
  async recordAssigned(hashes: readonly string[], guardrail: GuardrailRef, at: Date): Promise<void> {
    if (hashes.length > 0) this.#write((db) => guardrails.recordAssigned(db, hashes, guardrail, at))
  }

  /** Writes down all that a run sets out to rotate, in one commit. */
  async addRotations(rows: readonly NewRotation[], at: Date): Promise<void> {
    this.#write((db) => rotations.addRotations(db, rows, at))
  }

  /** The rotations that something is left to do for, now or on a later day, and those of the same runs that are done. */
  async unfinishedRotations(): Promise<Rotation[]> {
    return this.#read(rotations.unfinishedRuns)
  }

  /** Writes down that old keys are out of use. */
  async markRetired(oldHashes: readonly string[], at: Date): Promise<void> {
    this.#write((db) => rotations.markRetired(db, oldHashes, at))
  }

  /** Ends the rotations that a run has come to the end with, and those that are moot, by their numbers. */
  async closeRotations(moot: readonly number[], at: Date): Promise<void> {
    this.#write((db) => rotations.closeRotations(db, moot, at))
  }

  /** What the ledger knows of the class. */
  async knownClass(): Promise<KnownClass> {
    return this.#read((db) => ({
      students: readStudents(db),
      heldBy: readHolders(db),
      replaced: rotations.replacedKeys(db),
    }))
  }

  /** The hashes of the keys that `offboard` has disabled, and that nobody has enabled since. */
  async offboardedHashes(): Promise<Set<string>> {
    return this.#read(offboardedHashes)
  }

  /** The hashes of the keys that a run of `offboard` has disabled which did not come to its end. */
  async offboardedUnfinished(): Promise<Set<string>> {
    return this.#read(offboarding.offboardedUnfinished)
  }

  /** Writes down that a run of `offboard` has come to its end. */
  async finishOffboarding(at: Date): Promise<void> {
    this.#write((db) => offboarding.finishOffboarding(db, at))
  }

  /** The hashes of the keys whose secret is here. */
  async secretHashes(): Promise<Set<string>> {
    return this.#read(secretHashes)
  }

  /** The keys whose secret no file has ever held, in the order they were made. */
  async waitingKeys(): Promise<WaitingKey[]> {
    return this.#read(waitingKeys)
  }

  /** Writes down which file holds the secrets of keys. */
  async markHandedOut(hashes: readonly string[], file: string): Promise<void> {
    this.#write((db) => markHandedOut(db, hashes, file))
  }

  /** Every key that is still in OpenRouter as far as the ledger knows, with its secret if it is here. */
  async keys(): Promise<LedgerKey[]> {
    return this.#read(readLedgerKeys)
  }

  /** The whole changelog, oldest first. */
  async history(): Promise<HistoryEntry[]> {
    return this.#read(readHistory)
  }

  /** The keys of the student with an address, those that are gone included, with what each has spent over time. */
  async keysOf(email: string): Promise<StudentKey[]> {
    return this.#read((db) => readStudentKeys(db, email))
  }

  /** The keys that are not in OpenRouter any more, with the last that is known of them. */
  async goneKeys(): Promise<GoneKey[]> {
    return this.#read(readGoneKeys)
  }

  /** Writes down that the secret of a key is about to be shown on a screen. */
  async recordReveal(hash: string, at: Date): Promise<void> {
    this.#write((db) =>
      logChanges(db, [{ keyHash: hash, action: 'revealed', oldValue: null, newValue: null }], at),
    )
  }

  /**
   * Writes down changes that are about to be sent, all in one commit.
   * @param offboarding whether keys that are disabled are those of students who have left
   */
  async intendChanges(changes: readonly Change[], at: Date, { offboarding = false } = {}): Promise<void> {
    this.#write((db) => {
      addPending(db, changes, at)
      for (const { keyHash, action, newValue } of changes) {
        if (action === 'update_disabled' && newValue === 'true')
          markOffboarded(db, keyHash, offboarding ? at : null)
      }
    })
  }

  /** Writes down changes that OpenRouter has confirmed, with the key as it is now. */
  async recordChanges(changes: readonly Change[], now: Key, at: Date): Promise<void> {
    this.#write((db) => {
      const row = db.select({ email: key.email }).from(key).where(eq(key.keyHash, now.hash)).get()
      if (!row) throw new Error(`the ledger does not know the key ${now.hash} that was changed`)
      logChanges(db, changes, at)
      keyWriter(db, at)(now, row.email)
      if (!now.disabled) markOffboarded(db, now.hash, null)
      dropPending(db, [now.hash])
    })
  }

  /** Writes down that a key was deleted, as it was asked for; its history stays. */
  async recordDeletion(hash: string, keyName: string, at: Date): Promise<void> {
    this.#write((db) => {
      logChanges(db, [{ keyHash: hash, action: DELETED, oldValue: keyName, newValue: null }], at)
      markGone(db, hash, at)
      dropPending(db, [hash])
    })
  }

  /** Forgets changes that were about to be sent, and that OpenRouter has refused or was never asked for. */
  async dropChanges(hashes: readonly string[]): Promise<void> {
    if (hashes.length > 0) this.#write((db) => dropPending(db, hashes))
  }

  /** What relative targets came to that are not known to be reached. */
  async relativeTargets(): Promise<RelativeTarget[]> {
    return this.#read(readRelativeTargets)
  }

  /** Writes down what relative targets come to, before the first of them is sent. */
  async intendRelativeTargets(targets: readonly RelativeTarget[], at: Date): Promise<void> {
    if (targets.length > 0) this.#write((db) => addRelativeTargets(db, targets, at))
  }

  /** Forgets what relative targets of keys came to: they are reached, or no longer asked for. */
  async dropRelativeTargets(hashes: readonly string[]): Promise<void> {
    if (hashes.length > 0) this.#write((db) => dropRelativeTargets(db, hashes))
  }

  /** Closes the file; nothing can be asked of the ledger afterwards. */
  async close(): Promise<void> {
    this.#connection.sqlite.close()
  }

  #read<T>(work: (db: Db) => T): T {
    try {
      return work(this.#connection.db)
    } catch (error) {
      throw asLedgerError(error, this.path)
    }
  }

  /** One transaction that takes the write lock at its start, so that it never has to give up half-way. */
  #write<T>(work: (db: Db) => T): T {
    try {
      return this.#connection.db.transaction((tx) => work(tx), { behavior: 'immediate' })
    } catch (error) {
      throw asLedgerError(error, this.path)
    }
  }
}
