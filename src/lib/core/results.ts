import type { DeleteLostKey } from './changes.js'
import type { LeftAlone } from './doubt.js'
import type { Limit, LimitReset, Usd } from './money.js'
import type { OffboardPlan } from './offboard-plan.js'
import type { OutcomeKind, Stopped, StudentOutcome } from './outcome.js'
import type { KeyHolder, ProvisionPlan } from './provision-plan.js'
import type { RotationPlan } from './rotation-plan.js'
import type { SecondKey } from './second-keys.js'
import type { StudentRef } from './student.js'
import type { UpdatePlan } from './update-plan.js'

/*
 * What each command prints with `--json`. Amounts are US dollars, null being unlimited; files are paths from
 * the working directory. No result holds a secret.
 */

/** How often something had to be asked again, and why. */
export interface Retries {
  rateLimited: number
  serverErrors: number
  timeouts: number
  lostConnections: number
}

/** `init-db --json`. */
export interface InitDbResult {
  db: string
  /** False where the ledger was there already. */
  created: boolean
  /** Whether it is the Python tool's, and has just got the tables of class-keys beside its own. */
  adopted: boolean
  schemaVersion: 2
}

/** A key of a student on the roster. */
export interface MatchedKey extends StudentRef {
  keyName: string
  hash: string
  usage: Usd
  limit: Limit
  limitRemaining: Limit
  limitReset: LimitReset
  disabled: boolean
  /** ISO 8601, or null where the key does not expire. */
  expiresAt: string | null
  expired: boolean
  /** Whether this ledger holds the secret. */
  secretHere: boolean
  /** `OK`, or everything that deserves a look: `FIX EMAIL`, `disabled`, `expired`, `over limit`, `84% spent`, `2 keys`, `renamed`, `no guardrail`. */
  status: string
}

/** A key of no student on the roster. */
export interface OrphanedKey {
  /**
   * `left`: of a student whom this ledger knows and who is not on the roster; `unknown`: named as we name keys,
   * and never in this ledger; `foreign`: any other name.
   */
  kind: 'left' | 'unknown' | 'foreign'
  keyName: string
  hash: string
  usage: Usd
  limit: Limit
  disabled: boolean
}

/** A change that was seen and not made by this tool. */
export interface Drift {
  /** `observed_limit`, `observed_disabled`, `observed_limit_reset`, `observed_name`, `observed_gone`. */
  action: string
  hash: string
  /** Null where the ledger has been kept by another tool, and has no name of it. */
  keyName: string | null
  oldValue: string | null
  newValue: string | null
}

/** `check --json`. */
export interface CheckResult {
  /** The roster's path, or null where there is none. */
  roster: string | null
  counts: {
    keys: number
    matched: number
    /** The sum of the next three. */
    orphaned: number
    left: number
    unknown: number
    foreign: number
    keyless: number
    /** Matched keys whose secret is not in this ledger, without those of creations in doubt. */
    secretless: number
    expired: number
  }
  matched: MatchedKey[]
  orphaned: OrphanedKey[]
  /** Students of the roster without any key that has not expired. */
  keyless: StudentRef[]
  /** Of those, who seems to be somebody who has a key under another MQ ID. */
  secondKeys: SecondKey[]
  /** Students with more than one key that works, without those in `replaced`. */
  duplicates: (StudentRef & { hashes: string[] })[]
  /** Keys that have been replaced and are still in use; `until` is when a run of `rotate` retires them, ISO 8601, UTC. */
  replaced: (StudentRef & { keyName: string; hash: string; until: string })[]
  /** Students with a creation whose answer was never committed, or whose key has turned up late. */
  inDoubt: StudentRef[]
  /** Students who have spent as much of their limit as `--warn-at` says. */
  pastMark: StudentRef[]
  /** What has changed without this tool since the last check, whichever command was the first to see it. */
  drift: Drift[]
  files: { snapshot: string }
  retries: Retries
}

/** `provision --json`; with `--dry-run` it is a ProvisionPlan. */
export interface ProvisionResult {
  /** What was planned; what is settled on the way is not in it. */
  plan: ProvisionPlan
  /** One for each student of the roster whose address is not a placeholder. */
  students: StudentOutcome[]
  counts: Partial<Record<OutcomeKind, number>>
  keyHolders: KeyHolder[]
  /** Students whose key has been given another name in OpenRouter. */
  renamed: ProvisionPlan['renamed']
  leftAlone: LeftAlone[]
  /** Keys of broken creations, whose secret nobody has ever seen, that were deleted. */
  deleted: DeleteLostKey[]
  placeholders: StudentRef[]
  /** What has changed without this tool, and this run was the first to see. */
  drift: Drift[]
  /** How many keys of earlier runs, never written to a file before, are in the file of this one. */
  recovered: number
  files: { apiKeys?: string; limits?: string; snapshot?: string }
  stopped?: Stopped
  retries: Retries
}

/** `update --json`; with `--dry-run` it is an UpdatePlan. */
export interface UpdateResult {
  plan: UpdatePlan
  /** One for each planned change. */
  students: StudentOutcome[]
  counts: Partial<Record<OutcomeKind, number>>
  /** What has changed without this tool, and this run was the first to see. */
  drift: Drift[]
  files: { limits?: string; snapshot?: string }
  stopped?: Stopped
  retries: Retries
}

/** `rotate --json`; with `--dry-run` it is a RotationPlan. */
export interface RotateResult {
  plan: RotationPlan
  /** One for each student whom the plan is about. */
  students: StudentOutcome[]
  counts: Partial<Record<OutcomeKind, number>>
  /** Keys of broken creations, whose secret nobody has ever seen, that were deleted. */
  deleted: DeleteLostKey[]
  /** What has changed without this tool, and this run was the first to see. */
  drift: Drift[]
  /** How many keys of earlier runs, never written to a file before, are in the file of this one. */
  recovered: number
  files: { apiKeys?: string; limits?: string; snapshot?: string }
  stopped?: Stopped
  retries: Retries
}

/** `offboard --json`; with `--dry-run` it is an OffboardPlan. */
export interface OffboardResult {
  plan: OffboardPlan
  /** One for each key that was to be disabled or deleted. */
  students: StudentOutcome[]
  counts: Partial<Record<OutcomeKind, number>>
  /** Keys of broken creations, whose secret nobody has ever seen, that were deleted. */
  deletedLost: DeleteLostKey[]
  /** What has changed without this tool, and this run was the first to see. */
  drift: Drift[]
  /** `usage` at the end of a term alone. */
  files: { usage?: string; limits?: string; snapshot?: string }
  stopped?: Stopped
  retries: Retries
}

/** `refresh-limits-file --json`. */
export interface RefreshResult {
  /** What `update` would do with the file as it is now. */
  plan: UpdatePlan
  /** How many rows the file has. */
  rows: number
  /** What has changed without this tool, and this run was the first to see. */
  drift: Drift[]
  files: { limits: string }
  retries: Retries
}

/** `export-keys --json`; the secrets are in the file alone. */
export interface ExportResult {
  file: string
  format: 'csv' | 'json'
  keys: number
  /** How many of them this ledger has no secret of. */
  withoutSecret: number
}

/** One line of `history --json`. */
export interface HistoryLine extends Partial<StudentRef> {
  /** ISO 8601, UTC; null where what stands in the ledger is no time. */
  at: string | null
  /** What stands in the ledger, where that is no time; empty for nothing. */
  unreadableAt?: string
  action: string
  oldValue: string | null
  newValue: string | null
  keyName: string | null
  hash: string | null
  /** The same for a person. */
  sentence: string
}

/** `history --json`: the newest first. */
export interface HistoryResult {
  entries: HistoryLine[]
}

/** What a key had spent when it was looked at. */
export interface UsagePoint {
  /** ISO 8601, UTC. */
  at: string
  usage: Usd
}

/** One key of `show --json`. */
export interface ShownKey {
  /** Null where OpenRouter no longer has it, and the ledger has no name of it. */
  keyName: string | null
  hash: string
  /** Whether OpenRouter still has it; the figures are null where it has not. */
  exists: boolean
  disabled: boolean | null
  limit: Limit
  /** What may still be spent in this period, or ever where the limit never refills; null is unlimited. */
  limitRemaining: Limit
  limitReset: LimitReset
  /** When the limit refills next, ISO 8601, UTC; null is never. */
  refillsAt: string | null
  expiresAt: string | null
  /** Whether it has come to its end: nothing can be spent any more, whatever `limitRemaining` says. */
  expired: boolean
  usage: Usd | null
  /** Whether this ledger holds the secret. */
  secretHere: boolean
  /** What it had spent at each check, the oldest first. */
  usageOverTime: UsagePoint[]
}

/** `show --json`. */
export interface ShowResult {
  student: StudentRef
  keys: ShownKey[]
  /** The newest first. */
  history: HistoryLine[]
}

/** `sandbox --json`, printed as soon as the sandbox is ready. */
export interface SandboxResult {
  /** What OPENROUTER_BASE_URL is to be set to. */
  url: string
  /** What OPENROUTER_PROVISIONING_KEY is to be set to; it opens nothing but the sandbox. */
  managementKey: string
  /** How many keys there are to begin with. */
  keys: number
}

/** What the commands that only show a plan print with `--dry-run --json`. */
export type Plan = ProvisionPlan | UpdatePlan | RotationPlan | OffboardPlan
