import { type Limit, limitText } from '../core/money.js'
import type { Person } from '../core/student.js'
import { csvText } from './csv.js'

/** One of the ledger's keys, to be exported. */
export interface ExportedKey extends Person {
  /** Undefined where this ledger has never held it. */
  secret: string | undefined
  keyName: string
  limit: Limit
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

/** The ledger's keys as CSV. */
export function exportCsv(keys: readonly ExportedKey[]): string {
  return csvText(COLUMNS, keys.map(cells))
}

/** The ledger's keys as a JSON list of objects with the columns of the CSV; a secret that is not here is null. */
export function exportJson(keys: readonly ExportedKey[]): string {
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
    limitText(key.limit),
    String(key.disabled),
  ]
}
