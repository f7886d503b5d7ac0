import type { DeleteKey, DisableKey } from '../core/changes.js'
import { everybody } from '../core/class-people.js'
import { UsageError } from '../core/errors.js'
import { refusePastExpiry } from '../core/expiry.js'
import { findStudent } from '../core/find-student.js'
import { mqIdKey } from '../core/key-name.js'
import { countOutcomes, isUnfinished, type StudentOutcome, stoppedOf } from '../core/outcome.js'
import { relativeTargets } from '../core/relative-targets.js'
import type { RotateResult } from '../core/results.js'
import type { RotationInput } from '../core/rotation.js'
import { newRotations, planRotation, type RotationPlan } from '../core/rotation-plan.js'
import type { Person } from '../core/student.js'
import { planUpdate } from '../core/update-plan.js'
import { count } from '../core/words.js'
import { type LimitsFile, loadLimitsIfThere } from '../files/limits-file.js'
import { loadRosterIfThere } from '../files/roster-file.js'
import { saveClassFiles } from './class-files.js'
import { findClassTargets } from './find-targets.js'
import { guardrailsOfKeys } from './guardrails.js'
import { KeyMakingJob } from './key-making-job.js'
import { type Listed, recordListing } from './listing.js'
import { type Replan, settleAndCreate } from './settle-and-create.js'
import { NOTHING_TAKEN_OUT, type TakenOut, takeOutOfUse } from './take-out-of-use.js'

/** Who is to get a new key, and what becomes of the old ones. */
export interface RotateWishes {
  mode: RotationInput['mode']
  /** Addresses, MQ IDs or parts of names; none is the whole class. */
  students: readonly string[]
  deleteOld: boolean
  /** Days. */
  keepOld: number
  /** UTC with seconds, for every new key; undefined is as the old ones. */
  expiresAt: string | undefined
  /** Percent of the class's keys that may be disabled or deleted. */
  maxChange: number
}

/** The rows of `rotate`, in their order; each hands on what it has found, and gives a word about it. */
export class RotateJob extends KeyMakingJob<RotationPlan, RotateResult['files']> {
  /** The class: the roster, or everybody the ledger knows where there is none. */
  #people: Person[] = []
  #limits!: LimitsFile
  #listed!: Listed
  #input!: RotationInput
  #takenOut: TakenOut = NOTHING_TAKEN_OUT

  /** Finds out who is in the class, and what limits.csv asks for. @throws BadFileError with every problem of a file */
  async read(roster: string, limits: string): Promise<string> {
    const found = await loadRosterIfThere(roster)
    this.#limits = await loadLimitsIfThere(limits)
    this.#people = found?.students ?? (await this.session.ledger.students())
    const people = count(this.#people.length, 'student')
    return found ? people : `no ${roster}; ${people} in the ledger`
  }

  /** Fetches the keys and brings the ledger up to them, with what each has spent: of some it may be the last time. */
  async fetch(report: (progress: string) => void): Promise<string> {
    this.#listed = await this.session.fetchKeys(report)
    const { ledger } = this.session
    const options = { settlePending: true, withUsage: true }
    this.drift = (await recordListing(ledger, this.#listed, this.#people, options)).drift
    return String(this.#listed.keys.length)
  }

  /** @throws UsageError where a student is not found or has no key that could be replaced, or `--expires` is over */
  async makePlan({ mode, students: words, keepOld, ...wishes }: RotateWishes): Promise<string> {
    const { ledger, openRouter } = this.session
    const { keys, listedAt: now } = this.#listed
    refusePastExpiry(wishes.expiresAt, now)
    const known = await ledger.knownClass()
    const people = everybody(this.#people, known.students)
    const named = [...new Set(words.map((each) => findStudent(people, each)))]
    const unassigned = await ledger.unassignedKeys()
    // What a key was made for counts, also where it has not got it yet.
    const wished = unassigned.map(({ hash, guardrail }) => [hash, guardrail] as const)
    const found = findClassTargets(this.#limits, { keys, roster: this.#people, known, now })
    this.#input = {
      students: named.length > 0 ? named : mode === 'due' ? people : this.#people,
      mode,
      roster: this.#people,
      known,
      keys,
      creations: await ledger.unsettledCreations(),
      secretHere: await ledger.secretHashes(),
      rotations: await ledger.unfinishedRotations(),
      guardrailOf: new Map([...(await guardrailsOfKeys(openRouter, ledger)), ...wished]),
      unassigned,
      wrongTerms: await ledger.wrongTerms(),
      asked: planUpdate(found, relativeTargets(found, await ledger.relativeTargets()), [], undefined).changes,
      keepOldDays: keepOld,
      ...wishes,
      now,
    }
    this.plan = planRotation(this.#input)
    const { skipped, moot, resumesSince } = this.plan
    if (mode === 'named' && resumesSince === null && moot.length === 0 && skipped.length > 0) {
      const whys = skipped.map(({ name, why }) => `${name}: ${why}`).join('; ')
      throw new UsageError('not_rotatable', `Nothing was changed. ${whys}.`)
    }
    return count(this.plan.changes.length, 'change')
  }

  /** Makes the new keys, once it is certain that their secrets can be written. */
  async makeKeys(limits: string, report: (progress: string) => void): Promise<string> {
    const { ledger, ports } = this.session
    await this.begin(limits, this.plan.changes.length)
    await ledger.addRotations(newRotations(this.plan, this.#input), ports.now())
    const people = new Map(this.#input.students.map((person) => [person.mqId, person]))
    const replan: Replan['replan'] = async (known, refused) =>
      planRotation({
        ...this.#input,
        ...known,
        students: this.#input.students.filter(({ mqId }) => !refused.has(mqIdKey(mqId))),
        rotations: await ledger.unfinishedRotations(),
      })
    const onProgress = (done: number, total: number) => report(`${done} of ${total}`)
    this.run = await settleAndCreate(this.plan, this.#input.keys, { people, replan }, ports, onProgress)
    this.stoppedBy ??= this.run.stoppedBy
    return String(this.run.outcomes.filter(isMade).length)
  }

  /** Takes the old keys out of use whose new ones are made, have what they are to have, and are in a file. */
  async retireKeys(report: (progress: string) => void): Promise<string> {
    const { ledger, ports } = this.session
    const isDue = this.#isDue()
    const due = this.plan.changes.filter(
      (change): change is DisableKey | DeleteKey =>
        (change.kind === 'disable' || change.kind === 'delete') && isDue(change),
    )
    const onProgress = (done: number) => report(`${done} of ${due.length}`)
    this.#takenOut = await takeOutOfUse(due, ports, onProgress, { offboarding: false })
    this.stoppedBy ??= this.#takenOut.stoppedBy
    const already = this.plan.retired.filter(isDue).map(({ hash }) => hash)
    await ledger.markRetired([...already, ...this.#takenOut.done], ports.now())
    return String(this.#takenOut.done.length)
  }

  /** Tells of an old key whether nothing is left to do for the one that takes its place. */
  #isDue(): (old: { mqId: string; hash: string }) => boolean {
    if (this.endedEarly) return () => false
    const outcomes = new Map(this.run.outcomes.map((outcome) => [mqIdKey(outcome.mqId), outcome]))
    const wrong = new Set(
      this.updated.outcomes.filter(({ outcome }) => outcome !== 'updated').map(({ hash }) => hash),
    )
    const madeBefore = new Map(this.#input.rotations.map(({ oldHash, newHash }) => [oldHash, newHash]))
    return ({ mqId, hash }) => {
      const outcome = outcomes.get(mqIdKey(mqId))
      if (outcome && !isMade(outcome)) return false
      const newHash = outcome?.hash ?? madeBefore.get(hash)
      return (
        newHash !== undefined && newHash !== null && !this.assigned.failed.has(newHash) && !wrong.has(newHash)
      )
    }
  }

  /**
   * Writes limits.csv anew and the snapshot; the row of a key that this run has replaced asks for nothing more. Only
   * then is the run over: one that ends before is resumed, and nobody gets a second new key from it.
   */
  async saveFiles(limits: string): Promise<string> {
    const { ledger } = this.session
    const rotations = await ledger.unfinishedRotations()
    const replaced = rotations.filter(({ closedAt, newHash }) => closedAt === null && newHash !== null)
    const answered = new Set(replaced.map(({ oldHash }) => oldHash))
    const keys = this.asUpdated(this.#takenOut.now(this.run.keys))
    const files = await saveClassFiles(limits, this.#people, keys, ledger, answered)
    Object.assign(this.files, files)
    await ledger.closeRotations(this.plan.moot, new Date())
    return `${files.limits}, ${files.snapshot}`
  }

  /** What the run tells a person or a script in the end. */
  result(): RotateResult {
    const students = this.#outcomes()
    return {
      plan: this.plan,
      students,
      counts: countOutcomes(students),
      deleted: this.run.deleted,
      drift: this.drift,
      recovered: this.recovered,
      files: this.files,
      ...stoppedOf(this.stoppedBy),
      retries: this.session.retries,
    }
  }

  /** What became of each student whom the plan is about, in its order. */
  #outcomes(): StudentOutcome[] {
    const made = new Map(this.run.outcomes.map((outcome) => [mqIdKey(outcome.mqId), outcome]))
    const retired = new Map<string, StudentOutcome>()
    for (const outcome of this.#takenOut.outcomes) {
      const id = mqIdKey(outcome.mqId)
      // Of several old keys, the one that is still in use counts.
      if (!retired.has(id) || isUnfinished(outcome)) retired.set(id, outcome)
    }
    const resumed = new Set(
      this.#input.rotations.flatMap(({ mqId, closedAt }) => (closedAt === null ? [mqIdKey(mqId)] : [])),
    )
    // A key that only stays in use until its day is nothing that this run has done.
    const kept = this.plan.kept.filter(({ mqId }) => resumed.has(mqIdKey(mqId)))
    const meant = new Map([...this.plan.changes, ...kept].map((change) => [mqIdKey(change.mqId), change]))
    const ofPlan = [...meant].map(([id, { email, name, mqId, keyName }]): StudentOutcome => {
      const outcome = made.get(id)
      if (outcome && !isMade(outcome)) return outcome
      const of = {
        email,
        name,
        mqId,
        keyName: outcome?.keyName ?? keyName,
        ...(outcome?.hash && { hash: outcome.hash }),
      }
      const unassigned = this.assigned.failed.get(outcome?.hash ?? '')
      if (unassigned) return { ...of, outcome: 'failed', reason: unassigned }
      const old = retired.get(id)
      if (old && isUnfinished(old))
        return { ...of, outcome: old.outcome, reason: `the old key: ${old.reason ?? 'not reached'}` }
      if (!old && this.#isToBeRetired(id))
        return { ...of, outcome: 'not tried', reason: 'the new key is made, and the old one still in use' }
      // Old keys that were kept are retired, and nobody gets a new one.
      if (!outcome && old && !resumed.has(id)) return { ...of, outcome: old.outcome }
      return { ...of, outcome: 'rotated' }
    })
    return [...ofPlan, ...this.#leftAlone().filter(({ mqId }) => !meant.has(mqIdKey(mqId)))]
  }

  /** Those who were to get a new key, and have an earlier creation that a person has to look at. */
  #leftAlone(): StudentOutcome[] {
    const wanted = new Set(this.#input.students.map(({ mqId }) => mqIdKey(mqId)))
    return this.run.leftAlone
      .filter(({ mqId }) => wanted.has(mqIdKey(mqId)))
      .map(({ email, name, mqId, keyName, why }) => ({
        email,
        name,
        mqId,
        keyName,
        outcome: 'in doubt',
        reason: why,
      }))
  }

  #isToBeRetired(id: string): boolean {
    return this.plan.changes.some(
      ({ kind, mqId }) => (kind === 'disable' || kind === 'delete') && mqIdKey(mqId) === id,
    )
  }
}

function isMade({ outcome }: StudentOutcome): boolean {
  return outcome === 'created' || outcome === 'healed'
}
