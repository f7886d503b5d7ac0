import type { Ledger } from '../../db/ledger.js'
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
import type { ProvisionResult } from '../core/results.js'
import { withoutPlaceholders } from '../core/roster.js'
import type { Student } from '../core/student.js'
import { saveApiKeys } from '../files/api-keys-file.js'
import { saveLimits } from '../files/limits-file.js'
import { prepareFolder } from '../files/safe-write.js'
import { saveSnapshot } from '../files/snapshot-file.js'
import { type Listed, recordListing } from './listing.js'
import type { RunPorts } from './ports.js'
import { type ProvisionRun, runProvision } from './provision-run.js'

/** What the rows of `provision` hand on to each other. */
export interface ProvisionJob {
  students: Student[]
  targets: Target[]
  ledger: Ledger
  listed: Listed
  input: ProvisionInput
  plan: ProvisionPlan
  run: ProvisionRun
  recovered: number
  files: ProvisionResult['files']
}

/**
 * Brings the ledger up to the listing, and plans.
 * @throws BadFileError with every student who would need a budget and has none
 */
export async function planJob(
  job: ProvisionJob,
  roster: string,
  limit: Usd | undefined,
): Promise<ProvisionPlan> {
  await recordListing(job.ledger, job.listed, job.students, { settlePending: true })
  const { real, placeholders } = withoutPlaceholders(job.students)
  job.input = {
    students: real,
    placeholders,
    keys: job.listed.keys,
    creations: await job.ledger.unsettledCreations(),
    secretHere: await job.ledger.secretHashes(),
    limit,
    today: job.listed.listedAt,
  }
  job.plan = planProvision(job.input)
  const problems = missingBudgets(job.plan, job.students, limit)
  if (problems.length === 0) return job.plan
  throw new BadFileError(
    roster,
    problems,
    'Nothing was created. Fill them in, or give everybody the same with --limit.',
  )
}

/** Makes what the plan asks for, once it is certain that the secrets can be written down. */
export async function makeKeys(
  job: ProvisionJob,
  ports: RunPorts,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  await prepareFolder('.')
  job.run = await runProvision(job.plan, job.input, ports, onProgress)
}

/** Writes every secret that no file has ever held into a new one, also those of earlier runs. */
export async function handOut(job: ProvisionJob): Promise<string | undefined> {
  const waiting = await job.ledger.waitingKeys()
  if (waiting.length === 0) return undefined
  const file = await saveApiKeys('.', waiting, new Date()).catch((error: Error) => {
    const advice =
      'The new keys are safe in the ledger: class-keys export-keys --output PATH writes them elsewhere.'
    throw new ClassKeysError('file_unwritable', `${error.message} ${advice}`, 1, { cause: error })
  })
  await job.ledger.markHandedOut(
    waiting.map((key) => key.keyHash),
    file,
  )
  const made = new Set(job.run.outcomes.map((outcome) => outcome.hash))
  job.recovered = waiting.filter((key) => !made.has(key.keyHash)).length
  job.files.apiKeys = file
  return file
}

/** Writes limits.csv anew, with its targets, and the snapshot; gives both paths. */
export async function saveFiles(job: ProvisionJob, limits: string): Promise<string> {
  const { matched } = matchKeys(job.run.keys, job.students, job.input.today)
  const found = findClassTargets(
    job.targets,
    job.run.keys,
    everybody(job.students, await job.ledger.students()),
  )
  const rows = matched.map(({ student, key }) => ({ student: studentRef(student), key }))
  await saveLimits(limits, nextLimits(rows, found))
  job.files.limits = limits
  job.files.snapshot = await saveSnapshot('.', matched, new Date())
  return `${limits}, ${job.files.snapshot}`
}

/** What the job tells a person or a script in the end. */
export function jobResult(job: ProvisionJob, retries: ProvisionResult['retries']): ProvisionResult {
  const students = studentOutcomes(job)
  const { keyHolders, placeholders } = job.plan
  const { deleted, leftAlone, stoppedBy } = job.run
  return {
    students,
    counts: countOutcomes(students),
    keyHolders,
    leftAlone,
    deleted,
    placeholders,
    recovered: job.recovered,
    files: job.files,
    ...stoppedOf(stoppedBy),
    retries,
  }
}

/** What became of each student, in the order of the roster. */
function studentOutcomes({ input, plan, run }: ProvisionJob): StudentOutcome[] {
  const changed = new Map(run.outcomes.map((outcome) => [outcome.mqId, outcome]))
  const leftAlone = new Map(run.leftAlone.map((left) => [mqIdKey(left.mqId), left]))
  const holders = new Map(plan.keyHolders.map((holder) => [holder.mqId, holder]))
  return input.students.map((student): StudentOutcome => {
    const outcome = changed.get(student.mqId)
    if (outcome) return outcome
    const left = leftAlone.get(mqIdKey(student.mqId))
    if (left) return { ...studentRef(student), outcome: 'in doubt', reason: left.why, keyName: left.keyName }
    const hash = holders.get(student.mqId)?.hashes[0]
    return { ...studentRef(student), outcome: hash ? 'already had one' : 'not tried', ...(hash && { hash }) }
  })
}
