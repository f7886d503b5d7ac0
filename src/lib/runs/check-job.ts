import { checkReport } from '../core/check-report.js'
import type { Matching } from '../core/matching.js'
import type { CheckResult } from '../core/results.js'
import type { Student } from '../core/student.js'
import { count } from '../core/words.js'
import { loadRosterIfThere } from '../files/roster-file.js'
import { saveSnapshot } from '../files/snapshot-file.js'
import { type Listed, recordListing } from './listing.js'
import type { Session } from './session.js'

/** What `check` is asked to look at. */
export interface CheckWishes {
  /** Percent of the limit from which on a key is worth a look; undefined for none. */
  warnAt: number | undefined
  /** Whether it is believed that every key of the ledger is gone. */
  allGone: boolean
}

/** The rows of `check`, in their order; each hands on what it has found, and gives a word about it. */
export class CheckJob {
  /** Undefined where there is no roster: then every key is orphaned. */
  #roster: { path: string; students: Student[] } | undefined
  #listed!: Listed
  #matching!: Matching
  /** How far in the changelog the report tells what changed without this tool. */
  #toldUpTo = 0
  #report!: Omit<CheckResult, 'roster' | 'files' | 'retries'>
  #snapshot = ''

  constructor(readonly session: Session) {}

  /** @throws BadFileError with every problem of the roster */
  async read(path: string): Promise<string> {
    const found = await loadRosterIfThere(path)
    this.#roster = found && { path, students: found.students }
    return found ? count(found.students.length, 'student') : `no ${path}`
  }

  /** Fetches every key of the account. */
  async fetch(report: (progress: string) => void): Promise<string> {
    this.#listed = await this.session.fetchKeys(report)
    return String(this.#listed.keys.length)
  }

  /**
   * Brings the ledger up to the listing, with a usage row for each matched key, and finds out what there is to see.
   * @throws ClassKeysError `other_account`
   */
  async report({ warnAt, allGone }: CheckWishes): Promise<string> {
    const { ledger } = this.session
    const { keys, listedAt: now } = this.#listed
    const roster = this.#roster?.students ?? []
    const { matching } = await recordListing(ledger, this.#listed, roster, { withUsage: true, allGone })
    // What other commands were the first to see is told here too: whoever watches the class, watches check.
    const { drift, upTo } = await ledger.untoldDrift()
    this.#toldUpTo = upTo
    this.#matching = matching
    this.#report = checkReport({
      keys,
      matching,
      now,
      secretHere: await ledger.secretHashes(),
      rotations: await ledger.unfinishedRotations(),
      creations: await ledger.unsettledCreations(),
      unguarded: new Set((await ledger.unassignedKeys()).map(({ hash }) => hash)),
      known: await ledger.knownClass(),
      roster,
      drift,
      warnAt,
    })
    return count(drift.length, 'change from outside', 'changes from outside')
  }

  /** Writes the snapshot, and down that what has changed is told. */
  async saveSnapshot(): Promise<string> {
    this.#snapshot = await saveSnapshot('.', this.#matching.matched, new Date())
    await this.session.ledger.markTold(this.#toldUpTo)
    return this.#snapshot
  }

  /** What `check` tells a person or a script. */
  result(): CheckResult {
    return {
      roster: this.#roster?.path ?? null,
      ...this.#report,
      files: { snapshot: this.#snapshot },
      retries: this.session.retries,
    }
  }
}
