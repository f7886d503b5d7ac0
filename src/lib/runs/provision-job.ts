import { BadFileError } from '../core/errors.js'
import { refusePastExpiry } from '../core/expiry.js'
import { mqIdKey } from '../core/key-name.js'
import type { Usd } from '../core/money.js'
import { countOutcomes, type StudentOutcome, stoppedOf } from '../core/outcome.js'
import { type ProvisionInput, type ProvisionPlan, planProvision } from '../core/provision-plan.js'
import type { ProvisionResult } from '../core/results.js'
import { withoutPlaceholders } from '../core/roster.js'
import { rosterGaps } from '../core/roster-gaps.js'
import { refuseOverBudget } from '../core/spending.js'
import { type Person, type Student, studentRef } from '../core/student.js'
import { count } from '../core/words.js'
import { type LimitsFile, loadLimitsIfThere } from '../files/limits-file.js'
import { loadRoster } from '../files/roster-file.js'
import { saveClassFiles } from './class-files.js'
import { findClassTargets } from './find-targets.js'
import { findGuardrail } from './guardrails.js'
import { KeyMakingJob } from './key-making-job.js'
import { type Listed, recordListing } from './listing.js'
import { type Replan, settleAndCreate } from './settle-and-create.js'

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
}

/** The rows of `provision`, in their order; each hands on what it has found, and gives a word about it. */
export class ProvisionJob extends KeyMakingJob<ProvisionPlan, ProvisionResult['files']> {
  #students: Student[] = []
  #limits!: LimitsFile
  #listed!: Listed
  #balance: Usd | null = null
  #input!: ProvisionInput

  /** @throws UsageError where there is no roster; BadFileError with every problem of a file */
  async read(roster: string, limits: string): Promise<string> {
    this.#students = (await loadRoster(roster)).students
    this.#limits = await loadLimitsIfThere(limits)
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
   * @throws BadFileError with every student whose row does not say enough for a key; UsageError where there is no such
   *   guardrail, or `--expires` is over; ClassKeysError `over_class_budget`
   */
  async makePlan(roster: string, wishes: ProvisionWishes): Promise<string> {
    const { limit, expiresAt, guardrail, classBudget } = wishes
    const { ledger, openRouter } = this.session
    const { real: students, placeholders } = withoutPlaceholders(this.#students)
    const { keys, listedAt: now } = this.#listed
    refusePastExpiry(expiresAt, now)
    const known = await ledger.knownClass()
    const found = findClassTargets(this.#limits, { keys, roster: this.#students, known, now })
    this.#input = {
      students,
      placeholders,
      known,
      keys,
      creations: await ledger.unsettledCreations(),
      secretHere: await ledger.secretHashes(),
      limit,
      expiresAt,
      guardrail: guardrail === undefined ? null : await findGuardrail(openRouter, guardrail),
      guardrails: await ledger.guardrailsOfKeys(),
      unassigned: await ledger.unassignedKeys(),
      wrongTerms: await ledger.wrongTerms(),
      offboarded: await ledger.offboardedHashes(),
      heldDisabled: new Set(found.flatMap(({ key, target }) => (key && target.disabled ? [key.hash] : []))),
      balance: this.#balance,
      now,
    }
    this.plan = planProvision(this.#input)
    const problems = rosterGaps(this.plan.changes, students, { limit, expiresAt }, now)
    if (problems.length > 0) throw new BadFileError(roster, problems, adviceOn(problems))
    refuseOverBudget(this.plan.spending, classBudget)
    return count(this.plan.changes.length, 'change')
  }

  /** Makes what the plan asks for, once it is certain that the secrets and limits.csv can be written. */
  async makeKeys(limits: string, report: (progress: string) => void): Promise<string> {
    const { students, keys } = this.#input
    await this.begin(limits, this.plan.changes.length)
    const people = new Map<string, Person>(students.map((student) => [student.mqId, student]))
    const replan: Replan['replan'] = async (known, refused) =>
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

  /** Writes limits.csv anew, with its targets, and the snapshot. */
  async saveFiles(limits: string): Promise<string> {
    const keys = this.asUpdated(this.run.keys)
    const answered: ReadonlySet<string> = new Set()
    const files = await saveClassFiles(limits, this.#students, keys, this.session.ledger, answered)
    Object.assign(this.files, files)
    return `${files.limits}, ${files.snapshot}`
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
      recovered: this.recovered,
      files: this.files,
      ...stoppedOf(this.stoppedBy),
      retries: this.session.retries,
    }
  }

  /** What became of each student, in the order of the roster, then of anybody else. */
  #outcomes(): StudentOutcome[] {
    const changed = new Map(this.run.outcomes.map((outcome) => [mqIdKey(outcome.mqId), outcome]))
    for (const outcome of this.updated.outcomes) {
      const id = mqIdKey(outcome.mqId)
      // A new key counts for more than what became of an earlier one.
      if (!changed.has(id)) changed.set(id, this.#asEnabled(outcome))
    }
    const leftAlone = new Map(this.run.leftAlone.map((left) => [mqIdKey(left.mqId), left]))
    const holders = new Map(this.plan.keyHolders.map((holder) => [mqIdKey(holder.mqId), holder]))
    const here = new Set(this.#input.students.map((student) => mqIdKey(student.mqId)))
    const ofRoster = this.#input.students.map((student): StudentOutcome => {
      const id = mqIdKey(student.mqId)
      const holder = holders.get(id)
      const hashes = holder?.hashes ?? []
      const outcome = changed.get(id)
      if (outcome) return this.withGuardrail(outcome, [outcome.hash, ...hashes])
      const left = leftAlone.get(id)
      if (left)
        return { ...studentRef(student), outcome: 'in doubt', reason: left.why, keyName: left.keyName }
      if (!holder) return { ...studentRef(student), outcome: 'not tried' }
      const repaired = hashes.find((hash) => this.assigned.assigned.has(hash))
      const hash = repaired ?? hashes[0]
      const kind = repaired ? 'updated' : 'already had one'
      const of = { ...studentRef(student), outcome: kind, ...(hash !== undefined && { hash }) } as const
      return this.withGuardrail(of, hashes)
    })
    // Somebody who has left may still have had a lost key to delete.
    return [...ofRoster, ...this.run.outcomes.filter((outcome) => !here.has(mqIdKey(outcome.mqId)))]
  }

  /** A key that is enabled for a student who is back is more than one that is changed. */
  #asEnabled(outcome: StudentOutcome): StudentOutcome {
    const isBack = this.plan.changes.some(
      (change) => change.kind === 'enable' && change.hash === outcome.hash,
    )
    return isBack && outcome.outcome === 'updated' ? { ...outcome, outcome: 'enabled' } : outcome
  }
}

function adviceOn(problems: readonly { column?: string }[]): string {
  const flags = [
    problems.some(({ column }) => column === 'budget') && '--limit',
    problems.some(({ column }) => column === 'expires_at') && '--expires',
  ].filter((flag) => flag !== false)
  return `Nothing was created. Fill them in, or give everybody the same with ${flags.join(' and ')}.`
}
