import type { Ledger } from '../../db/ledger.js'
import { everybody, findClassTargets } from '../core/class-people.js'
import type { Key } from '../core/key.js'
import { type FoundTarget, nextLimits, type Target } from '../core/limits.js'
import { matchKeys } from '../core/matching.js'
import { studentRef } from '../core/provision-plan.js'
import type { Person } from '../core/student.js'
import { planUpdate, type UpdatePlan } from '../core/update-plan.js'
import { saveLimits } from '../files/limits-file.js'
import { loadRosterIfThere } from '../files/roster-file.js'
import { saveSnapshot } from '../files/snapshot-file.js'
import { type Listed, recordListing } from './listing.js'
import type { Updates } from './update-run.js'

/** What the rows of `update` and `refresh-limits-file` hand on to each other. */
export interface LimitsJob {
  targets: Target[]
  ledger: Ledger
  /** The class: the roster, or everybody the ledger knows where there is none. */
  people: Person[]
  listed: Listed
  found: FoundTarget[]
  plan: UpdatePlan
  updates: Updates
  rows: number
  files: { limits?: string; snapshot?: string }
}

/** Finds out who is in the class. */
export async function findClass(job: LimitsJob, roster: string): Promise<void> {
  job.people = (await loadRosterIfThere(roster))?.students ?? (await job.ledger.students())
}

/**
 * Brings the ledger up to the listing, and plans what limits.csv asks for.
 * @param settlePending whether this run holds the lock
 */
export async function planJob(job: LimitsJob, { settlePending = false } = {}): Promise<UpdatePlan> {
  await recordListing(job.ledger, job.listed, job.people, { settlePending })
  await findTargets(job, job.listed.keys)
  job.plan = planUpdate(job.found)
  return job.plan
}

/** Writes limits.csv anew with what OpenRouter says now; what the instructor has written stays. Gives its path. */
export async function saveTargets(job: LimitsJob, limits: string): Promise<string> {
  const keys = keysNow(job)
  await findTargets(job, keys)
  const rows = nextLimits(
    matchKeys(keys, job.people, job.listed.listedAt).matched.map(({ student, key }) => ({
      student: studentRef(student),
      key,
    })),
    job.found,
  )
  await saveLimits(limits, rows)
  job.rows = rows.length
  job.files.limits = limits
  return limits
}

/** Writes the snapshot of what OpenRouter says now; gives its path. */
export async function saveClassSnapshot(job: LimitsJob): Promise<string> {
  job.files.snapshot = await saveSnapshot(
    '.',
    matchKeys(keysNow(job), job.people, job.listed.listedAt).matched,
    new Date(),
  )
  return job.files.snapshot
}

async function findTargets(job: LimitsJob, keys: readonly Key[]): Promise<void> {
  job.found = findClassTargets(job.targets, keys, everybody(job.people, await job.ledger.students()))
}

/** The listing, with the keys that were changed since as they are now. */
function keysNow({ listed, updates }: LimitsJob): Key[] {
  return listed.keys.map((key) => updates.changed.get(key.hash) ?? key)
}
