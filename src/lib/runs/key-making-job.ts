import { asUpdate, type UnassignedKey, type UpdateKey } from '../core/changes.js'
import type { Key } from '../core/key.js'
import type { StudentOutcome } from '../core/outcome.js'
import { type Assigned, assignGuardrails } from './guardrails.js'
import { handOut } from './hand-out.js'
import { PlannedJob } from './planned-job.js'
import { type CreationPlan, type Creations, NOTHING_CREATED } from './settle-and-create.js'
import { NOTHING_UPDATED, type Updates, updateKeys } from './update-run.js'

/** What `provision` and `rotate` have in common: they make keys, give them their guardrails, and write their secrets. */
export abstract class KeyMakingJob<
  Plan extends CreationPlan,
  Files extends { apiKeys?: string },
> extends PlannedJob<Plan, Files> {
  protected run: Creations = NOTHING_CREATED
  protected assigned: Assigned = { assigned: new Set(), failed: new Map() }
  /** What came of changing keys that are there. */
  protected updated: Updates = NOTHING_UPDATED
  /** How many keys of earlier runs are in the file of this one. */
  protected recovered = 0

  /** The changes to keys that are there. */
  get #updates(): UpdateKey[] {
    return this.plan.changes.flatMap((change) =>
      change.kind === 'enable' ? [asUpdate(change)] : change.kind === 'update' ? [change] : [],
    )
  }

  /** Whether the plan changes keys that are there. */
  get updates(): boolean {
    return this.#updates.length > 0
  }

  /** Enables the keys of students who are back, and sets limits right that came out otherwise than asked for. */
  async updateKeys(report: (progress: string) => void): Promise<string> {
    if (this.endedEarly) return 'not reached'
    const changes = this.#updates
    this.updated = await updateKeys(changes, this.session.ports, (done) =>
      report(`${done} of ${changes.length}`),
    )
    this.stoppedBy ??= this.updated.stoppedBy
    return String(this.updated.outcomes.filter(({ outcome }) => outcome === 'updated').length)
  }

  /** Keys as they are once those that the plan changes are changed. */
  protected asUpdated(keys: readonly Key[]): Key[] {
    return keys.map((key) => this.updated.changed.get(key.hash) ?? key)
  }

  /** Whether keys are to get a guardrail, new ones or those of an earlier run. */
  get assigns(): boolean {
    return this.plan.changes.some(
      (change) =>
        change.kind === 'assign-guardrail' || (change.kind === 'create' && change.guardrail !== null),
    )
  }

  /** Gives the new keys, and those of earlier runs that the plan names, the guardrail that they were made for. */
  async assignGuardrails(): Promise<string> {
    const { ledger, ports } = this.session
    const planned = new Map(
      this.plan.changes.flatMap((change) =>
        change.kind === 'assign-guardrail' ? [[change.hash, change.guardrail] as const] : [],
      ),
    )
    const made = new Set(this.run.outcomes.map(({ hash }) => hash))
    const wishes = (await ledger.unassignedKeys()).flatMap(({ hash, guardrail }): UnassignedKey[] =>
      planned.has(hash) || made.has(hash) ? [{ hash, guardrail: planned.get(hash) ?? guardrail }] : [],
    )
    this.assigned = await assignGuardrails(wishes, ports)
    this.stoppedBy ??= this.assigned.stoppedBy
    return String(this.assigned.assigned.size)
  }

  /** Writes every secret that no file has ever held into a new one, also those of earlier runs. */
  async handOut(): Promise<string> {
    const { ledger } = this.session
    const handedOut = await handOut(ledger, this.run.outcomes)
    if (!handedOut) return 'no new ones'
    this.recovered = handedOut.recovered
    this.files.apiKeys = handedOut.file
    // The file is there, and is to be named, whatever becomes of the note that it is.
    await ledger.markHandedOut(handedOut.hashes, handedOut.file)
    return handedOut.file
  }

  /** A key that has not got its guardrail may use what it should not: that is a failure, until it is made up for. */
  protected withGuardrail(outcome: StudentOutcome, hashes: readonly (string | undefined)[]): StudentOutcome {
    for (const hash of hashes) {
      const reason = hash === undefined ? undefined : this.assigned.failed.get(hash)
      if (reason) return { ...outcome, outcome: 'failed', reason }
    }
    return outcome
  }
}
