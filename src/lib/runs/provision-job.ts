import { asUpdate } from '../core/changes.js'
import { everybody, findClassTargets } from '../core/class-people.js'
import { BadFileError, UsageError } from '../core/errors.js'
import { mqIdKey } from '../core/key-name.js'
import type { Target } from '../core/limits.js'
import type { Usd } from '../core/money.js'
import { countOutcomes, type StudentOutcome, stoppedOf } from '../core/outcome.js'
import {
  missingBudgets,
  type ProvisionInput,
  type ProvisionPlan,
  pastExpiries,
  planProvision,
  refuseOverBudget,
  studentRef,
} from '../core/provision-plan.js'
import type { ProvisionResult } from '../core/results.js'
import { withoutPlaceholders } from '../core/roster.js'
import type { Person, Student } from '../core/student.js'
import { count } from '../core/words.js'
import { loadTargetsIfThere } from '../files/limits-file.js'
import { loadRoster } from '../files/roster-file.js'
import { saveClassFiles } from './class-files.js'
import { type Assigned, assignGuardrails, findGuardrail } from './guardrails.js'
import { handOut } from './hand-out.js'
import { type Listed, recordListing } from './listing.js'
import { PlannedJob } from './planned-job.js'
import { type Creations, settleAndCreate } from './settle-and-create.js'
import { type Updates, updateKeys } from './update-run.js'

/** What the flags of `provision` say of the new keys and of the plan. */
export interface ProvisionWishes {
  /** US dollars for every new key. */
  limit: Usd | undefined
  /** UTC with seconds, for every new key. */
  expiresAt: string | undefined
  /** A guardrail's name or id, for every new key. */
  guardrail: string | undefined
  /** US dollars that the class may spend. */
  classBudget: Usd | undefined
  /** Percent of the class's keys that may be disabled, deleted or lowered. */
  maxChange: number | undefined
}

/** The rows of `provision`, in their order; each hands on what it has found, and gives a word about it. */
export class ProvisionJob extends PlannedJob<ProvisionPlan, ProvisionResult['files']> {
  #students: Student[] = []
  #targets: Target[] = []
  #listed: Listed = { keys: [], listedAt: new Date(0) }
  #balance: Usd | null = null
  #input!: ProvisionInput
  #recovered = 0
  #enabled: Updates = { outcomes: [], changed: new Map() }
  #assigned: Assigned = { assigned: new Set(), failed: new Map() }
  run!: Creations

  /** @throws UsageError where there is no roster; BadFileError with every problem of a file */
  async read(roster: string, limits: string): Promise<string> {
    this.#students = (await loadRoster(roster)).students
    this.#targets = await loadTargetsIfThere(limits)
    return count(this.#students.length, 'student')
  }

  /** Fetches the keys and brings the ledger up to them. What the account has left is only worth knowing. */
  async fetch(report: (progress: string) => void): Promise<string> {
    const failed = new AbortController()
    const listing = this.session.fetchKeys(report)
    const balance = this.session.openRouter.balance(failed.signal).catch(() => null)
    this.#listed = await listing.catch((error) => {
      failed.abort()
      throw error
    })
    const { ledger } = this.session
    const options = { settlePending: true }
    this.drift = (await recordListing(ledger, this.#listed, this.#students, options)).drift
    this.#balance = await balance
    return String(this.#listed.keys.length)
  }

  /**
   * @throws BadFileError with every student who would need a budget and has none, or whose expiry is over;
   *   UsageError where there is no such guardrail, or `--expires` is over; ClassKeysError `over_class_budget`
   */
  async makePlan(roster: string, wishes: ProvisionWishes): Promise<string> {
    const { limit, expiresAt, guardrail, classBudget, maxChange } = wishes
    const { ledger, openRouter } = this.session
    const { real: students, placeholders } = withoutPlaceholders(this.#students)
    const { keys, listedAt: today } = this.#listed
    if (expiresAt !== undefined && Date.parse(expiresAt) <= today.getTime())
      throw new UsageError('expiry_past', `--expires is over already (${expiresAt}). Name a day to come.`)
    const known = await ledger.knownClass()
    const found = findClassTargets(this.#targets, keys, this.#students, known)
    this.#input = {
      students,
      placeholders,
      keys,
      creations: await ledger.unsettledCreations(),
      secretHere: await ledger.secretHashes(),
      heldBy: known.heldBy,
      limit,
      expiresAt,
      guardrail: guardrail === undefined ? null : await findGuardrail(openRouter, guardrail),
      unassigned: await ledger.unassignedKeys(),
      offboarded: await ledger.offboardedHashes(),
      heldDisabled: new Set(found.flatMap(({ key, target }) => (key && target.disabled ? [key.hash] : []))),
      everybody: everybody(this.#students, known.students),
      ...(maxChange !== undefined && { maxChange }),
      balance: this.#balance,
      today,
    }
    this.plan = planProvision(this.#input)
    const problems = [
      ...missingBudgets(this.plan, students, limit),
      ...pastExpiries(this.plan, students, expiresAt, today),
    ].sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
    if (problems.length > 0) throw new BadFileError(roster, problems, adviceOn(problems))
    refuseOverBudget(this.plan, classBudget)
    return count(this.plan.changes.length, 'change')
  }

  /** Makes what the plan asks for, once it is certain that the secrets and limits.csv can be written. */
  async makeKeys(limits: string, report: (progress: string) => void): Promise<string> {
    await this.prepareFolders(limits)
    const { students, keys } = this.#input
    const people = new Map<string, Person>(students.map((student) => [student.mqId, student]))
    const replan: Parameters<typeof settleAndCreate>[2]['replan'] = async (known, refused) =>
      planProvision({
        ...this.#input,
        ...known,
        students: students.filter(({ mqId }) => !refused.has(mqIdKey(mqId))),
      })
    const onProgress = (done: number, total: number) => report(`${done} of ${total}`)
    this.run = await settleAndCreate(this.plan, keys, { people, replan }, this.session.ports, onProgress)
    this.stoppedBy ??= this.run.stoppedBy
    const made = this.run.outcomes.filter(({ outcome }) => outcome === 'created' || outcome === 'healed')
    return String(made.length)
  }

  /** Whether the plan enables keys of students who are back. */
  get enables(): boolean {
    return this.plan.changes.some(({ kind }) => kind === 'enable')
  }

  /** Enables the keys of students who are back. */
  async enableKeys(report: (progress: string) => void): Promise<string> {
    const changes = this.plan.changes.flatMap((change) =>
      change.kind === 'enable' ? [asUpdate(change)] : [],
    )
    this.#enabled = await updateKeys(changes, this.session.ports, (done) =>
      report(`${done} of ${changes.length}`),
    )
    this.stoppedBy ??= this.#enabled.stoppedBy
    return String(this.#enabled.changed.size)
  }

  /** Whether keys are to get a guardrail, new ones or those of an earlier run. */
  get assigns(): boolean {
    return this.plan.changes.some(
      (change) =>
        change.kind === 'assign-guardrail' || (change.kind === 'create' && change.guardrail !== null),
    )
  }

  /** Gives keys the guardrail that they were made for. */
  async assignGuardrails(): Promise<string> {
    this.#assigned = await assignGuardrails(this.session.ports)
    this.stoppedBy ??= this.#assigned.stoppedBy
    return String(this.#assigned.assigned.size)
  }

  /**
   * Writes every secret that no file has ever held into a new one, also those of earlier runs. That it cannot
   * be written ends the run, and nothing is lost.
   */
  handOut(): Promise<string> {
    return this.orStop(async () => {
      const handedOut = await handOut(this.session.ledger, this.run.outcomes)
      if (!handedOut) return 'no new ones'
      this.#recovered = handedOut.recovered
      this.files.apiKeys = handedOut.file
      return handedOut.file
    })
  }

  /** Writes limits.csv anew, with its targets, and the snapshot; what cannot be written ends the run. */
  saveFiles(limits: string): Promise<string> {
    return this.orStop(async () => {
      const keys = this.run.keys.map((key) => this.#enabled.changed.get(key.hash) ?? key)
      Object.assign(this.files, await saveClassFiles(limits, this.#students, keys, this.session.ledger))
      return `${this.files.limits}, ${this.files.snapshot}`
    })
  }

  /** What the run tells a person or a script in the end. */
  result(): ProvisionResult {
    const students = this.#outcomes()
    const { keyHolders, renamed, placeholders } = this.plan
    const { deleted, leftAlone } = this.run
    return {
      plan: this.plan,
      students,
      counts: countOutcomes(students),
      keyHolders,
      renamed,
      leftAlone,
      deleted,
      placeholders,
      drift: this.drift,
      recovered: this.#recovered,
      files: this.files,
      ...stoppedOf(this.stoppedBy),
      retries: this.session.retries,
    }
  }

  /** What became of each student, in the order of the roster, then of anybody else. */
  #outcomes(): StudentOutcome[] {
    const changed = new Map(this.run.outcomes.map((outcome) => [mqIdKey(outcome.mqId), outcome]))
    for (const outcome of this.#enabled.outcomes) changed.set(mqIdKey(outcome.mqId), enabledOutcome(outcome))
    const leftAlone = new Map(this.run.leftAlone.map((left) => [mqIdKey(left.mqId), left]))
    const holders = new Map(this.plan.keyHolders.map((holder) => [mqIdKey(holder.mqId), holder]))
    const here = new Set(this.#input.students.map((student) => mqIdKey(student.mqId)))
    const ofRoster = this.#input.students.map((student): StudentOutcome => {
      const outcome = changed.get(mqIdKey(student.mqId))
      if (outcome) return outcome
      const left = leftAlone.get(mqIdKey(student.mqId))
      if (left)
        return { ...studentRef(student), outcome: 'in doubt', reason: left.why, keyName: left.keyName }
      const holder = holders.get(mqIdKey(student.mqId))
      if (!holder) return { ...studentRef(student), outcome: 'not tried' }
      const repaired = holder.hashes.find((hash) => this.#assigned.assigned.has(hash))
      const hash = repaired ?? holder.hashes[0]
      const kind = repaired ? 'updated' : 'already had one'
      return { ...studentRef(student), outcome: kind, ...(hash !== undefined && { hash }) }
    })
    // Somebody who has left may still have had a lost key to delete.
    const all = [...ofRoster, ...this.run.outcomes.filter((outcome) => !here.has(mqIdKey(outcome.mqId)))]
    return all.map((outcome) => this.#withGuardrail(outcome))
  }

  /** A key that has not got its guardrail may use what it should not: that is a failure, until it is made up for. */
  #withGuardrail(outcome: StudentOutcome): StudentOutcome {
    const holder = this.plan.keyHolders.find(({ mqId }) => mqIdKey(mqId) === mqIdKey(outcome.mqId))
    const hashes = [outcome.hash, ...(holder?.hashes ?? [])]
    for (const hash of hashes) {
      const reason = hash === undefined ? undefined : this.#assigned.failed.get(hash)
      if (reason) return { ...outcome, outcome: 'failed', reason }
    }
    return outcome
  }
}

function enabledOutcome(outcome: StudentOutcome): StudentOutcome {
  return outcome.outcome === 'updated' ? { ...outcome, outcome: 'enabled' } : outcome
}

function adviceOn(problems: readonly { column?: string }[]): string {
  const flags = [
    problems.some(({ column }) => column === 'budget') && '--limit',
    problems.some(({ column }) => column === 'expires_at') && '--expires',
  ].filter((flag) => flag !== false)
  return `Nothing was created. Fill them in, or give everybody the same with ${flags.join(' and ')}.`
}
