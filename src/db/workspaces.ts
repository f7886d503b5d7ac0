import { eq, isNull } from 'drizzle-orm'
import type { Db } from './connection.js'
import { key, keyState, workspace } from './tables.js'

/** The workspace that the keys of a ledger are in. */
export interface LedgerWorkspace {
  id: string
  name: string
}

/** The workspace that the ledger is about; undefined is the account's default one. */
export function readWorkspace(db: Db): LedgerWorkspace | undefined {
  return db.select().from(workspace).get()
}

/** Makes the ledger one about a workspace. */
export function writeWorkspace(db: Db, chosen: LedgerWorkspace): void {
  db.delete(workspace).run()
  db.insert(workspace).values(chosen).run()
}

/** Whether the ledger has keys that are still in OpenRouter as far as it knows. */
export function hasKeys(db: Db): boolean {
  const row = db
    .select({ hash: key.keyHash })
    .from(key)
    .leftJoin(keyState, eq(keyState.keyHash, key.keyHash))
    .where(isNull(keyState.goneAt))
    .limit(1)
    .get()
  return row !== undefined
}
