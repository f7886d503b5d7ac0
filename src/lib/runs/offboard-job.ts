import { dirname } from 'node:path'
import { asUpdate, type DeleteKey, type DisableKey } from '../core/changes.js'
import { everybody } from '../core/class-people.js'
import { classKeys, type OffboardInput, type OffboardPlan, planOffboard } from '../core/offboard-plan.js'
import { countOutcomes, type StudentOutcome, stoppedOf } from '../core/outcome.js'
import type { OffboardResult } from '../core/results.js'
import type { Person } from '../core/student.js'
import { count } from '../core/words.js'
import { loadRoster, loadRosterIfThere } from '../files/roster-file.js'
import { prepareFolder } from '../files/safe-write.js'
import { saveUsage } from '../files/usage-file.js'
import { saveClassFiles } from './class-files.js'
import { type Deletions, deleteKeys } from './delete-keys.js'
import { type Listed, recordListing } from './listing.js'
import type { Session } from './session.js'
import { type Creations, settleAndCreate } from './settle-and-create.js'
import { type Updates, updateKeys } from './update-run.js'

/** Whose keys are to be taken out of use, and how. */
export interface OffboardWishes {
  /** The whole class, and not only those who have left. */
  endOfTerm: boolean
  /** Delete what is disabled already. */
  deleteDisabled: boolean
  /** Percent of the class's keys that may be disabled or deleted. */
  maxChange: number
}

/** The rows of `offboard`, in their order; each hands on what it has found, and gives a word about it. */
export class OffboardJob {
  #roster: Person[] = []
  #listed: Listed = { keys: [], listedAt: new Date(0) }
  #input!: OffboardInput
  #disabled: Updates = { outcomes: [], changed: new Map() }
  #deleted: Deletions = { outcomes: [], gone: new Set() }
  readonly #files: OffboardResult['files'] = {}
  plan!: OffboardPlan
  run!: Creations

  constructor(readonly session: Session) {}

  /**
   * Reads who is in the class: without a roster nobody can be told to have left it, while the end of the term
   * takes everybody the ledger knows.
   * @throws UsageError where there is no roster; BadFileError with every problem of it
   */
  async read(roster: string, { endOfTerm }: OffboardWishes): Promise<string> {
    const found = endOfTerm ? await loadRosterIfThere(roster) : await loadRoster(roster)
    this.#roster = found?.students ?? []
    return found ? count(this.#roster.length, 'student') : `no ${roster}`
  }

  /** Fetches the keys and brings the ledger up to them, with what each has spent: it may be the last time. */
  async fetch(wishes: OffboardWishes, report: (progress: string) => void): Promise<string> {
    const { ledger } = this.session
    this.#listed = await this.session.fetchKeys(report)
    await recordListing(ledger, this.#listed, this.#roster, { settlePending: true })
    this.#input = {
      ...wishes,
      roster: this.#roster,
      everybody: everybody(this.#roster, await ledger.students()),
      keys: this.#listed.keys,
      heldBy: await ledger.keyHolders(),
      creations: await ledger.unsettledCreations(),
      secretHere: await ledger.secretHashes(),
    }
    const keys = classKeys(this.#input).map(({ key }) => key)
    await ledger.recordUsage(keys, new Date())
    return String(this.#listed.keys.length)
  }

  /** Plans what is to be taken out of use. */
  async makePlan(): Promise<string> {
    this.plan = planOffboard(this.#input)
    return count(this.plan.changes.length, 'change')
  }

  /** Writes what everybody has spent, before anything is taken away. */
  async saveUsage(): Promise<string> {
    this.#files.usage = await saveUsage('.', classKeys(this.#input), new Date())
    return this.#files.usage
  }

  /** Disables keys, and deletes what is to be deleted, once it is certain that it can be written down. */
  async takeOutOfUse(limits: string, report: (progress: string) => void): Promise<string> {
    for (const folder of new Set(['.', dirname(limits)])) await prepareFolder(folder)
    const { ports } = this.session
    const replan: Parameters<typeof settleAndCreate>[2]['replan'] = async (known) =>
      planOffboard({ ...this.#input, ...known })
    const nobody = new Map<string, Person>()
    this.run = await settleAndCreate(this.plan, this.#input.keys, { people: nobody, replan }, ports, () => {})
    if (this.endedEarly) return 'failed'
    try {
      const { changes } = this.plan
      const disables = changes.filter((change): change is DisableKey => change.kind === 'disable')
      const deletes = changes.filter((change): change is DeleteKey => change.kind === 'delete')
      const total = disables.length + deletes.length
      this.#disabled = await updateKeys(
        disables.map(asUpdate),
        ports,
        (done) => report(`${done} of ${total}`),
        { offboarding: true },
      )
      this.run.stoppedBy ??= this.#disabled.stoppedBy
      if (!this.endedEarly)
        this.#deleted = await deleteKeys(deletes, ports, (done) =>
          report(`${disables.length + done} of ${total}`),
        )
      this.run.stoppedBy ??= this.#deleted.stoppedBy
    } catch (error) {
      this.run.stoppedBy ??= error as Error
    }
    return String(this.#disabled.changed.size + this.#deleted.gone.size)
  }

  /** Why the run ended before its time, where it did. */
  get stoppedBy(): Error | undefined {
    return this.run.stoppedBy
  }

  /** Whether the run has not come to its end, so that limits.csv is left as it is. */
  get endedEarly(): boolean {
    return this.run.stoppedBy !== undefined || this.session.signals.stopping.aborted
  }

  /** Writes limits.csv anew and the snapshot; a row of a key that was taken out of use asks for nothing more. */
  async saveFiles(limits: string): Promise<string> {
    try {
      const { ledger } = this.session
      const keys = this.run.keys
        .filter((key) => !this.#deleted.gone.has(key.hash))
        .map((key) => this.#disabled.changed.get(key.hash) ?? key)
      const answered = new Set(this.#disabled.changed.keys())
      Object.assign(this.#files, await saveClassFiles(limits, this.#roster, keys, ledger, answered))
      return `${this.#files.limits}, ${this.#files.snapshot}`
    } catch (error) {
      this.run.stoppedBy ??= error as Error
      return 'failed'
    }
  }

  /** What the run tells a person or a script in the end. */
  result(): OffboardResult {
    const students = this.#outcomes()
    return {
      plan: this.plan,
      students,
      counts: countOutcomes(students),
      deletedLost: this.run.deleted,
      files: this.#files,
      ...stoppedOf(this.run.stoppedBy),
      retries: this.session.retries,
    }
  }

  /** One line for each key that was to be taken out of use, in the order of the plan. */
  #outcomes(): StudentOutcome[] {
    const outcomes = new Map<string | undefined, StudentOutcome>()
    for (const outcome of this.#disabled.outcomes)
      outcomes.set(
        outcome.hash,
        outcome.outcome === 'updated' ? { ...outcome, outcome: 'disabled' } : outcome,
      )
    for (const outcome of this.#deleted.outcomes) outcomes.set(outcome.hash, outcome)
    const ofKeys = this.plan.changes.flatMap(({ kind, ...change }): StudentOutcome[] => {
      if (kind === 'delete-lost' || !('hash' in change)) return []
      const { email, name, mqId, keyName, hash } = change
      return [outcomes.get(hash) ?? { email, name, mqId, keyName, hash, outcome: 'not tried' }]
    })
    return [...this.run.outcomes, ...ofKeys]
  }
}
