import { copyFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import type { Sandbox } from '../../../src/lib/sandbox/sandbox.js'
import type { SandboxKey } from '../../../src/lib/sandbox/state.js'
import { csvRows, newFolder, type Pupil } from '../../e2e/support/classroom.js'

/** One row of the ledger's changelog. */
export interface Logged {
  hash: string
  action: string
  from: string | null
  to: string | null
}

/** One key as `export-keys --format json` writes it. */
export interface Exported {
  mq_id: string
  email: string
  api_key: string | null
  key_name: string
  limit: number | null
  disabled: boolean
}

/** The keys of one person in the sandbox, disabled ones too: those whose name ends in the MQ ID. */
export function keysOf(sandbox: Sandbox, person: Pick<Pupil, 'mqId'>): SandboxKey[] {
  return keysOfEach(sandbox, [person])[0] ?? []
}

/** The keys of each of some people in the sandbox; to look at them all once is much quicker than for everybody. */
export function keysOfEach(sandbox: Sandbox, people: readonly Pick<Pupil, 'mqId'>[]): SandboxKey[][] {
  const keys = sandbox.state.keys()
  return people.map(({ mqId }) =>
    keys.filter((key) => key.name.toLowerCase().endsWith(`_${mqId.toLowerCase()}`)),
  )
}

/** The whole changelog of the ledger in a folder, oldest first. */
export function changelog(folder: string): Logged[] {
  return query(
    folder,
    'SELECT key_hash AS hash, action, old_value AS "from", new_value AS "to" FROM changelog ORDER BY id',
  )
}

/** The creations of which the ledger does not know how they ended. */
export function openCreations(folder: string): { mq_id: string; state: string }[] {
  return query(folder, "SELECT mq_id, state FROM creation WHERE state IN ('open', 'undoing')")
}

/** What relative targets came to that the ledger does not know to be reached. */
export function relativeTargets(folder: string): { hash: string; target: number }[] {
  return query(folder, 'SELECT key_hash AS hash, target FROM relative_target ORDER BY key_hash')
}

/** The rotations that the ledger holds to be unfinished. */
export function openRotations(folder: string): { mq_id: string }[] {
  return query(folder, 'SELECT mq_id FROM rotation WHERE closed_at IS NULL OR retired_at IS NULL')
}

/** When each secret was written down. */
export function secretTimes(folder: string): { hash: string; at: string }[] {
  return query(folder, 'SELECT key_hash AS hash, obtained_at AS at FROM secret')
}

function query<Row>(folder: string, sql: string): Row[] {
  // Of a copy: to open the ledger of a run that was killed mends it, and that is for the next run to do.
  const copy = newFolder()
  for (const name of ['keys.db', 'keys.db-journal'])
    if (existsSync(join(folder, name))) copyFileSync(join(folder, name), join(copy, name))
  const sqlite = new Database(join(copy, 'keys.db'), { fileMustExist: true })
  try {
    return sqlite.prepare<[], Row>(sql).all()
  } finally {
    sqlite.close()
  }
}

/** The files of a folder that are nobody's: drafts, probes, and journals of a database that is closed. */
export function strayFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => /^\.|\.new-|-journal$|-wal$|-shm$/.test(name))
}

/** The rows of all api_keys files in a folder. */
export function handedOut(folder: string): Record<string, string>[] {
  return readdirSync(folder)
    .filter((name) => /^api_keys_.*\.csv$/.test(name))
    .flatMap((name) => csvRows(readFileSync(join(folder, name), 'utf8')))
}

/** The hashes of the keys that a program has deleted in a sandbox through its API. */
export function deletedBy(sandbox: Sandbox): string[] {
  const asked = sandbox.state.requests.flatMap(({ method, path }) =>
    method === 'DELETE' ? [path.replace('/keys/', '')] : [],
  )
  return [...new Set(asked)].filter((hash) => sandbox.state.key(hash) === undefined)
}

/** What is expected beside the rule that everybody has one key. */
export interface Expected {
  folder: string
  sandbox: Sandbox
  people: readonly Pupil[]
  /** What `export-keys --format json` has written. */
  exported: readonly Exported[]
  /** The hashes of the keys that were there before, or were made by hand: the program must not have touched them. */
  foreign?: ReadonlySet<string>
}

/**
 * The end that every story must come to: each person has exactly one enabled key, whose secret is in the ledger
 * and in a file; every key that was made and every lost one that was deleted stands in the changelog once; nothing
 * is in doubt, and nothing lies about.
 */
export function expectOneKeyEach({ folder, sandbox, people, exported, foreign = new Set() }: Expected): void {
  const ours = sandbox.state.keys().filter((key) => !foreign.has(key.hash))
  const enabled = keysOfEach(sandbox, people).map((keys) => keys.filter((key) => !key.disabled))
  expect(enabled.map((keys) => keys.length)).toEqual(people.map(() => 1))

  const secretOf = new Map(exported.map((key) => [`${key.key_name}\n${key.api_key}`, key]))
  const unknown = ours.filter((key) => !secretOf.has(`${key.name}\n${key.secret}`))
  expect(unknown.map((key) => key.name)).toEqual([])
  expect(exported.filter((key) => key.api_key === null).length).toBeLessThanOrEqual(foreign.size)

  const files = new Set(handedOut(folder).map((row) => row.api_key))
  expect(ours.filter((key) => !files.has(key.secret)).map((key) => key.name)).toEqual([])
  const secrets = new Set(sandbox.state.keys().map((key) => key.secret))
  expect([...files].filter((secret) => !secrets.has(secret ?? ''))).toEqual([])

  const log = changelog(folder)
  const logged = (action: string) =>
    log
      .filter((row) => row.action === action)
      .map((row) => row.hash)
      .sort()
  expect(logged('provisioned')).toEqual(ours.map((key) => key.hash).sort())
  expect(logged('deleted_lost')).toEqual(deletedBy(sandbox).sort())
  expect(log.filter((row) => row.action.startsWith('observed_'))).toEqual([])

  expect(openCreations(folder)).toEqual([])
  expectTidy(folder)
}

/** Nothing lies about, and what holds secrets is readable by its owner alone. */
export function expectTidy(folder: string): void {
  expect(strayFiles(folder)).toEqual([])
  const open = readdirSync(folder)
    .filter((name) => /^(keys\.db|api_keys_)/.test(name))
    .filter((name) => (statSync(join(folder, name)).mode & 0o077) !== 0)
  expect(open).toEqual([])
}
