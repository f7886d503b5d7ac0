import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { flush } from '@oclif/core/flush'
import { run } from '@oclif/core/run'

/**
 * Runs the command that the words of a call name, and tells whatever it throws.
 * @param argv the words of the call
 * @param root where package.json is
 */
export async function runProgram(argv: string[], root: string): Promise<void> {
  // Given what it is to run, oclif does not look for it.
  const options = { root, pjson: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) }
  try {
    await run(argv, options)
    flush()
  } catch (error) {
    // Loaded on an error alone: it is not what a start should wait for.
    const { tellUncaught } = await import('./uncaught.js')
    await tellUncaught(error, argv, options)
  }
}
