import { dirname } from 'node:path'
import { everybody, findClassTargets } from '../core/class-people.js'
import { BadFileError, ClassKeysError } from '../core/errors.js'
import { mqIdKey } from '../core/key-name.js'
import { nextLimits, type Target } from '../core/limits.js'
import { matchKeys } from '../core/matching.js'
import type { Usd } from '../core/money.js'
import { countOutcomes, type StudentOutcome, stoppedOf } from '../core/outcome.js'
import {
  missingBudgets,
  type ProvisionInput,
  type ProvisionPlan,
  planProvision,
  studentRef,
} from '../core/provision-plan.js'
import { reachedTargets } from '../core/relative-targets.js'
import type { ProvisionResult } from '../core/results.js'
import { withoutPlaceholders } from '../core/roster.js'
import type { Student } from '../core/student.js'
import { count } from '../core/words.js'
import { saveApiKeys } from '../files/api-keys-file.js'
import { loadTargetsIfThere, saveLimits } from '../files/limits-file.js'
import { loadRoster } from '../files/roster-file.js'
import { prepareFolder } from '../files/safe-write.js'
import { saveSnapshot } from '../files/snapshot-file.js'
import { type Listed, recordListing } from './listing.js'
import { type ProvisionRun, runProvision } from './provision-run.js'
import type { Session } from './session.js'

/** The rows of `provision`, in their order; each hands on what it has found, and gives a word about it. */
export class ProvisionJob {
  #students: Student[] = []
  #targets: Target[] = []
  #listed: Listed = { keys: [], listedAt: new Date(0) }
  #input!: ProvisionInput
  #recovered = 0
  readonly #files: ProvisionResult['files'] = {}
  plan!: ProvisionPlan
  run!: ProvisionRun

  constructor(readonly session: Session) {}

  /** @throws UsageError where there is no roster; BadFileError with every problem of a file */
  async read(roster: string, limits: string): Promise<string> {
    this.#students = (await loadRoster(roster)).students
    this.#targets = await loadTargetsIfThere(limits)
    return count(this.#students.length, 'student')
  }

  /** Fetches the keys and brings the ledger up to them. */
  async fetch(report: (progress: string) => void): Promise<string> {
    this.#listed = await this.session.fetchKeys(report)
    await recordListing(this.session.ledger, this.#listed, this.#students, { settlePending: true })
    return String(this.#listed.keys.length)
  }

  /** @throws BadFileError with every student who would need a budget and has none */
  async makePlan(roster: string, limit: Usd | undefined): Promise<string> {
    const { real: students, placeholders } = withoutPlaceholders(this.#students)
    const { keys, listedAt: today } = this.#listed
    const creations = await this.session.ledger.unsettledCreations()
    const secretHere = await this.session.ledger.secretHashes()
    const heldBy = await this.session.ledger.keyHolders()
    this.#input = { students, placeholders, keys, creations, secretHere, heldBy, limit, today }
    this.plan = planProvision(this.#input)
    const problems = missingBudgets(this.plan, students, limit)
    if (problems.length === 0) return count(this.plan.changes.length, 'change')
    const advice = 'Nothing was created. Fill them in, or give everybody the same with --limit.'
    throw new BadFileError(roster, problems, advice)
  }

  /** Makes what the plan asks for, once it is certain that the secrets and limits.csv can be written. */
  async makeKeys(limits: string, report: (progress: string) => void): Promise<string> {
    for (const folder of new Set(['.', dirname(limits)])) await prepareFolder(folder)
    const onProgress = (done: number, total: number) => report(`${done} of ${total}`)
    this.run = await runProvision(this.plan, this.#input, this.session.ports, onProgress)
    const made = this.run.outcomes.filter(({ outcome }) => outcome === 'created' || outcome === 'healed')
    return String(made.length)
  }

  /**
   * Writes every secret that no file has ever held into a new one, also those of earlier runs. That it cannot
   * be written ends the run, and does not hide what the run has done.
   */
  handOut(): Promise<string> {
    return this.#orEnd(() => this.#writeApiKeys())
  }

  async #writeApiKeys(): Promise<string> {
    const { ledger } = this.session
    const waiting = await ledger.waitingKeys()
    if (waiting.length === 0) return 'no new ones'
    const file = await saveApiKeys('.', waiting, new Date()).catch((error: Error) => {
      const advice =
        'The new keys are safe in the ledger: class-keys export-keys --output PATH writes them elsewhere.'
      throw new ClassKeysError('file_unwritable', `${error.message} ${advice}`, 1, { cause: error })
    })
    const hashes = waiting.map((key) => key.keyHash)
    await ledger.markHandedOut(hashes, file)
    const made = new Set(this.run.outcomes.map((outcome) => outcome.hash))
    this.#recovered = hashes.filter((hash) => !made.has(hash)).length
    this.#files.apiKeys = file
    return file
  }

  /** Whether the run has not come to its end, so that limits.csv is left as it is. */
  get endedEarly(): boolean {
    return this.run.stoppedBy !== undefined || this.session.signals.stopping.aborted
  }

  /** Writes limits.csv anew, with its targets, and the snapshot; what cannot be written ends the run. */
  saveFiles(limits: string): Promise<string> {
    return this.#orEnd(() => this.#writeFiles(limits))
  }

  async #orEnd(write: () => Promise<string>): Promise<string> {
    try {
      return await write()
    } catch (error) {
      this.run.stoppedBy ??= error as Error
      return 'failed'
    }
  }

  async #writeFiles(limits: string): Promise<string> {
    const intended = await this.session.ledger.relativeTargets()
    // The instructor may have saved the file while the run was at work.
    this.#targets = await loadTargetsIfThere(limits)
    const { keys } = this.run
    const { matched } = matchKeys(keys, this.#students, this.#input.today)
    const people = everybody(this.#students, await this.session.ledger.students())
    const rows = matched.map(({ student, key }) => ({ student: studentRef(student), key }))
    const found = findClassTargets(this.#targets, keys, people)
    await saveLimits(limits, nextLimits(rows, found, reachedTargets(found, intended)))
    this.#files.limits = limits
    this.#files.snapshot = await saveSnapshot('.', matched, new Date())
    return `${limits}, ${this.#files.snapshot}`
  }

  /** What the run tells a person or a script in the end. */
  result(): ProvisionResult {
    const students = this.#outcomes()
    const { keyHolders, renamed, placeholders } = this.plan
    const { deleted, leftAlone, stoppedBy } = this.run
    return {
      students,
      counts: countOutcomes(students),
      keyHolders,
      renamed,
      leftAlone,
      deleted,
      placeholders,
      recovered: this.#recovered,
      files: this.#files,
      ...stoppedOf(stoppedBy),
      retries: this.session.retries,
    }
  }

  /** What became of each student, in the order of the roster, then of anybody else. */
  #outcomes(): StudentOutcome[] {
    const changed = new Map(this.run.outcomes.map((outcome) => [mqIdKey(outcome.mqId), outcome]))
    const leftAlone = new Map(this.run.leftAlone.map((left) => [mqIdKey(left.mqId), left]))
    const holders = new Map(this.plan.keyHolders.map((holder) => [mqIdKey(holder.mqId), holder]))
    const here = new Set(this.#input.students.map((student) => mqIdKey(student.mqId)))
    const ofRoster = this.#input.students.map((student): StudentOutcome => {
      const outcome = changed.get(mqIdKey(student.mqId))
      if (outcome) return outcome
      const left = leftAlone.get(mqIdKey(student.mqId))
      if (left)
        return { ...studentRef(student), outcome: 'in doubt', reason: left.why, keyName: left.keyName }
      const hash = holders.get(mqIdKey(student.mqId))?.hashes[0]
      return {
        ...studentRef(student),
        outcome: hash ? 'already had one' : 'not tried',
        ...(hash && { hash }),
      }
    })
    // Somebody who has left may still have had a lost key to delete.
    return [...ofRoster, ...this.run.outcomes.filter((outcome) => !here.has(mqIdKey(outcome.mqId)))]
  }
}
