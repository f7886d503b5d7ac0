import type { Ledger } from '../../db/ledger.js'
import { checkReport } from '../core/check-report.js'
import type { Matching } from '../core/matching.js'
import type { CheckResult, Drift } from '../core/results.js'
import type { Roster } from '../core/roster.js'
import { type Listed, recordListing } from './listing.js'

/** What the rows of `check` hand on to each other. */
export interface CheckJob {
  /** Undefined where there is none: then every key is orphaned. */
  roster: Roster | undefined
  ledger: Ledger
  listed: Listed
  matching: Matching
  /** How far in the changelog the report tells what changed without this tool. */
  toldUpTo: number
  report: Omit<CheckResult, 'roster' | 'files' | 'retries'>
  snapshot: string
}

/**
 * Brings the ledger up to the listing, with a usage row for each matched key, and tells what there is to see.
 * @param options percent of the limit from which on a key is worth a look, undefined for none; and whether it is
 *   believed that every key of the ledger is gone
 * @throws ClassKeysError `other_account`
 */
export async function reportJob(
  job: CheckJob,
  { warnAt, allGone }: { warnAt: number | undefined; allGone: boolean },
): Promise<Drift[]> {
  const { ledger, listed, roster } = job
  const students = roster?.students ?? []
  const { matching } = await recordListing(ledger, listed, students, { withUsage: true, allGone })
  // What other commands were the first to see is told here too: whoever watches the class, watches check.
  const { drift, upTo } = await ledger.untoldDrift()
  job.toldUpTo = upTo
  job.matching = matching
  job.report = checkReport({
    keys: listed.keys,
    matching,
    now: listed.listedAt,
    secretHere: await ledger.secretHashes(),
    rotations: await ledger.unfinishedRotations(),
    creations: await ledger.unsettledCreations(),
    unguarded: new Set((await ledger.unassignedKeys()).map(({ hash }) => hash)),
    known: await ledger.knownClass(),
    roster: students,
    drift,
    warnAt,
  })
  return drift
}
