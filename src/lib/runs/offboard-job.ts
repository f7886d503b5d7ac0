import type { DeleteKey, DisableKey } from '../core/changes.js'
import { mqIdKey } from '../core/key-name.js'
import { keysOfLedger, type OffboardInput, type OffboardPlan, planOffboard } from '../core/offboard-plan.js'
import { countOutcomes, isUnfinished, type StudentOutcome, stoppedOf } from '../core/outcome.js'
import type { OffboardResult } from '../core/results.js'
import type { Person } from '../core/student.js'
import { count } from '../core/words.js'
import { type LimitsFile, loadLimitsIfThere } from '../files/limits-file.js'
import { loadRoster, loadRosterIfThere } from '../files/roster-file.js'
import { saveUsage } from '../files/usage-file.js'
import { saveClassFiles } from './class-files.js'
import { findClassTargets } from './find-targets.js'
import { type Listed, recordListing } from './listing.js'
import { PlannedJob } from './planned-job.js'
import { type Creations, NOTHING_CREATED, type Replan, settleAndCreate } from './settle-and-create.js'
import { NOTHING_TAKEN_OUT, type TakenOut, takeOutOfUse } from './take-out-of-use.js'

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
export class OffboardJob extends PlannedJob<OffboardPlan, OffboardResult['files']> {
  /** Undefined where there is none, and everybody is meant whom the ledger knows. */
  #roster: Person[] | undefined
  #limits!: LimitsFile
  #listed!: Listed
  #input!: OffboardInput
  #run: Creations = NOTHING_CREATED
  #takenOut: TakenOut = NOTHING_TAKEN_OUT

  /**
   * Reads who is in the class, and what limits.csv asks for: without a roster nobody can be told to have left it, while
   * the end of the term takes everybody the ledger knows.
   * @throws UsageError where there is no roster; BadFileError with every problem of a file
   */
  async read(roster: string, limits: string, { endOfTerm }: OffboardWishes): Promise<string> {
    const found = endOfTerm ? await loadRosterIfThere(roster) : await loadRoster(roster)
    this.#limits = await loadLimitsIfThere(limits)
    this.#roster = found?.students
    return found ? count(found.students.length, 'student') : `no ${roster}`
  }

  /** Fetches the keys and brings the ledger up to them, with what each has spent: it may be the last time. */
  async fetch(wishes: OffboardWishes, report: (progress: string) => void): Promise<string> {
    const { ledger } = this.session
    this.#listed = await this.session.fetchKeys(report)
    const roster = this.#roster ?? []
    const options = { settlePending: true }
    this.drift = (await recordListing(ledger, this.#listed, roster, options)).drift
    this.#input = {
      ...wishes,
      roster,
      known: await ledger.knownClass(),
      unfinished: await ledger.offboardedUnfinished(),
      keys: this.#listed.keys,
      creations: await ledger.unsettledCreations(),
      secretHere: await ledger.secretHashes(),
      now: this.#listed.listedAt,
    }
    const keys = keysOfLedger(this.#input).map(({ key }) => key)
    await ledger.recordUsage(keys, new Date())
    return String(this.#listed.keys.length)
  }

  /** Plans what is to be taken out of use. @throws BadFileError where limits.csv could not be written anew */
  async makePlan(): Promise<string> {
    const { keys, listedAt: now } = this.#listed
    findClassTargets(this.#limits, { keys, roster: this.#people, known: this.#input.known, now })
    this.plan = planOffboard(this.#input)
    return count(this.plan.changes.length, 'change')
  }

  /** Writes what everybody has spent, before anything is taken away. */
  async saveUsage(): Promise<string> {
    const gone = await this.session.ledger.goneKeys()
    this.files.usage = await saveUsage('.', keysOfLedger(this.#input), gone, new Date())
    return this.files.usage
  }

  /** Disables keys, and deletes what is to be deleted, once it is certain that it can be written down. */
  async takeOutOfUse(limits: string, report: (progress: string) => void): Promise<string> {
    await this.begin(limits, this.plan.changes.length)
    const { ports } = this.session
    const replan: Replan['replan'] = async (known) => planOffboard({ ...this.#input, ...known })
    const nobody = new Map<string, Person>()
    this.#run = await settleAndCreate(
      this.plan,
      this.#input.keys,
      { people: nobody, replan },
      ports,
      () => {},
    )
    this.stoppedBy ??= this.#run.stoppedBy
    if (this.endedEarly) return 'failed'
    const changes = takingOut(this.plan)
    const onProgress = (done: number) => report(`${done} of ${changes.length}`)
    this.#takenOut = await takeOutOfUse(changes, ports, onProgress, { offboarding: true })
    this.stoppedBy ??= this.#takenOut.stoppedBy
    return String(this.#takenOut.done.length)
  }

  /** Writes limits.csv anew and the snapshot; a row of a key that was taken out of use asks for nothing more. */
  async saveFiles(limits: string): Promise<string> {
    const { ledger } = this.session
    const keys = this.#takenOut.now(this.#run.keys)
    // Also of what an earlier run has taken out of use, and could not write down here.
    const offboarded = await ledger.offboardedHashes()
    const disabled = keys.filter((key) => key.disabled && offboarded.has(key.hash))
    const here = new Set(this.#input.endOfTerm ? [] : this.#roster?.map(({ mqId }) => mqIdKey(mqId)))
    const gone = (await ledger.goneKeys()).filter(({ mqId }) => !here.has(mqIdKey(mqId)))
    const answered = new Set([...disabled.map(({ hash }) => hash), ...gone.map(({ keyHash }) => keyHash)])
    const files = await saveClassFiles(limits, this.#people, keys, ledger, answered)
    Object.assign(this.files, files)
    if (!this.#outcomes().some(isUnfinished)) await ledger.finishOffboarding(new Date())
    return `${files.limits}, ${files.snapshot}`
  }

  /** The class: the roster, or everybody the ledger knows where there is none. */
  get #people(): readonly Person[] {
    return this.#roster ?? this.#input.known.students
  }

  /** What the run tells a person or a script in the end. */
  result(): OffboardResult {
    const students = this.#outcomes()
    return {
      plan: this.plan,
      students,
      counts: countOutcomes(students),
      deletedLost: this.#run.deleted,
      drift: this.drift,
      files: this.files,
      ...stoppedOf(this.stoppedBy),
      retries: this.session.retries,
    }
  }

  /** One line for each key that was to be taken out of use, in the order of the plan. */
  #outcomes(): StudentOutcome[] {
    const outcomes = new Map(this.#takenOut.outcomes.map((outcome) => [outcome.hash, outcome]))
    const ofKeys = takingOut(this.plan).map(
      ({ kind: _, ...of }): StudentOutcome => outcomes.get(of.hash) ?? { ...of, outcome: 'not tried' },
    )
    return [...this.#run.outcomes, ...ofKeys]
  }
}

/** The changes of a plan that take keys out of use which somebody has. */
function takingOut({ changes }: OffboardPlan): (DisableKey | DeleteKey)[] {
  return changes.filter((change): change is DisableKey | DeleteKey => change.kind !== 'delete-lost')
}
