import type { DeleteKey, DisableKey } from '../core/changes.js'
import { everybody } from '../core/class-people.js'
import { UsageError } from '../core/errors.js'
import { findStudent } from '../core/find-student.js'
import { mqIdKey } from '../core/key-name.js'
import { countOutcomes, isUnfinished, type StudentOutcome, stoppedOf } from '../core/outcome.js'
import type { RotateResult } from '../core/results.js'
import { newRotations, planRotation, type RotationInput, type RotationPlan } from '../core/rotation-plan.js'
import type { Person } from '../core/student.js'
import { count } from '../core/words.js'
import { loadRosterIfThere } from '../files/roster-file.js'
import { saveClassFiles } from './class-files.js'
import { type Assigned, assignGuardrails, guardrailsOfKeys } from './guardrails.js'
import { handOut } from './hand-out.js'
import { type Listed, recordListing } from './listing.js'
import { PlannedJob } from './planned-job.js'
import { type Creations, settleAndCreate } from './settle-and-create.js'
import { NOTHING_TAKEN_OUT, type TakenOut, takeOutOfUse } from './take-out-of-use.js'

/** Who is to get a new key, and what becomes of the old ones. */
export interface RotateWishes {
  /** Addresses, MQ IDs or parts of names. */
  students: readonly string[]
  /** Everybody whose secret is not in the ledger. */
  lost: boolean
  all: boolean
  deleteOld: boolean
  /** Days. */
  keepOld: number
  /** Percent of the class's keys that may be disabled or deleted. */
  maxChange: number
}

/** The rows of `rotate`, in their order; each hands on what it has found, and gives a word about it. */
export class RotateJob extends PlannedJob<RotationPlan, RotateResult['files']> {
  /** The class: the roster, or everybody the ledger knows where there is none. */
  #people: Person[] = []
  #listed: Listed = { keys: [], listedAt: new Date(0) }
  #input!: RotationInput
  #assigned: Assigned = { assigned: new Set(), failed: new Map() }
  #takenOut: TakenOut = NOTHING_TAKEN_OUT
  #recovered = 0
  /** Keys of earlier runs that have not got the guardrail they were made for. */
  #unassigned = 0
  run!: Creations

  /** Finds out who is in the class. */
  async findClass(roster: string): Promise<string> {
    const found = await loadRosterIfThere(roster)
    this.#people = found?.students ?? (await this.session.ledger.students())
    const people = count(this.#people.length, 'student')
    return found ? people : `no ${roster}; ${people} in the ledger`
  }

  /** Fetches the keys and brings the ledger up to them. */
  async fetch(report: (progress: string) => void): Promise<string> {
    this.#listed = await this.session.fetchKeys(report)
    const { ledger } = this.session
    const options = { settlePending: true }
    this.drift = (await recordListing(ledger, this.#listed, this.#people, options)).drift
    return String(this.#listed.keys.length)
  }

  /** @throws UsageError where a student is not found, or has no key that could be replaced */
  async makePlan(wishes: RotateWishes): Promise<string> {
    const { ledger, openRouter } = this.session
    const people = everybody(this.#people, await ledger.students())
    const named = wishes.students.map((words) => findStudent(people, words))
    const students = wishes.all || wishes.lost ? this.#people : [...new Set(named)]
    const unassigned = await ledger.unassignedKeys()
    // What a key was made for counts, also where it has not got it yet.
    const wished = unassigned.map(({ hash, guardrail }) => [hash, guardrail] as const)
    this.#input = {
      students,
      roster: this.#people,
      everybody: people,
      keys: this.#listed.keys,
      heldBy: await ledger.keyHolders(),
      creations: await ledger.unsettledCreations(),
      secretHere: await ledger.secretHashes(),
      rotations: await ledger.unfinishedRotations(),
      guardrailOf: new Map([...(await guardrailsOfKeys(openRouter, ledger)), ...wished]),
      onlyLost: wishes.lost,
      deleteOld: wishes.deleteOld,
      keepOldDays: wishes.keepOld,
      maxChange: wishes.maxChange,
      today: this.#listed.listedAt,
    }
    this.#unassigned = unassigned.length
    this.plan = planRotation(this.#input)
    const { skipped, moot, goesOnSince } = this.plan
    if (named.length > 0 && goesOnSince === null && moot.length === 0 && skipped.length > 0) {
      const whys = skipped.map(({ name, why }) => `${name} ${why}`).join('; ')
      throw new UsageError('not_rotatable', `Nothing was changed: ${whys}.`)
    }
    return count(this.plan.changes.length, 'change')
  }

  /** Makes the new keys, once it is certain that their secrets can be written. */
  async makeKeys(limits: string, report: (progress: string) => void): Promise<string> {
    await this.prepareFolders(limits)
    const { ledger, ports } = this.session
    await ledger.addRotations(newRotations(this.plan, this.#input), ports.now())
    const people = new Map(this.#input.everybody.map((person) => [person.mqId, person]))
    const replan: Parameters<typeof settleAndCreate>[2]['replan'] = async (known, refused) =>
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

  /** Whether keys are to get a guardrail, new ones or those of a run that was interrupted. */
  get assigns(): boolean {
    const { changes } = this.plan
    return (
      this.#unassigned > 0 || changes.some((change) => change.kind === 'create' && change.guardrail !== null)
    )
  }

  /** Gives the new keys the guardrails of the old ones. */
  async assignGuardrails(): Promise<string> {
    this.#assigned = await assignGuardrails(this.session.ports)
    this.stoppedBy ??= this.#assigned.stoppedBy
    return String(this.#assigned.assigned.size)
  }

  /** Takes the old keys out of use whose new ones are made and have what they are to have. */
  async retireKeys(report: (progress: string) => void): Promise<string> {
    const due = this.#due()
    return this.orStop(async () => {
      const { ledger, ports } = this.session
      const onProgress = (done: number) => report(`${done} of ${due.length}`)
      this.#takenOut = await takeOutOfUse(due, ports, onProgress, { offboarding: false })
      this.stoppedBy ??= this.#takenOut.stoppedBy
      await ledger.markRetired([...this.plan.retired, ...this.#takenOut.done], ports.now())
      return String(this.#takenOut.done.length)
    })
  }

  /** The old keys that may be retired: nothing is left to do for the new ones. */
  #due(): (DisableKey | DeleteKey)[] {
    if (this.endedEarly) return []
    const outcomes = new Map(this.run.outcomes.map((outcome) => [mqIdKey(outcome.mqId), outcome]))
    const madeBefore = new Map(this.#input.rotations.map(({ oldHash, newHash }) => [oldHash, newHash]))
    return this.plan.changes.flatMap((change) => {
      if (change.kind !== 'disable' && change.kind !== 'delete') return []
      const outcome = outcomes.get(mqIdKey(change.mqId))
      if (outcome && !isMade(outcome)) return []
      const newHash = outcome?.hash ?? madeBefore.get(change.hash)
      return newHash && !this.#assigned.failed.has(newHash) ? [change] : []
    })
  }

  /** Writes the secrets of the new keys. */
  handOut(): Promise<string> {
    return this.orStop(async () => {
      const handedOut = await handOut(this.session.ledger, this.run.outcomes)
      if (!handedOut) return 'no new ones'
      this.#recovered = handedOut.recovered
      this.files.apiKeys = handedOut.file
      return handedOut.file
    })
  }

  /**
   * Writes limits.csv anew and the snapshot; a row of an old key asks for nothing more. Only then is the run over:
   * one that ends before is gone on with, and nobody gets a second new key from it.
   */
  saveFiles(limits: string): Promise<string> {
    return this.orStop(async () => {
      const { ledger } = this.session
      const replaced = new Set((await ledger.knownClass()).replaced.keys())
      const files = await saveClassFiles(
        limits,
        this.#people,
        this.#takenOut.now(this.run.keys),
        ledger,
        replaced,
      )
      Object.assign(this.files, files)
      await ledger.closeRotations(this.plan.moot, new Date())
      return `${files.limits}, ${files.snapshot}`
    })
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
      recovered: this.#recovered,
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
    const meant = new Map(
      [...this.plan.changes, ...this.plan.kept].map((change) => [mqIdKey(change.mqId), change]),
    )
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
      const unassigned = this.#assigned.failed.get(outcome?.hash ?? '')
      if (unassigned) return { ...of, outcome: 'failed', reason: unassigned }
      const old = retired.get(id)
      if (old && isUnfinished(old))
        return { ...of, outcome: old.outcome, reason: `the old key: ${old.reason ?? 'not reached'}` }
      if (!old && this.#isToBeRetired(id))
        return { ...of, outcome: 'not tried', reason: 'the new key is made, and the old one still in use' }
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
