import { readFile } from 'node:fs/promises'
import { UsageError } from '../core/errors.js'
import { type Limit, limitText } from '../core/money.js'
import type { Person } from '../core/student.js'
import { localTimestamp } from '../core/times.js'
import { csvText } from './csv.js'
import { createFile, expectReplaceable, PRIVATE, replaceFile } from './safe-write.js'

/** One of the ledger's keys, to be exported. */
export interface ExportedKey extends Person {
  /** Undefined where this ledger has never held it. */
  secret: string | undefined
  keyName: string
  /** Text where the ledger has some that is no amount; it is written as it stands. */
  limit: Limit | string
  disabled: boolean
}

const COLUMNS = [
  'first_name',
  'last_name',
  'email',
  'mq_id',
  'api_key',
  'key_name',
  'limit',
  'disabled',
] as const

/** What stands in the `api_key` cell of a key whose secret is not here: never the masked label, which looks like a key. */
export const SECRET_NOT_HERE = 'not known to this ledger'

/** A file name that tells when it was written (local time). */
export function exportPath(format: 'csv' | 'json', at: Date): string {
  return `api_keys_${localTimestamp(at)}.${format}`
}

/**
 * Refuses to replace a file that no export has written: the roster is as easily named by a slip.
 * @throws UsageError `output_exists`, and what expectReplaceable throws
 */
export async function expectExport(path: string): Promise<void> {
  await expectReplaceable(path)
  const start = (await readFile(path, 'utf8').catch(() => '')).slice(0, 1000)
  const isExport =
    start.startsWith(COLUMNS.slice(0, 5).join(',')) || /^\[\s*(\]|\{\s*"first_name")/.test(start)
  if (start === '' || isExport) return
  const message = `${path} is there already, and class-keys export-keys has not written it. Name another file with --output, or move that one away.`
  throw new UsageError('output_exists', message)
}

/**
 * Writes keys with their secrets, readable by the owner alone from the first byte.
 * @param replace whether a file that is there gives way; otherwise the new one gets another name
 * @returns the path that was written
 * @throws ClassKeysError `file_unwritable`
 */
export async function saveExport(
  path: string,
  keys: readonly ExportedKey[],
  format: 'csv' | 'json',
  { replace }: { replace: boolean },
): Promise<string> {
  const text = format === 'csv' ? exportCsv(keys) : exportJson(keys)
  if (!replace) return createFile(path, text, PRIVATE)
  await replaceFile(path, text, PRIVATE)
  return path
}

function exportCsv(keys: readonly ExportedKey[]): string {
  return csvText(COLUMNS, keys.map(cells))
}

/** A list of objects with the columns of the CSV; a secret that is not here is null. */
function exportJson(keys: readonly ExportedKey[]): string {
  const rows = keys.map((key) => ({
    first_name: key.firstName,
    last_name: key.lastName,
    email: key.email,
    mq_id: key.mqId,
    api_key: key.secret ?? null,
    key_name: key.keyName,
    limit: key.limit,
    disabled: key.disabled,
  }))
  return `${JSON.stringify(rows, null, 2)}\n`
}

function cells(key: ExportedKey): string[] {
  return [
    key.firstName,
    key.lastName,
    key.email,
    key.mqId,
    key.secret ?? SECRET_NOT_HERE,
    key.keyName,
    typeof key.limit === 'string' ? key.limit : limitText(key.limit),
    String(key.disabled),
  ]
}
