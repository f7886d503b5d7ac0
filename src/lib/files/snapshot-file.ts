import { join } from 'node:path'
import type { Match } from '../core/matching.js'
import { limitText, usdText } from '../core/money.js'
import { fullName } from '../core/student.js'
import { localTimestamp } from '../core/times.js'
import { csvText } from './csv.js'
import { createFile } from './safe-write.js'

const COLUMNS = ['email', 'name', 'mq_id', 'key_name', 'hash', 'usage', 'limit', 'limit_reset', 'disabled']

/**
 * Writes what OpenRouter says of the class's keys at a moment, as `snapshot_YYYYMMDD_HHMMSS.csv` (local time).
 * @returns the path of the new file
 * @throws ClassKeysError `file_unwritable`
 */
export function saveSnapshot(folder: string, matched: readonly Match[], at: Date): Promise<string> {
  const rows = matched.map(({ student, key }) => [
    student.email,
    fullName(student),
    student.mqId,
    key.name,
    key.hash,
    usdText(key.usage),
    limitText(key.limit),
    key.limitReset ?? '',
    String(key.disabled),
  ])
  return createFile(join(folder, `snapshot_${localTimestamp(at)}.csv`), csvText(COLUMNS, rows))
}
