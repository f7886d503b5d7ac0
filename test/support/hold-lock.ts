// A process of its own that takes the run lock of a ledger and holds it until it is killed: says `held`, or
// why not.
import { takeRunLock } from '../../src/db/run-lock.js'

const [, , path = ''] = process.argv
try {
  takeRunLock(path, 'provision', new Date('2026-02-19T20:52:27Z'))
  process.stdout.write('held\n')
  setInterval(() => {}, 60_000)
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`)
}
