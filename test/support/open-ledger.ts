// A process of its own that opens a ledger at the moment it is told to: says `ready`, waits until its input
// ends, and says how it went.
import { openLedger } from '../../src/db/open.js'

const [, , path = ''] = process.argv
process.stdout.write('ready\n')
for await (const _ of process.stdin);
try {
  await (await openLedger(path)).close()
  process.stdout.write('opened\n')
} catch (error) {
  process.stdout.write(
    `${error instanceof Error ? `${error.message} ${String(error.cause)}` : String(error)}\n`,
  )
}
