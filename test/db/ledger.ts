import { afterEach } from 'vitest'
import type { Ledger } from '../../src/db/ledger.js'
import { createLedger, openLedger } from '../../src/db/open.js'

/** Opens ledgers for the tests of a file, and closes them when a test has ended. */
export function useLedgers(): (path?: string) => Promise<Ledger> {
  let open: Ledger[] = []
  afterEach(async () => {
    for (const ledger of open) await ledger.close()
    open = []
  })
  return async (path = 'keys.db') => {
    await createLedger(path)
    const ledger = await openLedger(path)
    open.push(ledger)
    return ledger
  }
}
