import { join } from 'node:path'
import { type Limit, type LimitReset, limitText } from '../core/money.js'
import type { Person } from '../core/student.js'
import { localTimestamp } from '../core/times.js'
import { csvText } from './csv.js'
import { createFile, PRIVATE } from './safe-write.js'

/** A key as it is handed to its student. */
export interface HandoutKey extends Person {
  secret: string
  keyName: string
  /** What the key was given when it was made; null is unlimited. */
  budget: Limit
  limitReset: LimitReset
}

const COLUMNS = ['first_name', 'last_name', 'email', 'mq_id', 'api_key', 'key_name', 'budget', 'limit_reset']

/**
 * Writes the secrets of new keys as `api_keys_YYYYMMDD_HHMMSS.csv` (local time), readable by the owner alone
 * from its first byte.
 * @returns the path of the new file
 * @throws ClassKeysError `file_unwritable`
 */
export function saveApiKeys(folder: string, keys: readonly HandoutKey[], at: Date): Promise<string> {
  const rows = keys.map((key) => [
    key.firstName,
    key.lastName,
    key.email,
    key.mqId,
    key.secret,
    key.keyName,
    limitText(key.budget),
    key.limitReset ?? '',
  ])
  return createFile(join(folder, `api_keys_${localTimestamp(at)}.csv`), csvText(COLUMNS, rows), PRIVATE)
}
