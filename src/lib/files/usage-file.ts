import { join } from 'node:path'
import type { GoneKey } from '../core/key.js'
import type { Match } from '../core/matching.js'
import { limitText, usdText } from '../core/money.js'
import { fullName } from '../core/student.js'
import { localTimestamp } from '../core/times.js'
import { csvText } from './csv.js'
import { createFile } from './safe-write.js'

const COLUMNS = [
  'email',
  'name',
  'mq_id',
  'key_name',
  'hash',
  'usage',
  'byok_usage',
  'limit',
  'limit_reset',
  'disabled',
  'created_at',
  'expires_at',
  'gone_at',
]

/**
 * Writes what each key of the class has spent in all, as `usage_YYYYMMDD_HHMMSS.csv` (local time): what is left of a
 * term when its keys are gone.
 * @param gone the keys that are gone already
 * @returns the path of the new file
 * @throws ClassKeysError `file_unwritable`
 */
export function saveUsage(
  folder: string,
  keys: readonly Match[],
  gone: readonly GoneKey[],
  at: Date,
): Promise<string> {
  const there = keys.map(({ student, key }) => [
    student.email,
    fullName(student),
    student.mqId,
    key.name,
    key.hash,
    usdText(key.usage),
    usdText(key.byokUsage),
    limitText(key.limit),
    key.limitReset ?? '',
    String(key.disabled),
    key.createdAt,
    key.expiresAt ?? '',
    '',
  ])
  const before = gone.map((key) => [
    key.email,
    fullName(key),
    key.mqId,
    key.keyName,
    key.keyHash,
    key.usage === undefined ? '' : usdText(key.usage),
    '',
    limitText(key.limit),
    '',
    '',
    key.createdAt,
    '',
    key.goneAt,
  ])
  const text = csvText(COLUMNS, [...there, ...before])
  return createFile(join(folder, `usage_${localTimestamp(at)}.csv`), text)
}
