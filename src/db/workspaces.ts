import type { Db } from './connection.js'
import { workspace } from './tables.js'

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
